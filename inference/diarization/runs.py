"""A window's voices taken apart where they pause.

Segmentation takes two people on a telephone for one voice now and then, mostly across a pause. Each
stretch of speech that is long enough for a voiceprint is therefore a voice of its own, and the
clustering says whose it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Active = npt.NDArray[np.bool_]  # [windows, frames, voices]
Run = tuple[int, int]  # first frame, and the one after the last

PAUSE_S = 0.2  # a shorter one is within a stretch
LEAST_S = 1.0  # of a stretch by itself; a shorter one goes with the nearest of its voice


def by_run(active: Active, step_s: float) -> Active:
    """[windows, frames, runs], as many as the window with most of them has."""
    apart = [_taken_apart(window, step_s) for window in active]
    most = max(len(runs) for runs in apart)
    wide = np.zeros((*active.shape[:2], max(1, most)), np.bool_)
    for row, runs in zip(wide, apart, strict=True):
        for column, frames in enumerate(runs):
            row[:, column] = frames
    return wide


def _taken_apart(window: npt.NDArray[np.bool_], step_s: float) -> list[npt.NDArray[np.bool_]]:
    return [frames for voice in window.T for frames in _apart(voice, step_s)]


def _apart(voice: npt.NDArray[np.bool_], step_s: float) -> list[npt.NDArray[np.bool_]]:
    """One voice's frames, dealt out to its long runs; all together if it has none."""
    runs = _runs(voice, round(PAUSE_S / step_s))
    long = [run for run in runs if (run[1] - run[0]) * step_s >= LEAST_S]
    if not long:
        return [voice] if runs else []
    apart = [np.zeros_like(voice) for _ in long]
    for run in runs:
        home = min(range(len(long)), key=lambda i: _between(run, long[i]))
        apart[home][slice(*run)] = voice[slice(*run)]
    return apart


def _runs(voice: npt.NDArray[np.bool_], pause: int) -> list[Run]:
    edges = np.flatnonzero(np.diff(np.pad(voice.astype(np.int8), 1))).reshape(-1, 2)
    runs: list[Run] = []
    for begin, end in edges.tolist():
        if runs and begin - runs[-1][1] <= pause:
            begin = runs.pop()[0]
        runs.append((begin, end))
    return runs


def _between(one: Run, other: Run) -> int:
    """Frames between two runs; 0 if they touch."""
    return max(other[0] - one[1], one[0] - other[1], 0)
