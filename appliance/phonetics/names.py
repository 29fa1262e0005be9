"""Names in what was said, borne through recognition errors.

For each name its best place in the text, by a weighted edit distance over sounds that starts and
ends anywhere in the text: all names at once, one step for each character of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from appliance.phonetics.sounds import UNITS, Sounds

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Worth:
    """What a character of a name tells, in nats.

    Attributes:
        gain: when it is heard as it is said.
        left_out: what it costs, beyond losing that, when it is not.
        most: the most that another in its place costs.
    """

    gain: float
    left_out: float
    most: float


PUT_IN = 4.8  # a character that is no part of the name, inside it
PAUSED = 1.6  # the same for one that people say while they think
_PAUSES = frozenset("的那个这嗯啊呃哦哎呀就 ")
LENGTHS = (4, 6, 99)  # of the names that are worked on together
LEAST, LEAST_SHARE = 4.0, 0.38  # nats, and of a name: a match that tells less is none
LONGEST = 16  # characters of a name; longer ones are matched by their first
STRETCH, OVERLAP = 160, 20  # characters of a text that are matched at a time
_START_BITS = 8  # a cell holds its cost and, below it, where its match started
_LATEST = (1 << _START_BITS) - 1
# Read as they are said; every character stays one.
_READ = str.maketrans("0123456789" + ascii_lowercase, "零一二三四五六七八九" + ascii_uppercase)


@dataclass(frozen=True, slots=True)
class SoundedName:
    """A name to be heard.

    Attributes:
        worths: of each of its characters.
    """

    text: str
    worths: tuple[Worth, ...]


@dataclass(frozen=True, slots=True)
class Sounded:
    """A name heard in a text."""

    name: int  # its number
    start: int
    end: int
    score: float  # nats
    share: float  # of what it would tell were it heard as it is said


class Names:
    """All names, those of about one length together."""

    def __init__(self, names: Sequence[SoundedName], sounds: Sounds) -> None:
        self._sounds = sounds
        self._tables: list[_Table] = []
        longer = 0
        for longest in LENGTHS:
            numbers = [n for n, name in enumerate(names) if longer < len(name.text) <= longest]
            if numbers:
                self._tables.append(_Table(names, numbers, min(longest, LONGEST), sounds))
            longer = longest

    def heard(self, text: str) -> Iterator[Sounded]:
        """All that tell at least LEAST; of one name those that do not overlap."""
        classes = np.array(self._sounds.of(text.translate(_READ)), np.intp)
        for offset in range(0, max(1, len(text) - OVERLAP), STRETCH - OVERLAP):
            stretch = classes[offset : offset + STRETCH]
            paused = np.array([char in _PAUSES for char in text[offset : offset + STRETCH]])
            if stretch.any():
                for table in self._tables:
                    yield from table.heard(stretch, paused, offset)


class _Table:
    """Arrays of (characters, names) over names of about one length."""

    def __init__(
        self, names: Sequence[SoundedName], numbers: Sequence[int], length: int, sounds: Sounds
    ) -> None:
        self._numbers = np.array(numbers)
        texts = [names[number].text[:length].translate(_READ) for number in numbers]
        self._lengths = np.array([len(text) for text in texts], np.int32)
        self._said = np.zeros((length, len(texts)), np.intp)
        gain, drop, most = (np.zeros((length, len(texts))) for _ in range(3))
        for at, (number, text) in enumerate(zip(numbers, texts, strict=True)):
            self._said[: len(text), at] = sounds.of(text)
            worth = names[number].worths[: len(text)]
            gain[: len(text), at] = [each.gain for each in worth]
            drop[: len(text), at] = [each.gain + each.left_out for each in worth]
            most[: len(text), at] = [each.most for each in worth]
        self._gain = _units(gain.sum(axis=0))
        self._least = np.maximum(_units(LEAST), (self._gain * LEAST_SHARE).astype(np.int32))
        self._drop, self._most = _units(drop), _units(most)
        self._worst = np.minimum(self._drop, self._most)
        self._costs = sounds.costs

    def heard(
        self, classes: NDArray[np.intp], paused: NDArray[np.bool_], offset: int
    ) -> Iterator[Sounded]:
        """What a stretch of text tells.

        Args:
            classes: of its characters.
            paused: which of them people say while they think.
            offset: where it begins.
        """
        at, step = self._windows(len(classes))
        costs = self._costs[np.append(classes, 0)[at]]
        put_in = np.where(np.append(paused, False)[at], _units(PAUSED), _units(PUT_IN))
        windows, names = self._possible(costs.min(axis=1))
        if not len(names):
            return
        cells = self._aligned(costs, put_in[windows].T, windows, names)
        scores = self._gain[names] - (cells >> _START_BITS)
        ends, columns = np.nonzero(scores >= self._least[names])
        told = scores[ends, columns]
        order = np.argsort(-told, kind="stable")
        starts = _LATEST - (cells[ends, columns] & _LATEST) + windows[columns] * step
        ends = ends + windows[columns] * step
        numbers = self._numbers[names[columns]]
        taken: dict[int, list[tuple[int, int]]] = {}
        for at in order.tolist():
            start, end, number = int(starts[at]), int(ends[at]), int(numbers[at])
            spans = taken.setdefault(number, [])
            if end < len(classes) and all(start > e or end < s for s, e in spans):
                spans.append((start, end))
                score = float(told[at]) / UNITS
                share = float(told[at] / self._gain[names[columns[at]]])
                yield Sounded(number, offset + start, offset + end + 1, score, share)

    def _windows(self, length: int) -> tuple[NDArray[np.intp], int]:
        """(windows, characters): which characters each window holds, `length` for those beyond the
        end; and the step between windows. Each overlaps the next by more than a name, so that all
        can be worked on at once."""
        overlap = len(self._said) + 2
        step = max(9, overlap)
        count = 1 + max(0, -(-(length - overlap) // step))
        at = np.arange(count)[:, None] * step + np.arange(step + overlap)
        return np.minimum(at, length), step

    def _possible(self, nearest: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Windows and the names that could tell enough there, were their characters in the best
        order."""
        found = [np.nonzero(self._gain - self._lost(row) >= self._least)[0] for row in nearest]
        windows = np.repeat(np.arange(len(found)), [len(names) for names in found])
        return windows, np.concatenate(found)

    def _lost(self, nearest: Ints) -> Ints:
        lost: Ints = np.minimum(nearest[self._said], self._worst).sum(axis=0)
        return lost

    def _aligned(
        self, costs: Ints, put_in: Ints, windows: NDArray[np.intp], names: NDArray[np.intp]
    ) -> Ints:
        """(characters, names): the best match of each name that ends with each character.

        A cell of `row` is the cost of having said so much of a name, with where it began.
        """
        said = self._said[:, names] + windows * costs.shape[2]
        lengths, columns = self._lengths[names], np.arange(len(names))
        most = self._most[:, names] << _START_BITS
        dropped = np.zeros((len(said) + 1, len(names)), np.int32)
        np.cumsum(self._drop[:, names] << _START_BITS, axis=0, out=dropped[1:])
        put_in = (put_in << _START_BITS).astype(np.int32)
        row, after = dropped + _LATEST, np.empty_like(dropped)
        step = np.empty_like(most)
        ended = np.empty((costs.shape[1], len(names)), np.int32)
        for at in range(costs.shape[1]):
            np.take((costs[:, at] << _START_BITS).ravel(), said, out=step, mode="clip")
            np.minimum(step, most, out=step)
            step += row[:-1]
            after[0] = _LATEST - at - 1
            np.add(row[1:], put_in[at], out=after[1:])
            np.minimum(step, after[1:], out=after[1:])
            after -= dropped
            for upper, lower in pairwise(after):
                np.minimum(upper, lower, out=lower)
            after += dropped
            ended[at] = after[lengths, columns]
            row, after = after, row
        return ended


def _units(nats: NDArray[np.float64] | float) -> Ints:
    return np.round(np.multiply(nats, UNITS)).astype(np.int32)
