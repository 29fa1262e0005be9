"""Entries that are searched together: by all that they say, and by their best passage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from appliance.assist.knowledge.passages import AnswerPassage, passages
from appliance.assist.text.grams import counts
from appliance.assist.text.index import Index, Scores, SearchQuery, TermStatistics

PASSAGE = 0.5  # what the best passage counts beside the whole entry
NORM = 0.1  # of whole entries, see Index


@dataclass(frozen=True, slots=True)
class Words:
    """What an entry is found by.

    Attributes:
        questions: count twice.
        answer: its passages count by themselves, too, if there are several.
    """

    questions: str
    answer: str


class Shelf:
    """Never changed.

    Args:
        by: the shelf by whose statistics these entries are weighed; None: their own.
    """

    def __init__(self, entries: Sequence[Words], by: Shelf | None = None) -> None:
        whole = [f"{each.questions}\n{each.questions}\n{each.answer}" for each in entries]
        self._entries = Index(counts(whole), by.statistics if by else None, norm=NORM)
        parts = [passages(each.answer) for each in entries]
        self._parts = [each if len(each) > 1 else () for each in parts]
        texts = [
            entry.answer[part.begin : part.end]
            for entry, each in zip(entries, self._parts, strict=True)
            for part in each
        ]
        self._passages = Index(counts(texts), by.of_passages if by else None)
        lengths = np.fromiter(map(len, self._parts), np.int64, len(entries))
        self._begin = np.cumsum(lengths) - lengths
        self._long = np.flatnonzero(lengths)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def statistics(self) -> TermStatistics:
        return self._entries.statistics

    @property
    def of_passages(self) -> TermStatistics:
        return self._passages.statistics

    @property
    def bytes(self) -> int:
        return self._entries.bytes + self._passages.bytes

    def search(self, question: SearchQuery) -> tuple[Scores, Scores]:
        """How well each entry fits, and each passage of those that have several."""
        whole, each = self._entries.scores(question), self._passages.scores(question)
        best = whole.copy()
        if len(self._long):
            best[self._long] = np.maximum.reduceat(each, self._begin[self._long])
        return whole + PASSAGE * best, each

    def passage(self, entry: int, scores: Scores) -> AnswerPassage | None:
        """The best one of an entry; None: it is one itself."""
        parts = self._parts[entry]
        if not parts:
            return None
        begin = int(self._begin[entry])
        return parts[int(scores[begin : begin + len(parts)].argmax())]
