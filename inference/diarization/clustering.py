"""Which voices of different windows belong to one speaker: k-means on the sphere of voiceprints.

Each voice counts by how long it is heard. Where the number of speakers is not known, it is the
largest for which no two speakers' means are alike: on a telephone a threshold between single
voiceprints finds too many or too few, while means over a call lie well apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.diarization.turns import Labels

Matrix = npt.NDArray[np.float64]

RESTARTS = 6  # from different beginnings; the best is kept
ROUNDS = 30  # at most, of each
LEAST_S = 0.5  # a voice must be heard so long to found a speaker, unless none is
LEAST_SHARE = 0.03  # of all that is heard, for a speaker whom nobody has counted


@dataclass(frozen=True, slots=True)
class ClusteringParameters:
    """A bundle brings its own."""

    alike: float  # cosine of two means from which they are one speaker's

    def assign(
        self, embeddings: Matrix, seconds: npt.NDArray[np.float64], least: int, most: int
    ) -> Labels:
        """The speaker of each voice [windows, voices]; speakers count from 0.

        Args:
            embeddings: [windows, voices, dimension]; NaN where a voice has none.
            seconds: [windows, voices], how long each is heard.
            least: speakers there are at least.
            most: and at most.
        """
        heard = ~np.isnan(embeddings).any(axis=2)
        if not heard.any():
            return np.zeros(heard.shape, np.int64)
        long = np.logical_and(heard, seconds >= LEAST_S)
        founding = long if long.any() else heard
        unit, weights = _unit(embeddings[founding]), seconds[founding]
        centres = self._centres(unit, np.maximum(weights, 1e-3), least, most)
        near = np.nan_to_num(embeddings, nan=0.0) @ centres.T
        labels: Labels = near.argmax(axis=2)
        return labels

    def _centres(self, unit: Matrix, weights: Matrix, least: int, most: int) -> Matrix:
        """[speakers, dimension], as many as there are."""
        most = min(most, len(unit))
        best = _k_means(unit, weights, min(least, most))
        for count in range(len(best.centres) + 1, most + 1):
            more = _k_means(unit, weights, count)
            if more.most_alike >= self.alike or more.least_share < LEAST_SHARE:
                break
            best = more
        return best.centres


@dataclass(frozen=True, slots=True)
class Partition:
    """Voiceprints dealt out to speakers."""

    centres: Matrix  # [speakers, dimension], of length 1
    fit: float  # weighted sum of each voiceprint's cosine to its centre
    least_share: float  # of the weights, that a speaker holds

    @property
    def most_alike(self) -> float:
        """The largest cosine between two centres; -1 for one speaker."""
        near = self.centres @ self.centres.T
        return float(near[~np.eye(len(near), dtype=bool)].max(initial=-1.0))


def _k_means(unit: Matrix, weights: Matrix, count: int) -> Partition:
    """The best of several partitions into `count`."""
    made = (
        _settled(unit, weights, _scattered(unit, weights, count, np.random.default_rng(seed)))
        for seed in range(RESTARTS if count > 1 else 1)
    )
    return max(made, key=lambda partition: partition.fit)


def _scattered(unit: Matrix, weights: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    """Centres to begin with: each drawn far from those before it (k-means++)."""
    chosen = [int(rng.choice(len(unit), p=weights / weights.sum()))]
    while len(chosen) < count:
        far = np.maximum(0, 1 - (unit @ unit[chosen].T).max(axis=1)) ** 2 * weights
        far[chosen] = 0
        left = np.setdiff1d(np.arange(len(unit)), chosen)
        chosen.append(int(rng.choice(len(unit), p=far / far.sum()) if far.sum() else left[0]))
    return unit[chosen]


def _settled(unit: Matrix, weights: Matrix, centres: Matrix) -> Partition:
    labels = np.full(len(unit), -1)
    for _ in range(ROUNDS):
        near = unit @ centres.T
        found = near.argmax(axis=1)
        if np.array_equal(found, labels):
            break
        labels = found
        weighed = np.zeros_like(centres)
        np.add.at(weighed, labels, unit * weights[:, None])
        moved = np.linalg.norm(weighed, axis=1) > 0
        centres = np.where(moved[:, None], _unit(np.where(moved[:, None], weighed, 1)), centres)
    near = unit @ centres.T
    shares = np.bincount(near.argmax(axis=1), weights, len(centres)) / weights.sum()
    return Partition(centres, float(weights @ near.max(axis=1)), float(shares.min()))


def _unit(vectors: Matrix) -> Matrix:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9))
