"""All live entries, as they are searched: those of one moment, never changed.

What is changed comes onto a row of its own, searched beside the others by the statistics of all. So
it shows at once, however many entries there are; rows are put together afterwards, see `crowded`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from heapq import nlargest
from itertools import islice
from operator import itemgetter

import numpy as np

from appliance.assist.knowledge.confidence import confidence
from appliance.assist.knowledge.opinions import NO_OPINIONS, Opinions
from appliance.assist.knowledge.passages import AnswerPassage
from appliance.assist.knowledge.rows import LibraryRow, covers, one_row, row
from appliance.assist.knowledge.shelf import ShelfStatistics, statistics
from appliance.assist.knowledge.titles import Titles
from appliance.assist.text.index import SearchQuery, TermStatistics
from appliance.assist.text.likeness import likeness
from appliance.store.knowledge import EntryState, KnowledgeEntry

AT_ONCE = 4096  # entries that a row begins with at most: what it takes to make one is bounded
MERGED_FROM = 2.0  # times the size of the row before
MOST_ON_A_ROW = 20_000  # entries
LOOKED_AT = 30  # entries that are ranked in the end
NAMESAKES = 10  # of a row that one title is compared with
SAME_MATTER = 0.6  # likeness of titles, from which on the narrower rule is the only one


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
class Library:
    """Searched by any thread.

    Attributes:
        rows: the oldest first.
        sequence: of the last change in it.
    """

    rows: tuple[LibraryRow, ...] = ()
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
        if not self.rows:
            return []
        by = statistics([each.shelf for each in self.rows], question.keys)
        ranked = [found for each in self.rows for found in _ranked(each, question, by, day, place)]
        best = [found() for _, found in nlargest(LOOKED_AT, ranked, key=itemgetter(0))]
        told = narrowest(self.opinions.weighed(best, question))
        return _with_confidence(told, question, by.entries)[:most] if told else []

    def namesakes(
        self, entries: Sequence[KnowledgeEntry], least: float
    ) -> dict[str, list[KnowledgeEntry]]:
        """Live entries of the same scope whose titles are like theirs by `least`, by their ids."""
        titles = Titles(entries)
        found: defaultdict[str, list[KnowledgeEntry]] = defaultdict(list)
        for each in self.rows:
            for mine, theirs in titles.like(each.titles, least):
                alive = (at for at in each.titles.entries[theirs] if not each.gone[at])
                near = [each.entries[at] for at in islice(alive, NAMESAKES)]
                for at in titles.entries[mine]:
                    found[entries[at].id] += near
        return found


def library(entries: Iterable[KnowledgeEntry], opinions: Opinions = NO_OPINIONS) -> Library:
    """All of them anew; what is not live is left out."""
    everything = sorted(entries, key=lambda each: each.sequence)
    made = changed(Library(opinions=opinions), everything)
    while some := crowded(made):
        made = tidied(made, some, one_row(some))
    return made


def changed(before: Library, entries: Sequence[KnowledgeEntry]) -> Library:
    """With those as they are now, given in the order of their changes."""
    if not entries:
        return before
    latest = {each.id: each for each in entries}
    live = {key: each for key, each in latest.items() if each.state is EntryState.LIVE}
    rows, by_id = list(before.rows), {**before.by_id}
    known = latest.keys() & by_id.keys()
    if known:
        rows = [each for old in rows if len(each := old.without(known))]
    for key in known:
        del by_id[key]
    fresh = list(live.values())
    for at in range(0, len(fresh), AT_ONCE):
        rows.append(row(fresh[at : at + AT_ONCE], [each.shelf for each in rows]))
    return replace(before, rows=tuple(rows), sequence=entries[-1].sequence, by_id=by_id | live)


def crowded(found: Library) -> tuple[LibraryRow, ...]:
    """The next rows that are better one; none, or two and more.

    A row becomes one with those behind it once they are twice as large together. So an entry is
    moved a few times, however many come after it; what is large enough stays as it is.
    """
    sizes = [len(each) for each in found.rows]
    for at, size in enumerate(sizes):
        upto = np.cumsum(sizes[at:])
        end = at + int((upto <= MOST_ON_A_ROW).sum())
        if end > at + 1 and sum(sizes[at + 1 : end]) >= size * MERGED_FROM:
            return found.rows[at:end]
    return ()


def tidied(found: Library, some: Sequence[LibraryRow], one: LibraryRow) -> Library:
    """With one row for some; what they lost while it was made is gone from it, too."""
    shelves = {id(each.shelf) for each in some}
    place = [at for at, each in enumerate(found.rows) if id(each.shelf) in shelves]
    stays = {
        entry.id
        for at in place
        for entry, gone in zip(found.rows[at].entries, found.rows[at].gone.tolist(), strict=True)
        if not gone
    }
    lost = {each.id for each in one.entries if each.id not in stays}
    rows = [each for each in found.rows if id(each.shelf) not in shelves]
    rows[place[0] : place[0]] = [one.without(lost)] if place else []
    return replace(found, rows=tuple(rows))


def _ranked(
    on: LibraryRow, question: SearchQuery, by: ShelfStatistics, day: date, place: str
) -> list[tuple[float, Callable[[], FoundEntry]]]:
    """Scores of the best, and how each is told."""
    scores, passages = on.shelf.search(question, by)
    scores = scores * on.holding(day, place)
    top = np.argpartition(-scores, min(LOOKED_AT, len(scores) - 1))[:LOOKED_AT]

    def found(at: int, score: float) -> FoundEntry:
        whole = AnswerPassage(0, len(on.entries[at].answer))
        passage = on.shelf.passage(at, passages) or whole
        return FoundEntry(on.entries[at], score, 0.0, passage)

    best = zip(top.tolist(), scores[top].tolist(), strict=True)
    return [(score, partial(found, at, score)) for at, score in best if score > 0]


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
