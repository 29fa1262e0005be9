"""Texts as what they are found by: characters, pairs of them, and words of letters and digits.

Every key is a number, and many texts are counted at once by numpy: fifty thousand passages take
seconds, and no dictionary of words is held in memory. Key, text and count are sorted as one number:
that is the cheapest way. Case and full width do not matter; pairs do not reach over punctuation.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

BITS = 16  # of a character; those beyond count as punctuation
PAIR = 1 << (2 * BITS)  # set in keys of pairs
WORD = 1 << (2 * BITS + 1)  # set in keys of words
KEYS = 1 << (2 * BITS + 2)  # more than any key
TEXT_BITS, COUNT_BITS = 21, 8  # beside a key in 63 bits
MOST_TEXTS = 1 << TEXT_BITS  # counted at once
MOST_COUNTED = (1 << COUNT_BITS) - 1  # times of one key in one text
TOGETHER = 1 << 20  # characters that are looked at in one go: so little memory is used
FIRST_IDEOGRAPH = 0x2E80
_STEP = 0x9E3779B1  # odd, without a pattern: hashes of words seldom collide
_PART, _LETTER, _IDEOGRAPH = 0, 1, 2


@dataclass(frozen=True, slots=True)
class TermCounts:
    """What occurs in some texts, ordered by key, then text; all arrays of one length.

    Attributes:
        text: number of the text.
        key: what occurs there.
        count: how often, MOST_COUNTED at most.
        texts: how many texts there are, those in which nothing occurs included.
    """

    text: Ints
    key: Ints
    count: Ints
    texts: int


def counts(texts: Sequence[str]) -> TermCounts:
    """Of all texts, MOST_TEXTS at most."""
    found = [_packed(texts[begin:end], begin) for begin, end in _portions(texts)]
    packed = np.concatenate(found) if found else np.zeros(0, np.int64)
    if len(found) > 1:
        packed.sort()
    count, packed = packed & MOST_COUNTED, packed >> COUNT_BITS
    return TermCounts(packed & (MOST_TEXTS - 1), packed >> TEXT_BITS, count, len(texts))


def _portions(texts: Sequence[str]) -> list[tuple[int, int]]:
    """From which text to which they are looked at together."""
    if not len(texts):
        return []
    upto = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts))) // TOGETHER
    ends = [*(np.flatnonzero(np.diff(upto)) + 1).tolist(), len(texts)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _packed(texts: Sequence[str], first: int) -> Ints:
    """Key, text and count of all that occurs, in one number each, ascending."""
    symbols, owner = _symbols(texts)
    kind = _kinds()[symbols]
    ideograph = kind == _IDEOGRAPH
    paired = ideograph[:-1] & ideograph[1:] & (owner[:-1] == owner[1:])
    pairs = (symbols[:-1] << BITS | symbols[1:])[paired] | PAIR
    words, of = _words(symbols, owner, kind == _LETTER)
    keys = np.concatenate([symbols[ideograph], pairs, words])
    owners = np.concatenate([owner[ideograph], owner[:-1][paired], of]) + first
    both = np.sort(keys << TEXT_BITS | owners)
    begins = np.flatnonzero(np.diff(both, prepend=-1))
    times = np.diff(begins, append=len(both))
    return both[begins] << COUNT_BITS | np.minimum(times, MOST_COUNTED)


def distinct(numbers: Ints) -> Ints:
    """Of numbers from 0 on each once, ascending; sorting takes less than np.unique."""
    ordered: Ints = np.sort(numbers)
    once: Ints = ordered[np.diff(ordered, prepend=-1) != 0]
    return once


def is_single(keys: Ints) -> NDArray[np.bool_]:
    """Which keys are single characters."""
    return keys < PAIR


def _symbols(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """Characters without case and width, and whose they are."""
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.minimum(np.frombuffer(data, np.uint32), (1 << BITS) - 1)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return _plain()[codes], np.repeat(np.arange(len(texts)), lengths)


def _words(symbols: Ints, owner: Ints, letter: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Keys of all runs of letters and digits, and whose they are."""
    at = np.flatnonzero(letter)
    if not len(at):
        return at, at
    first = np.append(True, (at[1:] != at[:-1] + 1) | (owner[at[1:]] != owner[at[:-1]]))
    begins = np.flatnonzero(first)
    within = np.arange(len(at)) - np.repeat(begins, np.diff(np.append(begins, len(at))))
    mixed = (symbols[at] + 1) * (_STEP + 2 * within * _STEP + within) & (PAIR - 1)
    hashed = np.add.reduceat(mixed, begins) & (PAIR - 1)
    return hashed | WORD, owner[at[begins]]


@cache
def _plain() -> Ints:
    """Of each 16-bit character the one that it counts as."""
    table = np.arange(1 << BITS, dtype=np.int64)
    for code in range(1 << BITS):
        plain = unicodedata.normalize("NFKC", chr(code)).lower()
        if len(plain) == 1 and ord(plain) < 1 << BITS:
            table[code] = ord(plain)
    return table


@cache
def _kinds() -> NDArray[np.int8]:
    table = np.full(1 << BITS, _PART, np.int8)
    for code in range((1 << BITS) - 1):
        if chr(code).isalnum():
            table[code] = _IDEOGRAPH if code >= FIRST_IDEOGRAPH else _LETTER
    return table
