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
        heads = [above(label) if are_codes(labels) else () for label in labels]
        self.codes = tuple(sorted({code for codes in heads for code in codes}))
        at = {code: place for place, code in enumerate(self.codes)}
        self._over = np.zeros((len(labels), len(self.codes)), np.float32)
        for place, codes in enumerate(heads):
            self._over[place, [at[code] for code in codes]] = 1.0
        self._chains = [(label, *codes) for label, codes in zip(labels, heads, strict=True)]
        self._at = at

    def targets(self) -> NDArray[np.float32]:
        """(labels, labels): what a text of one label should score for another."""
        alike: NDArray[np.float32] = self._over @ self._over.T
        return np.eye(len(self.labels), dtype=np.float32) + np.float32(ABOVE) * alike

    def sure(
        self, probabilities: NDArray[np.float32], least: float
    ) -> list[tuple[str, float] | None]:
        """Of each row the deepest code on the way to its likeliest label that has `least`."""
        over, found = probabilities @ self._over, []
        for row, best in enumerate(probabilities.argmax(axis=1)):
            label, *codes = self._chains[best]
            shares = [(label, float(probabilities[row, best]))]
            shares += [(code, float(over[row, self._at[code]])) for code in codes]
            found.append(next((each for each in shares if each[1] >= least), None))
        return found
