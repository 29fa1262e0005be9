"""Recordings cut to where somebody speaks."""

from __future__ import annotations

import numpy as np

from appliance.audio.vad import FRAME, Vad, VadState
from inference.tensors import SAMPLE_RATE_HZ, Audio

SPEECH = 0.5  # probability of a frame
KEPT_S = 0.25  # of what lies around speech


async def trimmed(audio: Audio, vad: Vad) -> Audio:
    """From a moment before the first word to a moment after the last; empty if nobody speaks.

    Args:
        audio: [n], 16 kHz.
    """
    frames = -(-len(audio) // FRAME)
    if not frames:
        return audio
    padded = np.zeros(frames * FRAME, np.float32)
    padded[: len(audio)] = audio
    heard, _ = await vad.judge(padded, VadState.fresh())
    spoken = np.flatnonzero(heard >= SPEECH)
    if not len(spoken):
        return audio[:0]
    around = int(KEPT_S * SAMPLE_RATE_HZ)
    begin = max(0, int(spoken[0]) * FRAME - around)
    return audio[begin : (int(spoken[-1]) + 1) * FRAME + around]
