"""How right a model is: the figures that training tells and `lingting eval category` measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of `n` texts; shares are 0..1, over the likeliest label, told or not.

    Attributes:
        top1: the likeliest label is right.
        top3: one of the three likeliest is.
        branch: the likeliest label is under the right code of two digits; as top1 without codes.
        macro_f1: mean of the F1 of all labels that occur or were told.
        ece: expected calibration error of the likeliest label, ten bins.
        abstain_rate: nothing is sure, not even the code of two digits.
        told_right: of those where something is sure, it is right, on whatever level.
    """

    n: int
    top1: float
    top3: float
    branch: float
    macro_f1: float
    ece: float
    abstain_rate: float
    told_right: float

    def flat(self) -> dict[str, float]:
        return {k: v if k == "n" else round(v, 4) for k, v in asdict(self).items()}


def figures(
    truth: Sequence[str],
    labels: Sequence[str],
    probabilities: Floats,
    told: Sequence[tuple[str, float] | None],
    branch: int | None = None,
) -> Figures:
    """Of texts whose label is `truth`.

    Args:
        labels: of the columns of `probabilities`, (texts, labels).
        told: label or code that was sure, with its probability.
        branch: length of the code at the top; None: labels are no codes.
    """
    at = {label: place for place, label in enumerate(labels)}
    right = np.array([at.get(label, -1) for label in truth])
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    best = [labels[place] for place in order[:, 0]]
    answered = [(t, each[0]) for t, each in zip(truth, told, strict=True) if each]
    heads = np.mean([a[:branch] == b[:branch] for a, b in zip(truth, best, strict=True)])
    return Figures(
        n=len(truth),
        top1=float((order[:, 0] == right).mean()),
        top3=float((order == right[:, None]).any(axis=1).mean()),
        branch=float(heads),
        macro_f1=macro_f1(truth, best),
        ece=ece(probabilities.max(axis=1), order[:, 0] == right),
        abstain_rate=1 - len(answered) / len(truth),
        told_right=sum(t.startswith(a) for t, a in answered) / max(1, len(answered)),
    )


def macro_f1(truth: Sequence[str], told: Sequence[str]) -> float:
    """Mean of F1 = 2 right / (occurs + told) over all labels that occur or were told."""
    names, codes = np.unique([*truth, *told], return_inverse=True)
    true, said = codes[: len(truth)], codes[len(truth) :]
    right = np.bincount(true[true == said], minlength=len(names))
    return float(np.mean(2 * right / np.bincount(codes, minlength=len(names))))


def ece(sure: Floats, right: NDArray[np.bool_]) -> float:
    """Mean gap of confidence and accuracy over bins of equal width, weighted by their size."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [
        abs(sure[bins == each].mean() - right[bins == each].mean()) * (bins == each).sum()
        for each in np.unique(bins)
    ]
    return float(sum(gaps) / len(sure))
