"""Texts as what they are found by: characters, pairs of them, and words of letters and digits.

Every key is a number, and many texts are counted at once by numpy: fifty thousand passages take
seconds, and no dictionary of words is held in memory. Case and full width do not matter; pairs do
not reach over punctuation.
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
FIRST_IDEOGRAPH = 0x2E80
_STEP = 0x9E3779B1  # odd, without a pattern: hashes of words seldom collide
_PART, _LETTER, _IDEOGRAPH = 0, 1, 2


@dataclass(frozen=True, slots=True)
class TermCounts:
    """What occurs in some texts, ordered by text, then key; all arrays of one length.

    Attributes:
        text: number of the text.
        key: what occurs there.
        count: how often.
        texts: how many texts there are, those in which nothing occurs included.
    """

    text: Ints
    key: Ints
    count: Ints
    texts: int


def counts(texts: Sequence[str]) -> TermCounts:
    """Of all texts."""
    symbols, owner = _symbols(texts)
    kind = _kinds()[symbols]
    ideograph = kind == _IDEOGRAPH
    paired = ideograph[:-1] & ideograph[1:] & (owner[:-1] == owner[1:])
    pairs = (symbols[:-1] << BITS | symbols[1:])[paired] | PAIR
    words, of = _words(symbols, owner, kind == _LETTER)
    keys = np.concatenate([symbols[ideograph], pairs, words])
    owners = np.concatenate([owner[ideograph], owner[:-1][paired], of])
    found, count = np.unique(owners * KEYS + keys, return_counts=True)
    return TermCounts(found // KEYS, found % KEYS, count, len(texts))


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
