"""Cross-talk between the legs of a stereo call: one leg's voice, faint, on the other.

A frame is crosstalk if the other leg is much louder and sounds the same within the delay of an
echo: it is silenced before anybody listens, so that nobody is said to have said what the other
side said. A leg that is as loud and the same is a copy; the first of the two is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from appliance.audio.vad import FRAME
from inference.tensors import SAMPLE_RATE_HZ, Audio

NEAR = int(0.06 * SAMPLE_RATE_HZ)  # samples by which the echo of a hand set comes later
LONGEST_DELAY = int(0.32 * SAMPLE_RATE_HZ)  # and that of a line
FAR_EVERY = 2  # frames; a late echo is looked for in so many at first
FAR_FOUND = 4  # frames that must tell of one delay before it is believed: voices are alike at times
FAR_WITHIN = int(0.008 * SAMPLE_RATE_HZ)  # samples by which it may waver
FAR_FORGOTTEN = 500  # frames looked at in vain
LOUDER_DB = 12.0  # the other leg, for a frame to be crosstalk
ALIKE = 0.6  # correlation from which a frame is the other leg's
SAME_DB, SAME = 1.5, 0.98  # level and correlation of a copy
DILUTED_DB = 6.0  # by which a voice is fainter over a stretch that it does not fill
FLOOR = 1e-3  # RMS below which nothing is heard, -60 dBFS
COPIED_SHARE, COPIED_FRAMES = 0.8, 100  # of what is heard: from then on a leg is called a copy


class Crosstalk:
    """Of one call with two legs. Audio comes out in whole frames; `rest` gives what is left."""

    def __init__(self) -> None:
        self._waiting = [np.zeros(0, np.float32)] * 2  # less than a frame
        self._before = [np.zeros(LONGEST_DELAY, np.float32)] * 2  # what came last, as it came
        self._late = (LateEcho(), LateEcho())  # on each leg, of the other
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
        near = [leg[LONGEST_DELAY - NEAR :] for leg in legs]
        level = [_rms(leg[NEAR:]) for leg in near]
        recent = [_rms(leg) for leg in near]
        if max(level) < FLOOR:
            return None
        self._heard += 1
        if min(level) < FLOOR:
            return None
        quiet = int(level[1] <= level[0])
        apart_db = 20 * np.log10(max(recent[1 - quiet], level[1 - quiet]) / level[quiet])
        if abs(20 * np.log10(level[0] / level[1])) < SAME_DB:
            if likeness(near[1], near[0][NEAR:]) < SAME:
                return None
            self._copied += 1
            return 1
        if apart_db >= LOUDER_DB and likeness(near[1 - quiet], near[quiet][NEAR:]) >= ALIKE:
            return quiet
        for leg in (0, 1):  # the other may be silent again by now
            frame = legs[leg][LONGEST_DELAY:]
            if level[leg] >= FLOOR and self._late[leg].is_in(legs[1 - leg], frame):
                return leg
        return None


class LateEcho:
    """One leg's echo on the other, a tenth of a second late and more: as late throughout a call."""

    def __init__(self) -> None:
        self._delay: int | None = None  # where it was found, samples into the loud leg's past
        self._told: Counter[int] = Counter()  # frames, by the delay that they tell of
        self._frames = 0

    def is_in(self, loud: Audio, quiet: Audio) -> bool:
        """Whether `quiet`, a frame, is an echo of `loud`, which ends with it and begins earlier."""
        if self._delay is None:
            self._frames += 1
            if self._frames % FAR_EVERY == 0:
                self._look(loud[: len(loud) - NEAR], quiet)
            return False
        first = max(0, self._delay - FAR_WITHIN)
        past = loud[first : self._delay + FAR_WITHIN + len(quiet)]
        return _is_fainter(quiet, past) and bool(likeness(past, quiet) >= ALIKE)

    def _look(self, past: Audio, quiet: Audio) -> None:
        if not _is_fainter(quiet, past):
            return
        alike, at = most_alike(past, quiet)
        if alike >= ALIKE:
            self._told[at // FAR_WITHIN] += 1
            if self._told[at // FAR_WITHIN] >= FAR_FOUND:
                self._delay = at
        if self._told.total() > FAR_FORGOTTEN:
            self._told.clear()


def _is_fainter(quiet: Audio, loud: Audio) -> bool:
    apart_db = 20 * np.log10(max(_rms(loud), 1e-9) / max(_rms(quiet), 1e-9))
    return bool(apart_db >= LOUDER_DB - DILUTED_DB)


def likeness(loud: Audio, quiet: Audio) -> float:
    """The highest correlation, 0..1, of `quiet` [n] with any stretch of `loud` [m >= n]."""
    return most_alike(loud, quiet)[0]


def most_alike(loud: Audio, quiet: Audio) -> tuple[float, int]:
    """The same, and where in `loud` it is."""
    size = 1 << (len(loud) + len(quiet)).bit_length()
    product = np.fft.rfft(loud, size) * np.conj(np.fft.rfft(quiet, size))
    places = len(loud) - len(quiet) + 1
    dots = np.fft.irfft(product, size)[:places]
    sums = np.concatenate([[0.0], np.cumsum(loud.astype(np.float64) ** 2)])
    energy = sums[len(quiet) :] - sums[: -len(quiet)]
    norms = np.sqrt(np.maximum(energy, 1e-12) * float(np.sum(quiet.astype(np.float64) ** 2)))
    alike = np.abs(dots) / np.maximum(norms, 1e-9)
    at = int(np.argmax(alike))
    return float(alike[at]), at


def _rms(audio: Audio) -> float:
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))
