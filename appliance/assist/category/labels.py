"""Labels, and what stands above them where they are codes of two digits a level."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 2  # digits
CODE = re.compile(r"(\d\d){1,6}")
ABOVE = 0.5  # weight of being in the right branch, a level, beside being right


def are_codes(labels: Sequence[str]) -> bool:
    """Whether they form a tree: all of them codes, not all of one level."""
    return all(CODE.fullmatch(label) for label in labels) and any(map(above, labels))


def above(label: str) -> tuple[str, ...]:
    """Codes that it is under, the nearest first: 050301 -> 0503, 05."""
    return tuple(label[:end] for end in range(len(label) - LEVEL, 0, -LEVEL))


class Branches:
    """The tree over labels; without one, plain labels have nothing above them."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        tree = are_codes(labels)
        heads = [above(label) if tree else () for label in labels]
        self.codes = tuple(sorted({code for codes in heads for code in codes}))
        at = {code: place for place, code in enumerate(self.codes)}
        self._over = np.zeros((len(labels), len(self.codes)), np.float32)
        for place, codes in enumerate(heads):
            self._over[place, [at[code] for code in codes]] = 1.0
        lengths = sorted({len(code) for code in self.codes})
        self._levels = [
            np.flatnonzero([len(code) == length for code in self.codes]) for length in lengths
        ]

    def targets(self) -> NDArray[np.float32]:
        """(labels, labels): what a text of one label should score for another."""
        alike: NDArray[np.float32] = self._over @ self._over.T
        return np.eye(len(self.labels), dtype=np.float32) + np.float32(ABOVE) * alike

    def sure(
        self, probabilities: NDArray[np.float32], least: float
    ) -> list[tuple[str, float] | None]:
        """Of each row the label that has `least` or more, else the deepest code that has."""
        over = probabilities @ self._over
        found: list[tuple[str, float] | None] = [None] * len(probabilities)
        levels = [(self.codes, over[:, level], level) for level in self._levels]
        levels.append((self.labels, probabilities, np.arange(len(self.labels))))
        for names, shares, numbers in levels:  # what is deeper overrides
            best = shares.argmax(axis=1)
            most = shares[np.arange(len(shares)), best]
            for row in np.flatnonzero(most >= least).tolist():
                found[row] = (names[numbers[best[row]]], float(most[row]))
        return found
