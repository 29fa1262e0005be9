"""Which calls an inspector looks at."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from itertools import zip_longest

from appliance.store.inspections import InspectedRow

APPEAL_POINTS = 20.0  # that an open appeal counts as much as
UNSURE_POINTS = 2.0  # and a finding of which the rule could not tell


class SampleBy(StrEnum):
    """How they are chosen.

    random: every call is as likely. risk: what may be worst first. agent: as many of each.
    """

    RANDOM = "random"
    RISK = "risk"
    AGENT = "agent"


def sample(
    rows: Sequence[InspectedRow], by: SampleBy, n: int, key: bytes, day: str
) -> list[InspectedRow]:
    """At most n calls. By `key`, which agents do not know, nobody can tell who is drawn; within a
    day, calls that come in change nothing of the order of the others."""

    def drawn(row: InspectedRow) -> bytes:
        return hashlib.blake2b(f"{day} {row.call_id}".encode(), key=key, digest_size=16).digest()

    if by is SampleBy.RISK:
        return sorted(rows, key=lambda row: (-risk(row), row.total, -row.at, row.call_id))[:n]
    shuffled = sorted(rows, key=drawn)
    return _even(shuffled, n) if by is SampleBy.AGENT else shuffled[:n]


def risk(row: InspectedRow) -> float:
    """In points; what an inspector decided on weighs nothing any more."""
    return row.points + APPEAL_POINTS * row.open_appeals + UNSURE_POINTS * row.unsure


def _even(shuffled: Sequence[InspectedRow], n: int) -> list[InspectedRow]:
    """As many of each agent, as far as there are; first those whom inspectors know least."""
    of_agent: defaultdict[str, list[InspectedRow]] = defaultdict(list)
    for row in shuffled:
        of_agent[row.agent].append(row)
    known = {who: sum(row.decided > 0 for row in mine) for who, mine in of_agent.items()}
    agents = sorted(of_agent, key=known.__getitem__)  # of those known as little: as drawn
    turns = zip_longest(*(of_agent[who] for who in agents))
    return [row for turn in turns for row in turn if row][:n]
