"""All live entries, as they are searched: those of one moment, never changed.

What is changed comes onto a shelf of its own, weighed by the statistics of the largest; a shelf
that is half as large as the one before it becomes one with it. So a change shows at once, however
many entries there are, and many changes cost little more than one.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from appliance.assist.city.divisions import level_of, up_to
from appliance.assist.knowledge.confidence import confidence
from appliance.assist.knowledge.opinions import NO_OPINIONS, Opinions
from appliance.assist.knowledge.passages import AnswerPassage
from appliance.assist.knowledge.shelf import Shelf, Words
from appliance.assist.text.index import Scores, SearchQuery, TermStatistics
from appliance.assist.text.likeness import likeness
from appliance.store.knowledge import EntryState, KnowledgeEntry

MERGED_FROM = 0.5  # of the size of the shelf before
LOOKED_AT = 30  # entries that are ranked in the end
ELSEWHERE = 0.8  # where the place is not known: what holds in a part of the city alone
SAME_MATTER = 0.6  # likeness of titles, from which on the narrower rule is the only one
ALWAYS = date.max.toordinal()


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry that may answer.

    Attributes:
        confidence: that it does, 0..1, calibrated.
        passage: of its answer, that fits best.
        also: ids of others that say the same for a larger place, and give way.
    """

    entry: KnowledgeEntry
    score: float
    confidence: float
    passage: AnswerPassage
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """Entries on one shelf, and when and where each holds."""

    shelf: Shelf
    entries: tuple[KnowledgeEntry, ...]
    begins: NDArray[np.int64]  # days, proleptic Gregorian
    ends: NDArray[np.int64]
    scope: NDArray[np.int64]  # number of its scope
    scopes: tuple[str, ...]
    gone: NDArray[np.bool_]  # changed or retired since

    def holding(self, day: date, place: str) -> Scores:
        """What each entry weighs on that day, there; 0 where it does not hold."""
        today = day.toordinal()
        weights = np.array([weight(scope, place) for scope in self.scopes], np.float32)
        here: Scores = weights[self.scope]
        return here * ((self.begins <= today) & (today <= self.ends) & ~self.gone)

    def without(self, ids: Container[str]) -> _Row:
        now = np.array([each.id in ids for each in self.entries], bool)
        return replace(self, gone=self.gone | now) if now.any() else self

    def kept(self) -> list[KnowledgeEntry]:
        return [
            each for each, gone in zip(self.entries, self.gone.tolist(), strict=True) if not gone
        ]


@dataclass(frozen=True, slots=True)
class Library:
    """Searched by any thread.

    Attributes:
        rows: the largest first.
        sequence: of the last change in it.
    """

    rows: tuple[_Row, ...] = ()
    sequence: int = 0
    opinions: Opinions = NO_OPINIONS
    by_id: Mapping[str, KnowledgeEntry] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.by_id)

    @property
    def bytes(self) -> int:
        return sum(row.shelf.bytes for row in self.rows)

    def search(
        self, question: SearchQuery, *, day: date, place: str = "", most: int = 3
    ) -> list[FoundEntry]:
        """The best first; none that does not hold on that day, in that place.

        Args:
            place: code of a division; empty: it is not known.
        """
        ranked = [each for row in self.rows for each in _ranked(row, question, day, place)]
        told = narrowest(self.opinions.weighed(ranked, question)[:LOOKED_AT])
        if not told:
            return []
        return _with_confidence(told, question, self.rows[0].shelf.statistics)[:most]


def library(entries: Iterable[KnowledgeEntry], opinions: Opinions = NO_OPINIONS) -> Library:
    """All of them anew; what is not live is left out."""
    everything = sorted(entries, key=lambda each: each.sequence)
    return changed(Library(opinions=opinions), everything)


def changed(before: Library, entries: Sequence[KnowledgeEntry]) -> Library:
    """With those as they are now, given in the order of their changes."""
    if not entries:
        return before
    latest = {each.id: each for each in entries}
    live = {key: each for key, each in latest.items() if each.state is EntryState.LIVE}
    rows = [row.without(latest) for row in before.rows]
    fresh = list(live.values())
    while fresh and rows and len(kept := rows[-1].kept()) * MERGED_FROM <= len(fresh):
        fresh = [*kept, *fresh]
        rows.pop()
    if fresh:
        rows.append(_row(fresh, rows[0].shelf if rows else None))
    by_id = {key: each for key, each in before.by_id.items() if key not in latest} | live
    return Library(tuple(rows), entries[-1].sequence, before.opinions, by_id)


def _row(entries: Sequence[KnowledgeEntry], by: Shelf | None) -> _Row:
    words = [Words("\n".join((*each.questions, *each.tags)), each.answer) for each in entries]
    scopes = tuple(dict.fromkeys(each.scope for each in entries))
    number = {scope: at for at, scope in enumerate(scopes)}
    return _Row(
        Shelf(words, by),
        tuple(entries),
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


def _ranked(row: _Row, question: SearchQuery, day: date, place: str) -> list[FoundEntry]:
    scores, passages = row.shelf.search(question)
    scores = scores * row.holding(day, place)
    top = np.argpartition(-scores, min(LOOKED_AT, len(scores) - 1))[:LOOKED_AT]
    return [
        FoundEntry(
            row.entries[at],
            float(scores[at]),
            0.0,
            row.shelf.passage(at, passages) or AnswerPassage(0, len(row.entries[at].answer)),
        )
        for at in top.tolist()
        if scores[at] > 0
    ]


def narrowest(found: Sequence[FoundEntry]) -> list[FoundEntry]:
    """Best first, and of rules for one matter the one of the smallest place alone."""
    kept: list[FoundEntry] = []
    for each in found:
        twin = next((at for at, one in enumerate(kept) if _one_matter(one, each)), None)
        if twin is None:
            kept.append(each)
            continue
        one = kept[twin]
        inner, outer = (one, each) if _is_narrower(one.entry, each.entry) else (each, one)
        also = (*one.also, *each.also, outer.entry.id)
        kept[twin] = replace(inner, score=max(one.score, each.score), also=also)
    return kept


def _one_matter(one: FoundEntry, other: FoundEntry) -> bool:
    """Whether one of two rules holds in a part of the other's place, for the same."""
    mine, theirs = one.entry, other.entry
    if mine.scope == theirs.scope:
        return False
    nested = _is_narrower(mine, theirs) or _is_narrower(theirs, mine)
    return nested and likeness(mine.title, theirs.title) >= SAME_MATTER


def _is_narrower(one: KnowledgeEntry, other: KnowledgeEntry) -> bool:
    return bool(one.scope) and (not other.scope or covers(other.scope, one.scope))


def _with_confidence(
    found: Sequence[FoundEntry], question: SearchQuery, by: TermStatistics
) -> list[FoundEntry]:
    """What asks the same as the first is no rival of it."""
    rivals = [
        each for each in found[1:] if likeness(each.entry.title, found[0].entry.title) < SAME_MATTER
    ]
    scores = [found[0].score, *(each.score for each in rivals)]
    first, *rest = confidence(scores, question, by)
    told = {each.entry.id: share for each, share in zip(rivals, rest, strict=True)}
    return [replace(each, confidence=told.get(each.entry.id, first)) for each in found]
