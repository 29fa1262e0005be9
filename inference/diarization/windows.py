"""A recording cut into overlapping windows, the last one filled up with silence."""

from __future__ import annotations

import numpy as np

from inference.tensors import SAMPLE_RATE_HZ, Audio


def cut(audio: Audio, window_s: float, hop_s: float) -> Audio:
    """[windows, samples]; at least one window."""
    length, hop = round(window_s * SAMPLE_RATE_HZ), round(hop_s * SAMPLE_RATE_HZ)
    whole = max(0, (len(audio) - length) // hop + 1) if len(audio) >= length else 0
    rest = len(audio) < length or (len(audio) - length) % hop > 0
    count = whole + rest
    padded = np.pad(audio, (0, max(0, (count - 1) * hop + length - len(audio))))
    view = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][:count]
    return np.ascontiguousarray(view)
