"""What a question costs an engine, learned from what its answers have cost.

Batches, deadlines, admission and the pace of partials follow from it: no constant would suit both
a toy on two cores and a large model on a GPU.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Any

from inference.tensors import ASR_MODEL, Answer, Priority, Question

LENGTHS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # of audio; a question counts to the next
TOGETHER = (1, 2, 4, 8, 16, 32, 64)  # questions answered in one batch, likewise
WEIGHT = 0.1  # of the newest answer
LONGEST_S = 30.0
# An urgent question waits for the batch that runs: so long at most, unless one question is longer.
MOST_BATCH_S = 0.5

Cell = tuple[str, bool, int, int]  # model, whether it is a partial, steps of length and company


@dataclass(slots=True)
class CostModel:
    """Seconds of one lane that a question takes, by length and company."""

    lanes: int = 1
    _cells: dict[Cell, float] = field(default_factory=dict)

    def learn(self, question: Question[Any], priority: Priority, answer: Answer) -> None:
        """Take an answer's cost into account."""
        cell = _cell(question.served_by, priority, question.duration_s, answer.batch)
        known = self._cells.get(cell)
        cost_s = answer.work_s
        self._cells[cell] = cost_s if known is None else known + WEIGHT * (cost_s - known)

    def seconds(
        self,
        audio_s: float,
        together: int = 1,
        *,
        priority: Priority = Priority.FINAL,
        model: str = ASR_MODEL,
    ) -> float | None:
        """Of one lane, for one question; None while nothing like it was asked.

        What was never met is reckoned from its nearest neighbour, longer audio in proportion.
        """
        wanted = _cell(model, priority, audio_s, together)
        if wanted in self._cells:
            return self._cells[wanted]
        near = min(
            (cell for cell in self._cells if cell[0] == model),
            key=lambda cell: _distance(cell, wanted),
            default=None,
        )
        if near is None:
            return None
        stretch = max(1.0, LENGTHS_S[wanted[2]] / LENGTHS_S[near[2]])
        return self._cells[near] * stretch

    def of(self, question: Question[Any], priority: Priority, together: int = 1) -> float | None:
        """Seconds of one lane for this question."""
        cost_s = self.seconds(
            question.duration_s, together, priority=priority, model=question.served_by
        )
        if cost_s is None and question.variant:  # not met yet: as its like
            return self.seconds(
                question.duration_s, together, priority=priority, model=question.MODEL
            )
        return cost_s

    def longest_s(self) -> float | None:
        """What the longest window would take, s."""
        return self.seconds(LONGEST_S)

    def table(self) -> dict[float, dict[int, float]]:
        """Seconds of one lane for a final, by length of the audio and company; what was met."""
        told: dict[float, dict[int, float]] = {}
        for (model, partial, length, company), cost_s in sorted(self._cells.items()):
            if model == ASR_MODEL and not partial:
                told.setdefault(LENGTHS_S[length], {})[TOGETHER[company]] = cost_s
        return told


def _cell(model: str, priority: Priority, audio_s: float, together: int) -> Cell:
    length = min(bisect.bisect_left(LENGTHS_S, audio_s), len(LENGTHS_S) - 1)
    company = min(bisect.bisect_left(TOGETHER, together), len(TOGETHER) - 1)
    return model, priority is Priority.PARTIAL, length, company


def _distance(cell: Cell, wanted: Cell) -> tuple[bool, int, int]:
    """A final tells more of a partial of its length than a partial of another."""
    kind, length, company = (cell[i] != wanted[i] for i in (1, 2, 3))
    return (
        kind and not length,
        abs(cell[2] - wanted[2]) * 2 + kind,
        abs(cell[3] - wanted[3]) if company else 0,
    )
