"""Keys pressed on a telephone, by their sound: DTMF, ITU-T Q.23.

Speech detection takes a row of them for an utterance. Each key is one of four low tones and one of
four high ones; hardly any other sound is nothing but such a pair. Of 666 half seconds of 26 people,
by telephone, none had a single frame of it; of rows of keys three quarters of the frames and more.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from inference.tensors import SAMPLE_RATE_HZ, Audio

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)  # Hz
FRAME, HOP = 640, 320  # samples: 40 ms, which tells neighbours apart
LEAST_SHARE = 0.7  # of a frame's energy that the pair has
TWIST = 10.0  # that one of the two may be stronger, in energy
LOUD, AUDIBLE = 0.05, 0.0003  # of the strongest frame's energy; softer ones are gaps
PRESSED = 0.5  # share of the loud frames that are keys
OTHER = 8  # audible frames in a row that are none, from which on somebody may be speaking

_WINDOW = np.hanning(FRAME)
_TONES = np.exp(-2j * np.pi / SAMPLE_RATE_HZ * np.outer(np.arange(FRAME), LOW + HIGH))
_SCALE = 2 * (_WINDOW**2).sum() / _WINDOW.sum() ** 2  # a tone's peak to its energy


def is_keys(audio: Audio) -> bool:
    """Whether samples [n] at 16 kHz are keys and nothing else."""
    if len(audio) < FRAME:
        return False
    frames = np.lib.stride_tricks.sliding_window_view(audio, FRAME)[::HOP] * _WINDOW
    energy = (frames**2).sum(axis=1)
    if not energy.any():
        return False
    tones = _SCALE * np.abs(frames @ _TONES) ** 2
    low, high = tones[:, : len(LOW)].max(axis=1), tones[:, len(LOW) :].max(axis=1)
    paired = (low < TWIST * high) & (high < TWIST * low) & (low + high > LEAST_SHARE * energy)
    other = ~paired & (energy > AUDIBLE * energy.max())
    longest = max((len(list(run)) for told, run in groupby(other) if told), default=0)
    return bool(longest < OTHER and np.mean(paired[energy > LOUD * energy.max()]) > PRESSED)
