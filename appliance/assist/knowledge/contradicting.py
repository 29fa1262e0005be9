"""Which entries contradict which: looked for among those whose titles are alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

from appliance.assist.knowledge.edits import CONTRADICTS, Contradiction, contradictions
from appliance.assist.knowledge.library import Library
from appliance.assist.knowledge.titles import Titles
from appliance.store.knowledge import KnowledgeEntry

COMPARED = 10  # entries of two titles, or of one title, that are compared


def contradicting(live: Library, entries: Sequence[KnowledgeEntry]) -> list[Contradiction]:
    """Of entries with what is live, and with each other."""
    near = live.namesakes(entries, CONTRADICTS)
    found = [each for entry in entries for each in contradictions(entry, near.get(entry.id, ()))]
    return _once([*found, *all_contradictions(entries)])


def all_contradictions(entries: Sequence[KnowledgeEntry]) -> list[Contradiction]:
    """Of each two entries, once."""
    return _once(
        [found for one, other in _namesakes(entries) for found in contradictions(one, [other])]
    )


def _namesakes(
    entries: Sequence[KnowledgeEntry],
) -> Iterator[tuple[KnowledgeEntry, KnowledgeEntry]]:
    titles = Titles(entries)
    for same in titles.entries:
        for at, one in enumerate(same):
            for other in same[at + 1 : at + 1 + COMPARED]:
                yield entries[one], entries[other]
    for mine, theirs in titles.alike(CONTRADICTS):
        both = product(titles.entries[mine], titles.entries[theirs])
        for one, other in islice(both, COMPARED):
            yield entries[one], entries[other]


def _once(found: Sequence[Contradiction]) -> list[Contradiction]:
    return list({tuple(sorted((each.entry, each.other))): each for each in found}.values())
