"""Cross-talk between the legs of a stereo call: one leg's voice, faint, on the other.

A frame is crosstalk if the other leg is much louder and sounds the same within the delay of an
echo: it is silenced before anybody listens, so that nobody is said to have said what the other
side said. A leg that is as loud and the same is a copy; the first of the two is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from appliance.audio.vad import FRAME
from inference.tensors import SAMPLE_RATE_HZ, Audio

LONGEST_DELAY = int(0.06 * SAMPLE_RATE_HZ)  # samples by which an echo comes later
LOUDER_DB = 12.0  # the other leg, for a frame to be crosstalk
ALIKE = 0.6  # correlation from which a frame is the other leg's
SAME_DB, SAME = 1.5, 0.98  # level and correlation of a copy
FLOOR = 1e-3  # RMS below which nothing is heard, -60 dBFS
COPIED_SHARE, COPIED_FRAMES = 0.8, 100  # of what is heard: from then on a leg is called a copy


class Crosstalk:
    """Of one call with two legs. Audio comes out in whole frames; `rest` gives what is left."""

    def __init__(self) -> None:
        self._waiting = [np.zeros(0, np.float32)] * 2  # less than a frame
        self._before = [np.zeros(LONGEST_DELAY, np.float32)] * 2  # what came last, as it came
        self._heard = self._copied = 0  # frames

    @property
    def copied(self) -> bool:
        """Whether both legs are one recording twice."""
        enough = self._copied >= COPIED_FRAMES
        return enough and self._copied >= COPIED_SHARE * self._heard

    def clean(self, legs: Sequence[Audio]) -> list[Audio]:
        """Samples of both legs, as many of each -> as many whole frames as there are now."""
        joined = [np.concatenate(pair) for pair in zip(self._waiting, legs, strict=True)]
        whole = len(joined[0]) // FRAME * FRAME
        self._waiting = [leg[whole:] for leg in joined]
        return self._silenced([leg[:whole] for leg in joined])

    def rest(self) -> list[Audio]:
        """What is shorter than a frame, at the end."""
        waiting, self._waiting = self._waiting, [np.zeros(0, np.float32)] * 2
        return waiting

    def _silenced(self, legs: list[Audio]) -> list[Audio]:
        known = [np.concatenate(pair) for pair in zip(self._before, legs, strict=True)]
        cleaned = [leg.copy() for leg in legs]
        for at in range(0, len(legs[0]), FRAME):
            frame = slice(at, at + FRAME)
            quiet = self._is_crosstalk([leg[at : at + LONGEST_DELAY + FRAME] for leg in known])
            if quiet is not None:
                cleaned[quiet][frame] = 0.0
        self._before = [leg[-LONGEST_DELAY:] for leg in known]
        return cleaned

    def _is_crosstalk(self, legs: list[Audio]) -> int | None:
        """Which leg only repeats the other; `legs` are a frame and what came before it."""
        level = [_rms(leg[LONGEST_DELAY:]) for leg in legs]
        recent = [_rms(leg) for leg in legs]
        if max(level) < FLOOR:
            return None
        self._heard += 1
        if min(level) < FLOOR:
            return None
        quiet = int(level[1] <= level[0])
        apart_db = 20 * np.log10(max(recent[1 - quiet], level[1 - quiet]) / level[quiet])
        if abs(20 * np.log10(level[0] / level[1])) < SAME_DB:
            if likeness(legs[1], legs[0][LONGEST_DELAY:]) < SAME:
                return None
            self._copied += 1
            return 1
        if apart_db < LOUDER_DB or likeness(legs[1 - quiet], legs[quiet][LONGEST_DELAY:]) < ALIKE:
            return None
        return quiet


def likeness(loud: Audio, quiet: Audio) -> float:
    """The highest correlation, 0..1, of `quiet` [n] with any stretch of `loud` [m >= n]."""
    size = 1 << (len(loud) + len(quiet)).bit_length()
    product = np.fft.rfft(loud, size) * np.conj(np.fft.rfft(quiet, size))
    places = len(loud) - len(quiet) + 1
    dots = np.fft.irfft(product, size)[:places]
    sums = np.concatenate([[0.0], np.cumsum(loud.astype(np.float64) ** 2)])
    energy = sums[len(quiet) :] - sums[: -len(quiet)]
    norms = np.sqrt(np.maximum(energy, 1e-12) * float(np.sum(quiet.astype(np.float64) ** 2)))
    return float(np.max(np.abs(dots) / np.maximum(norms, 1e-9)))


def _rms(audio: Audio) -> float:
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))
