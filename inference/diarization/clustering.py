"""Which voices of different windows belong to one speaker: centroid linkage, as pyannote does it.

A port of what `pyannote.audio.pipelines.clustering.AgglomerativeClustering` computes, so that the
path without torch gives the same speakers; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist

from inference.diarization.turns import Labels

Matrix = npt.NDArray[np.float64]

LEAST_ACTIVE = 0.2  # of a window a voice must speak alone for its embedding to found a cluster


@dataclass(frozen=True, slots=True)
class ClusteringParameters:
    """Hyper-parameters; a bundle brings its own."""

    threshold: float  # of the distance between unit centroids
    least_size: int  # embeddings of a cluster of its own

    def assign(
        self, embeddings: Matrix, active: npt.NDArray[np.float32], least: int, most: int
    ) -> Labels:
        """The speaker of each voice [windows, voices]; speakers count from 0.

        Args:
            embeddings: [windows, voices, dimension]; NaN where a voice has none.
            active: [windows, frames, voices], 0 or 1.
            least: speakers there are at least.
            most: and at most.
        """
        founding = _founding(embeddings, active)
        windows, voices, dimension = embeddings.shape
        count = int(founding.sum())
        least, most = max(1, min(count, least)), max(1, min(count, most))
        if most < 2 or count == 0:
            return np.zeros((windows, voices), np.int64)
        clusters = self._cluster(embeddings[founding], least, most)
        centroids = np.stack(
            [embeddings[founding][clusters == k].mean(axis=0) for k in range(clusters.max() + 1)]
        )
        distance = cdist(embeddings.reshape(-1, dimension), centroids, "cosine")
        nearest: Labels = np.argmin(np.nan_to_num(distance, nan=2.0), axis=1)
        return nearest.reshape(windows, voices)

    def _cluster(self, embeddings: Matrix, least: int, most: int) -> Labels:
        """Labels [n] of the founding embeddings."""
        if len(embeddings) == 1:
            return np.zeros(1, np.int64)
        least_size = min(self.least_size, max(1, round(0.1 * len(embeddings))))
        unit = embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)
        tree = linkage(unit, method="centroid", metric="euclidean")
        labels = fcluster(tree, self.threshold, criterion="distance") - 1
        found = len(_large(labels, least_size))
        if not least <= found <= most:
            labels = _cut(tree, min(max(found, least), most), least_size, self.threshold)
        return _absorb(unit, labels, least_size)


def _founding(embeddings: Matrix, active: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """[windows, voices]: who speaks alone for long enough."""
    alone = (active.sum(axis=2, keepdims=True) == 1) * active
    enough = alone.sum(axis=1) >= LEAST_ACTIVE * active.shape[1]
    valid: npt.NDArray[np.bool_] = enough & ~np.isnan(embeddings).any(axis=2)
    return valid


def _large(labels: Labels, least_size: int) -> Labels:
    clusters, sizes = np.unique(labels, return_counts=True)
    large: Labels = clusters[sizes >= least_size]
    return large


def _cut(tree: Matrix, wanted: int, least_size: int, threshold: float) -> Labels:
    """The tree cut, as near to the threshold as can be, where `wanted` large clusters are left."""
    by_order = tree.copy()
    by_order[:, 2] = np.arange(len(tree))
    best, best_found = len(tree), 1
    for at in np.argsort(np.abs(tree[:, 2] - threshold)):
        if by_order[at, 3] < least_size:
            continue
        found = len(_large(fcluster(by_order, at, criterion="distance") - 1, least_size))
        if abs(found - wanted) < abs(best_found - wanted):
            best, best_found = int(at), found
        if found == wanted:
            break
    labels: Labels = fcluster(by_order, best, criterion="distance") - 1
    return labels


def _absorb(unit: Matrix, labels: Labels, least_size: int) -> Labels:
    """Small clusters join the large one most like them; labels count from 0 again."""
    large = _large(labels, least_size)
    if len(large) == 0:
        return np.zeros_like(labels)
    small = np.setdiff1d(labels, large)
    if len(small):
        centres = [
            np.stack([unit[labels == k].mean(axis=0) for k in group]) for group in (large, small)
        ]
        nearest = np.argmin(cdist(centres[0], centres[1], "cosine"), axis=0)
        for k, home in zip(small, large[nearest], strict=True):
            labels = np.where(labels == k, home, labels)
    renumbered: Labels = np.unique(labels, return_inverse=True)[1]
    return renumbered
