"""What agents said of entries: those that they take come first, for questions alike above all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from appliance.assist.text.grams import counts
from appliance.assist.text.index import Index, SearchQuery, indexed
from appliance.store.asked import AgentVerdict

if TYPE_CHECKING:
    from appliance.assist.knowledge.library import FoundEntry

ALIKE = 0.5  # share of a question that an earlier one holds, from which on its verdict counts
SWAY = 0.3  # most that verdicts add to a score, or take from it, as a share of it
MOST_OF_ONE = 1000  # verdicts of one agent, the newest
USUAL = 2.0  # verdicts that every entry is taken to have had, half of them good


@dataclass(frozen=True, slots=True)
class Opinions:
    """Of all entries."""

    index: Index
    verdicts: tuple[AgentVerdict, ...] = ()

    def weighed(self, found: Sequence[FoundEntry], question: SearchQuery) -> list[FoundEntry]:
        """Best first."""
        here = self._alike(question)
        weighed = [
            replace(each, score=each.score * (1 + SWAY * _sway(each, here.get(each.entry.id, 0.0))))
            for each in found
        ]
        return sorted(weighed, key=lambda each: (-each.score, each.entry.id))

    def _alike(self, question: SearchQuery) -> dict[str, float]:
        """Of entries that were judged for such a question: -1 rejected .. 1 taken."""
        if not self.verdicts:
            return {}
        ideal = float((question.weight * self.index.statistics.weights(question.keys)).sum())
        share = self.index.scores(question) / max(ideal, 1e-6)
        said: dict[str, float] = {}
        for at in np.flatnonzero(share >= ALIKE).tolist():
            verdict = self.verdicts[at]
            sign = min(float(share[at]), 1.0) * (1 if verdict.taken else -1)
            said[verdict.entry_id] = said.get(verdict.entry_id, 0.0) + sign
        return {entry: max(-1.0, min(1.0, value)) for entry, value in said.items()}


def _sway(found: FoundEntry, here: float) -> float:
    """-1 .. 1: what was said of it in general counts half."""
    entry = found.entry
    rate = (entry.taken + USUAL / 2) / (entry.taken + entry.rejected + USUAL)
    return max(-1.0, min(1.0, rate - 0.5 + here))


def opinions(verdicts: Sequence[AgentVerdict]) -> Opinions:
    of_each: Counter[str] = Counter()
    told = []
    for each in verdicts:  # the newest first
        of_each[each.who] += 1
        if each.text and of_each[each.who] <= MOST_OF_ONE:
            told.append(each)
    return Opinions(indexed(counts([each.text for each in told])), tuple(told))


NO_OPINIONS = opinions(())
