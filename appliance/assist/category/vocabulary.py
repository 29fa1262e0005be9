"""Which grams a model knows, and what each of them counts: the rarer, the more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.assist.category.grams import OPENING, Grams, Ints

OPENS = 0.25  # share of a text's opening in its likeness to others
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Grams of the texts a model was trained on.

    Attributes:
        keys: ascending; (grams,).
        rarity: ln((1 + texts) / (1 + texts with it)) + 1; (grams,).
        texts: how many there were.
        opening: characters that open a text; 0: all alike.
    """

    keys: Ints
    rarity: Floats
    texts: int
    opening: int

    @classmethod
    def of(cls, found: Grams, opening: int) -> Vocabulary:
        keys, spread = np.unique(found.key, return_counts=True)
        rarity = np.log((1 + found.texts) / (1 + spread)) + 1
        return cls(keys, rarity.astype(np.float32), found.texts, opening)

    def part(self, kept: NDArray[np.bool_]) -> Vocabulary:
        """Only those that are kept."""
        return Vocabulary(self.keys[kept], self.rarity[kept], self.texts, self.opening)

    def weigh(self, found: Grams) -> tuple[Ints, Floats]:
        """Number of each entry's gram (-1: unknown) and its share of its text.

        A text's shares have unit length. What is unknown is part of it: a text that says much else
        scores lower, as one left out of the training did.
        """
        if not len(self.keys):
            return np.full(len(found.key), -1), np.zeros(len(found.key), np.float32)
        number = np.searchsorted(self.keys, found.key)
        number[number == len(self.keys)] = 0
        number[self.keys[number] != found.key] = -1
        unknown = np.log((1 + self.texts) / 2) + 1
        rarity = np.where(number < 0, np.float32(unknown), self.rarity[number])
        share = (1 + np.log(found.count)) * rarity
        opens = (found.key >= OPENING).astype(np.int64)
        part = found.text * 2 + opens
        length = np.sqrt(np.bincount(part, share * share))
        if self.opening:
            share *= np.where(opens, np.sqrt(OPENS), np.sqrt(1 - OPENS))
        return number, (share / length[part]).astype(np.float32)

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.rarity.nbytes
