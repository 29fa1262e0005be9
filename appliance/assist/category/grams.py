"""Texts as counts of single characters and pairs of them, many texts at once.

A pair of two 16-bit characters fits a key exactly, so nothing collides. Case, full width and the
value of numbers do not matter; pairs do not reach over punctuation. What opens a text (its title,
what a caller says first) is counted a second time under keys of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

CHARACTER_BITS = 16
OPENING = 1 << (2 * CHARACTER_BITS)  # set in keys of a text's opening
KEY_BITS = 2 * CHARACTER_BITS + 1
MOST_CHARACTERS = 4000  # of a text; what is behind them is not looked at
DIGIT = ord("0")  # stands for any number
NOTHING = 0  # between words: punctuation, spaces, characters beyond 16 bits


@dataclass(frozen=True, slots=True)
class Grams:
    """What occurs in some texts, ordered by text, then key; all arrays of one length.

    Attributes:
        text: number of the text.
        key: what occurs there; `OPENING` is set if it is what opens the text.
        count: how often.
        texts: how many texts there are, those in which nothing occurs included.
    """

    text: Ints
    key: Ints
    count: Ints
    texts: int


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Every single one: `key` in `text`, from character `start` to `end`."""

    text: Ints
    key: Ints
    start: Ints
    end: Ints


def count_grams(texts: Sequence[str], opening: int = 0) -> Grams:
    """Counts of all texts.

    Args:
        opening: how many characters open a text; 0: nothing is counted twice.
    """
    found = occurrences(texts)
    where = (found.text << KEY_BITS) | found.key
    if opening:
        first = found.end <= opening
        where = np.concatenate([where, where[first] | OPENING])
    where, count = np.unique(where, return_counts=True)
    return Grams(where >> KEY_BITS, where & ((1 << KEY_BITS) - 1), count, len(texts))


def occurrences(texts: Sequence[str]) -> Occurrences:
    """Of single characters and pairs; places are characters of the text as it was given."""
    texts = [text[:MOST_CHARACTERS] for text in texts]
    symbols, owner, place = _symbols(texts)
    last = np.append(owner[1:] != owner[:-1], True) if len(owner) else owner.astype(bool)
    follows = np.where(last, 0, np.append(place[1:], 0))
    single = symbols != NOTHING
    paired = single[:-1] & single[1:] & ~last[:-1]
    pairs = ((symbols[:-1] << CHARACTER_BITS) | symbols[1:])[paired]
    return Occurrences(
        np.concatenate([owner[single], owner[:-1][paired]]),
        np.concatenate([symbols[single], pairs]),
        np.concatenate([place[single], place[:-1][paired]]),
        np.concatenate([place[single], follows[:-1][paired]]) + 1,
    )


def _symbols(texts: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """Characters as the model sees them, whose they are and where; numbers are one symbol."""
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.minimum(np.frombuffer(data, np.uint32), (1 << CHARACTER_BITS) - 1)
    symbols = _table()[codes]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    owner = np.repeat(np.arange(len(texts)), lengths)
    place = np.arange(len(symbols)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    again = (symbols[1:] == symbols[:-1]) & (owner[1:] == owner[:-1])
    again &= (symbols[1:] == DIGIT) | (symbols[1:] == NOTHING)
    kept = np.append(True, ~again)[: len(symbols)]
    return symbols[kept], owner[kept], place[kept]


@cache
def _table() -> Ints:
    """Symbol of each 16-bit character; built once."""
    table = np.zeros(1 << CHARACTER_BITS, np.int64)
    for code in range((1 << CHARACTER_BITS) - 1):
        plain = unicodedata.normalize("NFKC", chr(code)).lower()
        character = plain if len(plain) == 1 else chr(code)
        if character.isdigit():
            table[code] = DIGIT
        elif character.isalnum():
            table[code] = ord(character)
    return table
