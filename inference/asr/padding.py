"""Lengths that windows are padded to: the audio, a margin of silence, and up to the next step.

Stock Whisper was trained on 30 s, but bears its audio and some seconds more at a fraction of the
cost. Windows of like length share a step, so that they are decoded together, and each is padded
the same whatever it shares it with.
"""

from __future__ import annotations

import bisect
import math

from inference.asr.features import LogMel
from inference.bundles import Serving
from inference.tensors import SAMPLE_RATE_HZ, Window

MIN_ENCODED_S = 0.32  # shorter windows are padded: `align` needs a few frames
LONG_S = 8.0  # windows from here on repeat themselves no more often for a smaller margin
STEP_RATIO = 1.25  # between one step and the next
GRAIN = SAMPLE_RATE_HZ * 8 // 100  # samples, 80 ms: a whole number of frames in any geometry


def ladder_s(longest_s: float) -> list[float]:
    """Lengths from MIN_ENCODED_S to the longest window, each STEP_RATIO of the last, s."""
    lengths = [longest_s]
    while lengths[-1] / STEP_RATIO > MIN_ENCODED_S:
        lengths.append(lengths[-1] / STEP_RATIO)
    return lengths[::-1]


class Padding:
    """How many samples a window of so many seconds becomes."""

    def __init__(self, serving: Serving, mel: LogMel) -> None:
        self._serving, self._longest_s = serving, serving.window_s
        self._steps_s = ladder_s(serving.window_s)
        self._samples = [_whole(step, mel) for step in self._steps_s]
        self.full = self._samples[-1]

    def samples(self, window: Window) -> int:
        """Of the shortest step that holds the audio and the margin."""
        margin_s = window.margin_s
        if margin_s is None:
            bears_less = window.draft or window.duration_s >= LONG_S
            margin_s = self._serving.min_margin_s if bears_less else self._serving.margin_s
        wanted_s = min(window.duration_s + margin_s, self._longest_s)
        return self._samples[bisect.bisect_left(self._steps_s, wanted_s - 1e-6)]

    def step_s(self, audio_s: float) -> float:
        """The shortest step that holds the audio alone: what its length cap is reckoned from."""
        return self._steps_s[bisect.bisect_left(self._steps_s, audio_s - 1e-6)]


def _whole(step_s: float, mel: LogMel) -> int:
    samples = math.ceil(step_s * SAMPLE_RATE_HZ / GRAIN) * GRAIN
    # CTranslate2 takes encoder output of as many frames as there are mel bands for raw features.
    if samples // mel.hop_length // 2 == mel.feature_size:
        samples += GRAIN
    return samples
