"""Entries that ask the same in other words (同质化), put together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from appliance.assist.knowledge.titles import Titles
from appliance.store.knowledge import KnowledgeEntry

ALIKE = 0.7  # likeness of titles


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Entries of one place for one question; the first is proposed for all."""

    entries: tuple[KnowledgeEntry, ...]


def duplicates(entries: Iterable[KnowledgeEntry]) -> list[Duplicates]:
    """The largest groups first."""
    ordered = sorted(entries, key=lambda each: each.id)
    titles = Titles(ordered)
    group = list(range(len(titles)))
    for one, other in titles.alike(ALIKE):
        mine, theirs = sorted((_root(group, one), _root(group, other)))
        group[theirs] = mine
    members: defaultdict[int, list[KnowledgeEntry]] = defaultdict(list)
    for title, same in enumerate(titles.entries):
        members[_root(group, title)] += [ordered[at] for at in same]
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


def _root(group: list[int], at: int) -> int:
    while group[at] != at:
        group[at] = group[group[at]]
        at = group[at]
    return at
