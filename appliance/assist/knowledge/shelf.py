"""Entries that are searched together: by all that they say, and by their best passage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.assist.knowledge.passages import AnswerPassage, passages
from appliance.assist.text.grams import Ints, counts
from appliance.assist.text.index import (
    Index,
    Scores,
    SearchQuery,
    TermStatistics,
    indexed,
    joined,
    together,
)

PASSAGE = 0.5  # what the best passage counts beside the whole entry
NORM = 0.1  # of whole entries, see `indexed`


@dataclass(frozen=True, slots=True)
class Words:
    """What an entry is found by.

    Attributes:
        questions: count twice.
        answer: its passages count by themselves, too, if there are several.
    """

    questions: str
    answer: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """Never changed.

    Attributes:
        begin: where the passages of each entry begin, and the end; an entry that is one passage
            has none.
        spans: of each passage where in the answer it begins and ends.
    """

    entries: Index
    passages: Index
    begin: Ints
    spans: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def bytes(self) -> int:
        return self.entries.bytes + self.passages.bytes + self.begin.nbytes + self.spans.nbytes

    @property
    def searched(self) -> int:
        """Passages, those included that are whole entries."""
        return len(self.passages) + int((np.diff(self.begin) == 0).sum())

    def search(self, question: SearchQuery, by: ShelfStatistics) -> tuple[Scores, Scores]:
        """How well each entry fits, and each passage of those that have several."""
        whole = self.entries.scores(question, by.entries)
        each = self.passages.scores(question, by.passages)
        best = whole.copy()
        long = np.flatnonzero(np.diff(self.begin))
        if len(long):
            best[long] = np.maximum.reduceat(each, self.begin[long])
        return whole + PASSAGE * best, each

    def passage(self, entry: int, scores: Scores) -> AnswerPassage | None:
        """The best one of an entry; None: it is one itself."""
        begin, end = self.begin[entry : entry + 2].tolist()
        if begin == end:
            return None
        first, last = self.spans[begin + int(scores[begin:end].argmax())].tolist()
        return AnswerPassage(first, last)


@dataclass(frozen=True, slots=True)
class ShelfStatistics:
    """By which all shelves of a library are searched alike."""

    entries: TermStatistics
    passages: TermStatistics


def shelf(entries: Sequence[Words], others: Sequence[Shelf] = ()) -> Shelf:
    """Of some entries, which are searched beside those on other shelves."""
    whole = [f"{each.questions}\n{each.questions}\n{each.answer}" for each in entries]
    parts = [passages(each.answer) for each in entries]
    parts = [each if len(each) > 1 else () for each in parts]
    texts = [
        entry.answer[part.begin : part.end]
        for entry, each in zip(entries, parts, strict=True)
        for part in each
    ]
    lengths = np.fromiter(map(len, parts), np.int64, len(entries))
    spans = [(part.begin, part.end) for each in parts for part in each]
    return Shelf(
        indexed(counts(whole), [each.entries.statistics for each in others], norm=NORM),
        indexed(counts(texts), [each.passages.statistics for each in others]),
        np.append(0, np.cumsum(lengths)),
        np.array(spans, np.int32).reshape(-1, 2),
    )


def statistics(shelves: Sequence[Shelf], keys: Ints) -> ShelfStatistics:
    """Of all that is on them, for some keys alone."""
    return ShelfStatistics(
        together([each.entries.statistics for each in shelves], keys),
        together([each.passages.statistics for each in shelves], keys),
    )


def one_shelf(shelves: Sequence[Shelf], kept: Sequence[NDArray[np.bool_]]) -> Shelf:
    """For several, in their order; of each the entries that are kept."""
    lengths = [np.diff(each.begin) for each in shelves]
    parts = [np.repeat(keep, held) for keep, held in zip(kept, lengths, strict=True)]
    held = np.concatenate([each[keep] for each, keep in zip(lengths, kept, strict=True)])
    return Shelf(
        joined([(each.entries, keep) for each, keep in zip(shelves, kept, strict=True)]),
        joined([(each.passages, keep) for each, keep in zip(shelves, parts, strict=True)]),
        np.append(0, np.cumsum(held)),
        np.concatenate([each.spans[keep] for each, keep in zip(shelves, parts, strict=True)]),
    )
