"""How far probabilities can be believed: calibration error, and the area under the ROC curve."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BINS = 10  # of confidence

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def calibration_error(sure: Array, right: Flags) -> float:
    """Expected calibration error, 0..1, of [n] probabilities of what was or was not right."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [
        abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).sum()
        for b in np.unique(bins)
    ]
    return float(sum(gaps) / len(sure))


def auc(scores: Array, wanted: Flags) -> float:
    """The chance that one of the wanted has a higher score than one of the others; 0.5 without
    either."""
    if wanted.all() or not wanted.any():
        return 0.5
    above = np.sign(np.subtract.outer(scores[wanted], scores[~wanted]))
    return float((above + 1).mean() / 2)
