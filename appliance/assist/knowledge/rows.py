"""Entries of a library that are searched together, and when and where each holds."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from appliance.assist.city.divisions import level_of, up_to
from appliance.assist.knowledge.shelf import Shelf, Words, one_shelf, shelf
from appliance.assist.knowledge.titles import Titles
from appliance.assist.text.index import Scores
from appliance.store.knowledge import KnowledgeEntry

ELSEWHERE = 0.8  # where the place is not known: what holds in a part of the city alone
ALWAYS = date.max.toordinal()


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """Never changed.

    Attributes:
        begins: the first day of each, proleptic Gregorian.
        ends: the last one.
        scope: number of its scope.
        gone: changed or retired since.
    """

    shelf: Shelf
    entries: tuple[KnowledgeEntry, ...]
    titles: Titles
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    scope: NDArray[np.int64]
    scopes: tuple[str, ...]
    gone: NDArray[np.bool_]

    def __len__(self) -> int:
        """Of those that are not gone."""
        return len(self.entries) - int(self.gone.sum())

    def holding(self, day: date, place: str) -> Scores:
        """What each entry weighs on that day, there; 0 where it does not hold."""
        today = day.toordinal()
        weights = np.array([weight(scope, place) for scope in self.scopes], np.float32)
        here: Scores = weights[self.scope]
        return here * ((self.begins <= today) & (today <= self.ends) & ~self.gone)

    def without(self, ids: Container[str]) -> LibraryRow:
        now = np.fromiter((each.id in ids for each in self.entries), bool, len(self.entries))
        return replace(self, gone=self.gone | now) if now.any() else self


def row(entries: Sequence[KnowledgeEntry], others: Sequence[Shelf]) -> LibraryRow:
    """Of entries that are searched beside those on other shelves."""
    words = [Words("\n".join((*each.questions, *each.tags)), each.answer) for each in entries]
    return _on(shelf(words, others), entries)


def one_row(rows: Sequence[LibraryRow]) -> LibraryRow:
    """For several, without what is gone; nothing is counted anew."""
    kept = [~each.gone for each in rows]
    entries = [
        entry
        for each, keep in zip(rows, kept, strict=True)
        for entry, stays in zip(each.entries, keep.tolist(), strict=True)
        if stays
    ]
    return _on(one_shelf([each.shelf for each in rows], kept), entries)


def _on(made: Shelf, entries: Sequence[KnowledgeEntry]) -> LibraryRow:
    scopes = tuple(dict.fromkeys(each.scope for each in entries))
    number = {scope: at for at, scope in enumerate(scopes)}
    return LibraryRow(
        made,
        tuple(entries),
        Titles(entries),
        np.array([_day(each.valid_from, 0) for each in entries], np.int64),
        np.array([_day(each.valid_to, ALWAYS) for each in entries], np.int64),
        np.array([number[each.scope] for each in entries], np.int64),
        scopes,
        np.zeros(len(entries), bool),
    )


def _day(text: str, otherwise: int) -> int:
    return date.fromisoformat(text).toordinal() if text else otherwise


def weight(scope: str, place: str) -> float:
    """Of an entry of a scope for somebody at a place: 1 it holds there, 0 it does not."""
    if not scope or (place and covers(scope, place)):
        return 1.0
    if not place or covers(place, scope):  # they may be in it
        return ELSEWHERE
    return 0.0


def covers(scope: str, place: str) -> bool:
    return up_to(place, level_of(scope)) == scope
