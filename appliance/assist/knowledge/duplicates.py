"""Entries that ask the same in other words (同质化), put together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from appliance.assist.text.likeness import likeness, pairs
from appliance.store.knowledge import KnowledgeEntry

ALIKE = 0.7  # likeness of titles
COMMON = 200  # entries that hold a pair of characters, from which on it tells none apart


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Entries of one place for one question; the first is proposed for all."""

    entries: tuple[KnowledgeEntry, ...]


def duplicates(entries: Iterable[KnowledgeEntry]) -> list[Duplicates]:
    """The largest groups first."""
    ordered = sorted(entries, key=lambda each: each.id)
    group = list(range(len(ordered)))
    for one, other in _near(ordered):
        if likeness(ordered[one].title, ordered[other].title) >= ALIKE:
            mine, theirs = sorted((_root(group, one), _root(group, other)))
            group[theirs] = mine
    members: defaultdict[int, list[KnowledgeEntry]] = defaultdict(list)
    for at, each in enumerate(ordered):
        members[_root(group, at)].append(each)
    found = [Duplicates(tuple(sorted(each, key=_worth))) for each in members.values()]
    return sorted(
        (each for each in found if len(each.entries) > 1),
        key=lambda each: (-len(each.entries), each.entries[0].id),
    )


def merged(keep: KnowledgeEntry, others: Sequence[KnowledgeEntry]) -> KnowledgeEntry:
    """`keep` with all forms of the question."""
    forms = dict.fromkeys(form for each in (keep, *others) for form in each.questions)
    tags = dict.fromkeys(tag for each in (keep, *others) for tag in each.tags)
    return replace(keep, questions=tuple(forms), tags=tuple(tags))


def _worth(entry: KnowledgeEntry) -> tuple[int, bool, float, str]:
    """The one that agents take comes first, then what has a source, then the newest."""
    return entry.rejected - entry.taken, not entry.source, -entry.changed_at, entry.id


def _near(entries: Sequence[KnowledgeEntry]) -> set[tuple[int, int]]:
    """Pairs of one place that share what few others hold."""
    holding: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for at, each in enumerate(entries):
        for pair in pairs(each.title):
            holding[each.scope, pair].append(at)
    found: set[tuple[int, int]] = set()
    shared: defaultdict[tuple[int, int], int] = defaultdict(int)
    for some in holding.values():
        if len(some) <= COMMON:
            for place, one in enumerate(some):
                for other in some[place + 1 :]:
                    shared[one, other] += 1
                    if shared[one, other] == 2:
                        found.add((one, other))
    return found


def _root(group: list[int], at: int) -> int:
    while group[at] != at:
        group[at] = group[group[at]]
        at = group[at]
    return at
