"""Scores into probabilities, and from which of them on a model answers: both on scores of texts
that were left out of the training."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BENDS = tuple(float(bend) for bend in np.geomspace(0.3, 100, 18))
NEWTON_STEPS = 12
MOST_ROWS = 4000  # are enough for two numbers
WRONG = 1.0  # costs what a right one is worth: an agent sees it, and the others beside it
LEAST_SURE, MOST_SURE = 0.3, 0.95


@dataclass(frozen=True, slots=True)
class Link:
    """Softmax of sharpness * arsinh(bend * score): beyond 1 / bend a score counts by its logarithm.

    A plain softmax is too sure of texts that score high, as one strong word of another category
    lets a short text do.
    """

    sharpness: float
    bend: float

    def __post_init__(self) -> None:
        if not (0 <= self.sharpness < inf and 0 < self.bend < inf):
            raise ValueError(f"no link: {self.sharpness}, {self.bend}")

    def __call__(self, scores: Floats) -> Floats:
        """Probabilities, by row."""
        bent = np.float32(self.sharpness) * np.arcsinh(np.float32(self.bend) * scores)
        bent -= bent.max(axis=1, keepdims=True)
        shares: Floats = np.exp(bent, out=bent)
        shares /= shares.sum(axis=1, keepdims=True)
        return shares


def fit(scores: Floats, right: NDArray[np.int64]) -> Link:
    """The link under which the right columns are likeliest."""
    step = -(-len(scores) // MOST_ROWS)
    scores, right = scores[::step], right[::step]
    best, link, sharpness = np.inf, Link(1.0, 1.0), 1.0
    for bend in BENDS:
        loss, sharpness = _sharpest(np.arcsinh(np.float32(bend) * scores), right, sharpness)
        if loss < best:
            best, link = loss, Link(sharpness, bend)
    return link


def _sharpest(bent: Floats, right: NDArray[np.int64], sharpness: float) -> tuple[float, float]:
    """Loss (mean negative log likelihood) and the factor that makes it least; it is convex."""
    bent = bent - bent.max(axis=1, keepdims=True)
    hit = float(bent[np.arange(len(right)), right].mean())
    loss = np.inf
    for _ in range(NEWTON_STEPS):
        shares = np.exp(np.float32(sharpness) * bent)
        total = shares.sum(axis=1)
        loss = float(np.log(total).mean()) - sharpness * hit
        mean = np.einsum("ij,ij->i", shares, bent) / total
        spread = np.einsum("ij,ij,ij->i", shares, bent, bent) / total - mean**2
        change = (hit - float(mean.mean())) / max(float(spread.mean()), 1e-9)
        sharpness = float(np.clip(sharpness + change, sharpness / 3, sharpness * 3))
        if abs(change) < 1e-3 * sharpness:
            break
    return loss, min(sharpness, 1e4)


def least_sure(best: Floats, right: NDArray[np.bool_]) -> float:
    """The threshold at which right answers outweigh wrong ones most.

    Args:
        best: probability of the likeliest label.
        right: whether it was right.
    """
    order = np.argsort(-best)
    worth = np.cumsum(np.where(right[order], 1.0, -WRONG))
    return float(np.clip(best[order][worth.argmax()], LEAST_SURE, MOST_SURE))
