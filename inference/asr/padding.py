"""Lengths that windows are padded to, so that windows of like length share an encoder pass and
each is padded the same whatever it shares it with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from inference.asr.features import LogMel
from inference.bundles import Serving
from inference.tensors import SAMPLE_RATE_HZ

MIN_ENCODED_S = 0.32  # shorter windows are padded: `align` needs a few frames
BUCKET_RATIO = 1.25  # trimmed windows are padded to the next length of a geometric ladder


def ladder_s(longest_s: float) -> list[float]:
    """Lengths from MIN_ENCODED_S to the longest window, each BUCKET_RATIO of the last, s."""
    lengths = [longest_s]
    while lengths[-1] / BUCKET_RATIO > MIN_ENCODED_S:
        lengths.append(lengths[-1] / BUCKET_RATIO)
    return lengths[::-1]


def buckets(serving: Serving, steps_s: Sequence[float], mel: LogMel) -> list[int]:
    """Samples that windows are padded to, ascending; one length for stock weights."""
    lengths_s = steps_s if serving.trimmed_windows else steps_s[-1:]
    step = SAMPLE_RATE_HZ * 8 // 100  # 80 ms: a whole number of frames in any geometry
    sizes = [math.ceil(s * SAMPLE_RATE_HZ / step) * step for s in lengths_s]
    # CTranslate2 takes encoder output of as many frames as there are mel bands for raw features.
    return [n + step if n // mel.hop_length // 2 == mel.feature_size else n for n in sizes]
