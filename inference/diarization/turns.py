"""Windows put together again: how many speak at each moment, and who."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.tensors import Turn

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Frames:
    """The grid of a segmentation model: frame i is centred at `centre_s` + i `step_s`."""

    step_s: float
    centre_s: float


def merge(
    active: npt.NDArray[np.float32], speakers: Labels, frames: Frames, hop_s: float, most: int
) -> npt.NDArray[np.bool_]:
    """[frames of the recording, speakers]: the most active speakers, as many as are counted.

    Args:
        active: [windows, frames, voices], 0 or 1.
        speakers: [windows, voices].
        frames: grid of the model.
        hop_s: between the starts of two windows.
        most: speakers that can speak at once.
    """
    windows, length, _ = active.shape
    starts = np.rint(np.arange(windows) * hop_s / frames.step_s).astype(int)
    total, count = starts[-1] + length, int(speakers.max()) + 1
    activity = np.zeros((total, count), np.float32)
    spoken, seen = np.zeros(total, np.float32), np.zeros(total, np.float32)
    for window, start in enumerate(starts):
        span = slice(start, start + length)
        spoken[span] += active[window].sum(axis=1)
        seen[span] += 1
        for speaker in np.unique(speakers[window]):
            own = active[window][:, speakers[window] == speaker]
            activity[span, speaker] += own.max(axis=1)
    together = np.minimum(np.rint(spoken / np.maximum(seen, 1)), min(most, count))
    rank = np.argsort(np.argsort(-activity, axis=1, kind="stable"), axis=1, kind="stable")
    chosen: npt.NDArray[np.bool_] = rank < together[:, None]
    return chosen


def to_turns(chosen: npt.NDArray[np.bool_], frames: Frames, length_s: float) -> list[Turn]:
    """Turns by start; speakers renumbered in the order of their first words."""
    found = list[tuple[float, float, int]]()
    for speaker in range(chosen.shape[1]):
        edges = np.flatnonzero(np.diff(np.pad(chosen[:, speaker].astype(np.int8), 1)))
        for first, after in edges.reshape(-1, 2):
            start_s = float(frames.centre_s + first * frames.step_s)
            end_s = float(min(frames.centre_s + after * frames.step_s, length_s))
            if end_s > start_s:
                found.append((start_s, end_s, speaker))
    found.sort()
    order: dict[int, int] = {}
    for _, _, speaker in found:
        order.setdefault(speaker, len(order))
    return [Turn(start, end, order[speaker]) for start, end, speaker in found]
