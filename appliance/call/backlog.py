"""What was said, sealed on the disk until it is known who said it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import numpy as np

from appliance.call.track import Excerpt
from appliance.errors import Overloaded
from appliance.messages import Final
from appliance.security.scratch import Scratch

log = logging.getLogger(__name__)

SCALE = 32767  # of 16 bits


class Backlog:
    """Finals of a recording with their sound: first all are added, then they are read, once."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._held: list[tuple[Final, int, int]] = []  # with start_ms and bytes of the sound
        self._turn = asyncio.Lock()
        self._full = False

    @classmethod
    def opened(cls) -> Backlog | None:
        """None if the disk is full."""
        try:
            return cls()
        except Overloaded as error:
            log.warning("a recording goes on without moods: %s", error)
            return None

    async def add(self, final: Final, clip: Excerpt) -> None:
        """Once the disk is full nothing more is held: those finals go without a mood."""
        pcm = (np.clip(clip.audio, -1, 1) * SCALE).astype("<i2").tobytes()
        async with self._turn:
            if self._full:
                return
            try:
                await asyncio.to_thread(self._scratch.write, pcm)
            except Overloaded as error:
                log.warning("the rest of a recording goes without moods: %s", error)
                self._full = True
            else:
                self._held.append((final, clip.start_ms, len(pcm)))

    async def read(self) -> AsyncIterator[tuple[Final, Excerpt]]:
        for final, start_ms, size in self._held:
            pcm = await asyncio.to_thread(self._scratch.read, size)
            audio = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(SCALE)
            yield final, Excerpt(audio, start_ms)

    def close(self) -> None:
        self._scratch.close()
