"""What is proposed to an agent, and when it changes: only for something better. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.assist.knowledge.library import FoundEntry
from appliance.assist.knowledge.passages import highlights
from appliance.assist.knowledge.want import Want
from appliance.assist.text.index import query_of

MOST = 3
LEAST = 0.3  # confidence of the first, from which on anything is proposed
BESIDE = 0.05  # and of those behind it
BETTER = 0.1  # by which another first one has to be surer than the one that is shown
LOOKED_AT = 10  # found entries among which the shown one is looked for


@dataclass(frozen=True, slots=True)
class ShownEntries:
    """Shown now; the best first."""

    found: tuple[FoundEntry, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(each.entry.id for each in self.found)


def proposal(before: ShownEntries, found: Sequence[FoundEntry], refused: set[str]) -> ShownEntries:
    """What to show after `found`, the best first; the same as before unless that is better.

    Args:
        refused: ids that the agent would not have in this call.
    """
    found = [each for each in found if each.entry.id not in refused]
    kept = ShownEntries(tuple(each for each in before.found if each.entry.id not in refused))
    if not found or found[0].confidence < LEAST:
        return kept
    shown = [found[0], *(each for each in found[1:] if each.confidence >= BESIDE)]
    made = ShownEntries(tuple(shown[:MOST]))
    if not kept.found:
        return made
    if kept.ids[0] == made.ids[0]:
        return made if len(made.found) > len(kept.found) else kept
    now = next((each.confidence for each in found if each.entry.id == kept.ids[0]), 0.0)
    return made if found[0].confidence >= now + BETTER else kept


def as_json(found: FoundEntry, want: Want) -> dict[str, Any]:
    """An entry as it is told."""
    entry, passage = found.entry, found.passage
    words = entry.answer[passage.begin : passage.end]
    marks = highlights(words, query_of(want.parts))
    return {
        "entry": entry.id,
        "version": entry.version,
        "title": entry.title,
        "answer": entry.answer,
        "begin": passage.begin,
        "end": passage.end,
        "marks": [[passage.begin + begin, passage.begin + end] for begin, end in marks],
        "department": entry.department,
        "source": entry.source,
        "valid_from": entry.valid_from,
        "valid_to": entry.valid_to,
        "scope": entry.scope,
        "confidence": round(found.confidence, 3),
    }
