"""Fakes at the protocol edge. They pass the same contract suite as the real engines."""

from __future__ import annotations

import asyncio

import numpy as np

from appliance.errors import EngineTimeout, EngineUnavailable, InvalidRequest, Overloaded
from appliance.messages import Health
from inference.tensors import Hypothesis, ModelCard, Priority, Window, Word

SILENCE_RMS = 1e-3
TEXT = "您好我要反映一个问题"


class FakeEngine:
    """Answers a text that depends on the audio alone: one character of TEXT per 200 ms of sound.

    `delay_s` slows every answer, `gone` makes it fail, `queue` bounds what may wait.
    """

    def __init__(self, name: str = "fake", *, delay_s: float = 0.0, queue: int = 64) -> None:
        self.name = name
        self.delay_s = delay_s
        self.queue = queue
        self.gone = False
        self.waiting = 0
        self.failed = 0  # windows that met it gone
        self.listened: list[tuple[Window, Priority]] = []

    async def start(self) -> None:
        if self.gone:
            raise EngineUnavailable("start the fake engine", "it is gone")

    async def listen(self, window: Window, priority: Priority, timeout_s: float) -> Hypothesis:
        if not np.isfinite(window.audio).all():
            raise InvalidRequest("listen", "the audio holds NaN or infinity")
        if self.waiting >= self.queue:
            raise Overloaded("listen", "the queue is full")
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(self.delay_s)
        except TimeoutError as error:
            raise EngineTimeout("listen", f"no answer in {timeout_s} s") from error
        finally:
            self.waiting -= 1
        if self.gone:
            self.failed += 1
            raise EngineUnavailable("listen", "it is gone")
        self.listened.append((window, priority))
        return self._hear(window)

    def _hear(self, window: Window) -> Hypothesis:
        silent = len(window.audio) == 0 or float(np.sqrt(np.mean(window.audio**2))) < SILENCE_RMS
        count = 0 if silent else max(1, int(window.duration_s / 0.2))
        text = (TEXT * (count // len(TEXT) + 1))[:count]
        words = tuple(Word(c, i * 200, (i + 1) * 200, 0.9) for i, c in enumerate(text))
        return Hypothesis(
            text, window.language or "zh", words, confidence=0.9, model="fake 0", demo=True
        )

    def card(self) -> ModelCard:
        return ModelCard("fake", "0", "Apache-2.0", True, ("zh",), ("transcribe",), 30.0)

    def health(self) -> Health:
        return Health(not self.gone, "gone" if self.gone else "")

    async def close(self) -> None:
        pass
