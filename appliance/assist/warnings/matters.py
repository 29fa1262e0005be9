"""Matters: what many have told in other words, put together by what they say.

Ten people's words for one water pipe are one matter. Texts are alike by the pairs of characters
that both hold, the rare above all: names of places and firms, which no category has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.assist.text.clusters import clusters
from appliance.assist.text.likeness import likenesses
from appliance.assist.warnings.contact import Contact

ALIKE = 0.09  # mean likeness of the texts of two matters, from which on they are one
CHARACTERS = 400  # of a text, that are looked at
MOST = 6000  # contacts put together at once, the newest: a likeness of each to each
LEAST = 3  # voices of a matter that is told
DAY_S = 86_400.0
QUIET_DAYS = 14.0  # a matter that rests so long weighs less than one that is told now


@dataclass(frozen=True, slots=True)
class Matter:
    """Contacts of one matter, by time."""

    contacts: tuple[Contact, ...]
    heat: float

    @property
    def voices(self) -> int:
        return len({each.counted_as for each in self.contacts})

    @property
    def begun_at(self) -> float:
        return self.contacts[0].at

    @property
    def title(self) -> str:
        """What was told first."""
        return self.contacts[0].text.split("。")[0]


def matters(contacts: Sequence[Contact], least: int = LEAST) -> list[Matter]:
    """The hottest first; of `least` voices and more."""
    ordered = sorted(contacts, key=lambda each: (each.at, each.id))[-MOST:]
    if not ordered:
        return []
    alike = likenesses([each.text[:CHARACTERS] for each in ordered])
    found = []
    for members in clusters(alike, ALIKE):
        some = tuple(ordered[at] for at in members)
        matter = Matter(some, heat(some))
        if matter.voices >= least:
            found.append(matter)
    return sorted(found, key=lambda each: (-each.heat, each.begun_at))


def heat(contacts: Sequence[Contact]) -> float:
    """Voices, each the less the longer the matter has rested before it."""
    seen: set[str] = set()
    total, last = 0.0, contacts[0].at
    for each in contacts:
        if each.counted_as not in seen:
            rested = max(0.0, (each.at - last) / DAY_S - QUIET_DAYS)
            total += 1 / (1 + rested / QUIET_DAYS)
        seen.add(each.counted_as)
        last = each.at
    return total
