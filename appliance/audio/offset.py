"""A constant on top of the sound, of a cheap converter: taken away, or soft speech drowns in it."""

from __future__ import annotations

import numpy as np

from inference.tensors import SAMPLE_RATE_HZ, Audio

LEAST = 5e-3  # of full scale; less does no harm
SETTLES_S = 0.5  # a change of it is followed within some of these


class Offset:
    """Of one leg, as far as it is known."""

    def __init__(self) -> None:
        self._known: float | None = None

    def off(self, audio: Audio) -> Audio:
        """`audio` [n] without it; the same array where there is none."""
        if not len(audio):
            return audio
        mean = float(np.mean(audio, dtype=np.float64))
        before = mean if self._known is None else self._known
        share = 1 - np.exp(-len(audio) / (SETTLES_S * SAMPLE_RATE_HZ))
        self._known = before + share * (mean - before)
        if max(abs(before), abs(self._known)) < LEAST:
            return audio
        ramp = np.linspace(before, self._known, len(audio), dtype=np.float32)
        return (audio - ramp).astype(np.float32)
