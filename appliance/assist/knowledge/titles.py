"""Titles, and which are nearly the same: joined by the pairs of characters that few of them hold.

What it costs is bounded, whatever the titles are: pairs that many titles hold tell none apart, and
of each title no more than the nearest are looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.assist.text.grams import Ints, distinct
from appliance.assist.text.likeness import likeness
from appliance.store.knowledge import KnowledgeEntry

COMMON = 200  # titles that hold a pair of characters, from which on it tells none apart
NEAREST = 20  # titles that one is compared with
TOGETHER = 4096  # titles that are looked up in one go
TITLE_BITS, KEY_BITS = 23, 40
_STEP, _OTHER_STEP = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F  # odd, without a pattern


class Titles:
    """Of entries; equal ones of one scope are one title. Never changed.

    Attributes:
        entries: of each title the numbers of its entries.
    """

    def __init__(self, entries: Sequence[KnowledgeEntry]) -> None:
        self._number: dict[tuple[str, str], int] = {}
        self.entries: list[list[int]] = []
        for at, each in enumerate(entries):
            number = self._number.setdefault((each.scope, each.title), len(self.entries))
            if number == len(self.entries):
                self.entries.append([])
            self.entries[number].append(at)
        self._named = list(self._number)
        self._pairs = _pairs(self._named)
        self._size = np.bincount(self._pairs & _TITLE, minlength=len(self._named))

    def __len__(self) -> int:
        return len(self._named)

    def like(self, others: Titles, least: float) -> Iterator[tuple[int, int]]:
        """Mine and theirs of one scope whose likeness is `least` or more; equal ones among them."""
        for at, named in enumerate(self._named):
            if named in others._number:
                yield at, others._number[named]
        yield from self._near(others, least, below=False)

    def alike(self, least: float) -> Iterator[tuple[int, int]]:
        """Each two of these, once."""
        yield from self._near(self, least, below=True)

    def _near(self, others: Titles, least: float, *, below: bool) -> Iterator[tuple[int, int]]:
        for begin in range(0, len(self), TOGETHER):
            mine, theirs = self._candidates(others, least, begin, below=below)
            for one, other in zip(mine.tolist(), theirs.tolist(), strict=True):
                (scope, text), (there, like) = self._named[one], others._named[other]
                if scope == there and text != like and likeness(text, like) >= least:
                    yield one, other

    def _candidates(
        self, others: Titles, least: float, begin: int, *, below: bool
    ) -> tuple[Ints, Ints]:
        """Of the titles from `begin` on: those that may be alike, by the rare pairs they share."""
        title = self._pairs & _TITLE
        pairs = self._pairs[(title >= begin) & (title < begin + TOGETHER)]
        keys = pairs >> TITLE_BITS << TITLE_BITS
        first = np.searchsorted(others._pairs, keys)
        held = np.searchsorted(others._pairs, keys | _TITLE, side="right") - first
        rare = held <= COMMON
        common = np.bincount((pairs & _TITLE)[~rare] - begin, minlength=TOGETHER)
        first, held = first[rare], held[rare]
        one = np.repeat((pairs & _TITLE)[rare], held)
        other = others._pairs[_ranges(first, held)] & _TITLE
        if below:
            one, other = one[other < one], other[other < one]
        both, shared = np.unique(one << TITLE_BITS | other, return_counts=True)
        one, other = both >> TITLE_BITS, both & _TITLE
        sizes = self._size[one] + others._size[other]
        may = np.flatnonzero(2 * (shared + common[one - begin]) >= least * sizes)
        may = may[np.lexsort((-shared[may], one[may]))]
        one, other = one[may], other[may]
        nearest = np.arange(len(one)) - np.searchsorted(one, one) < NEAREST
        return one[nearest], other[nearest]


_TITLE = (1 << TITLE_BITS) - 1


def _ranges(first: Ints, length: Ints) -> Ints:
    """first, first + 1, ... of each, one after the other."""
    ends = np.cumsum(length)
    return np.repeat(first - ends + length, length) + np.arange(ends[-1] if len(ends) else 0)


def _pairs(named: Sequence[tuple[str, str]]) -> Ints:
    """Which pairs of characters each title holds, hashed with its scope; ascending."""
    data = "".join(title for _, title in named).encode("utf-32-le", "surrogatepass")
    symbols = np.frombuffer(data, np.uint32).astype(np.uint64)
    lengths = np.fromiter((len(title) for _, title in named), np.int64, len(named))
    owner = np.repeat(np.arange(len(named)), lengths)
    scopes = np.array([zlib.crc32(scope.encode()) for scope, _ in named], np.uint64)
    within: NDArray[np.bool_] = owner[:-1] == owner[1:]
    mixed = (symbols[:-1] << np.uint64(21) | symbols[1:]) * np.uint64(_STEP)
    mixed = mixed[within] ^ scopes[owner[:-1][within]] * np.uint64(_OTHER_STEP)
    hashed = (mixed >> np.uint64(64 - KEY_BITS)).astype(np.int64)
    return distinct(hashed << TITLE_BITS | owner[:-1][within])
