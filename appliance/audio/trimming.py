"""Recordings cut to where somebody speaks, long ones at the pauses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from appliance.audio.vad import FRAME, Vad
from inference.tensors import SAMPLE_RATE_HZ, Audio

SPEECH = 0.5  # probability of a frame
KEPT_S = 0.25  # of what lies around speech
PAUSE_S = 0.2  # the shortest that is cut in

Spoken = npt.NDArray[np.bool_]  # [frames]


async def pieces(audio: Audio, vad: Vad, most_s: float) -> list[Audio]:
    """From a moment before the first word to a moment after the last, in pieces of at most so long
    where there are pauses to cut in; none if nobody speaks.

    Args:
        audio: [n], 16 kHz.
    """
    frames = -(-len(audio) // FRAME)
    if not frames:
        return []
    padded = np.zeros(frames * FRAME, np.float32)
    padded[: len(audio)] = audio
    heard, _ = await vad.judge(padded, None)
    spoken = np.asarray(heard >= SPEECH)
    most = int(most_s * SAMPLE_RATE_HZ / FRAME)
    around = int(KEPT_S * SAMPLE_RATE_HZ)
    return [
        audio[max(0, begin * FRAME - around) : end * FRAME + around]
        for begin, end in _cut(spoken, 0, frames, most)
    ]


def _cut(spoken: Spoken, begin: int, end: int, most: int) -> list[tuple[int, int]]:
    """Frames of each piece: halved in the longest pause as long as one is too long."""
    within = np.flatnonzero(spoken[begin:end]) + begin
    if not len(within):
        return []
    first, last = int(within[0]), int(within[-1]) + 1
    gaps = np.diff(within) - 1  # frames without speech behind each frame with
    longest = int(gaps.argmax()) if len(gaps) else 0
    if last - first <= most or not len(gaps) or gaps[longest] * FRAME < PAUSE_S * SAMPLE_RATE_HZ:
        return [(first, last)]
    middle = int(within[longest]) + 1 + int(gaps[longest]) // 2
    return [*_cut(spoken, first, middle, most), *_cut(spoken, middle, last, most)]
