"""The audio of one leg that may still be wanted, addressed by sample from the start of the call."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from inference.tensors import SAMPLE_RATE_HZ, Audio


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a leg: 16 kHz samples [n] from `start_ms` of the call on."""

    audio: Audio
    start_ms: int

    def cut(self, start_ms: int, end_ms: int) -> Audio:
        """What of it lies between two moments of the call."""
        begin, end = (
            max(0, at - self.start_ms) * SAMPLE_RATE_HZ // 1000 for at in (start_ms, end_ms)
        )
        return self.audio[begin:end]


class Track:
    """Append at the end, read any stretch, forget the beginning."""

    def __init__(self) -> None:
        self._pieces: deque[Audio] = deque()
        self.begin = 0  # first sample still held
        self.end = 0  # samples ever appended

    def append(self, audio: Audio) -> None:
        self._pieces.append(audio)
        self.end += len(audio)

    def read(self, begin: int, end: int) -> Audio:
        """Samples [begin, end) as one array; raises ValueError if some are forgotten."""
        if begin < self.begin:
            raise ValueError(f"sample {begin} is forgotten, {self.begin} is the first held")
        wanted, at = [], self.begin
        for piece in self._pieces:
            if at + len(piece) > begin and at < end:
                wanted.append(piece[max(0, begin - at) : end - at])
            at += len(piece)
        return np.concatenate(wanted) if wanted else np.zeros(0, np.float32)

    def forget(self, before: int) -> None:
        """Let go of whole pieces that end before this sample."""
        while self._pieces and self.begin + len(self._pieces[0]) <= before:
            self.begin += len(self._pieces.popleft())
