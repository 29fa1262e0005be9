"""How loud speech is."""

from __future__ import annotations

import numpy as np

from inference.tensors import SAMPLE_RATE_HZ, Audio

FRAME = SAMPLE_RATE_HZ // 50  # 20 ms
GATE_DB = 20.0  # below the loudest frame is a pause


def loudness_db(audio: Audio) -> float | None:
    """RMS of what is no pause, in dBFS: a sine at full scale has -3.

    None: digital silence, or less than 20 ms.

    Args:
        audio: [n], 16 kHz, -1..1.
    """
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.mean(np.square(frames), axis=1)
    loudest = float(power.max(initial=0.0))
    if not loudest:
        return None
    spoken = power[power > loudest * 10 ** (-GATE_DB / 10)]
    return round(10 * float(np.log10(spoken.mean())), 1)
