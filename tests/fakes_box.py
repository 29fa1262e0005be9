"""A call room without ears: what it says depends on the amount of audio alone.

Per leg: a partial after every PARTIAL_MS of audio, a final after every FINAL_MS and at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from appliance.call.admission import Admission
from appliance.errors import InvalidAudio, Overloaded
from appliance.health import Health
from appliance.messages import (
    AudioProgress,
    CallConfig,
    Encoding,
    Event,
    Final,
    Lasting,
    NumberedEvent,
    Partial,
    SpokenWord,
    Transcript,
)
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import ModelCard
from tests.fakes import TEXT

PARTIAL_MS, FINAL_MS = 200, 1000
EVENTS_WAITING = 8
CARD = ModelCard("asr-demo", "1", "Apache-2.0", ("zh", "en"), ("transcribe",), 30.0, demo=True)
END = None
BAD_AUDIO = {
    b"garbage": InvalidAudio("decode audio", "these bytes are not audio"),
    b"fLaC": InvalidAudio("read audio", "Error: config format doesn't match with header format"),
    b"crash": ZeroDivisionError("secret of the inside"),
}


class FakeCall:
    """Bytes in, events out; `gate` holds everything back while it is cleared."""

    def __init__(self, config: CallConfig, gate: asyncio.Event) -> None:
        self.config, self.gate = config, gate
        self.accepted = 0  # bytes
        self.forced = 0
        self.finished = self.failed = self.closed = self.broken_off = False
        self.finals: list[Final] = []
        self._rate, self._channels = config.audio.rate_hz, config.audio.channels
        self._width = 1 if config.audio.encoding in (Encoding.ALAW, Encoding.MULAW) else 2
        self._ms = 0.0
        self._told_ms = 0
        self._utterance = 0
        self._start_ms = 0
        self._events: asyncio.Queue[Event | Exception | None] = asyncio.Queue(EVENTS_WAITING)

    @property
    def legs(self) -> int:
        return (self._channels or 1) if self.config.separate_legs else 1

    async def accept(self, data: bytes) -> None:
        await self.gate.wait()
        if self.accepted == 0 and data[:4] == b"RIFF":
            self._channels = int.from_bytes(data[22:24], "little")
            self._rate = int.from_bytes(data[24:28], "little")
            data = data[44:]
        for magic, error in BAD_AUDIO.items():
            if data.startswith(magic):
                await self.fail(error)
                raise error
        self.accepted += len(data)
        self._ms += (
            len(data) * 1000 / (self._width * (self._rate or 16_000) * (self._channels or 1))
        )
        while self._told_ms + PARTIAL_MS <= self._ms:
            self._told_ms += PARTIAL_MS
            await (self._final() if self._told_ms % FINAL_MS == 0 else self._partial())
        await self._events.put(AudioProgress(int(self._ms)))

    async def _partial(self) -> None:
        if not self.config.interim:
            return
        text = self._text()
        for leg in range(self.legs):
            partial = Partial(leg, self._utterance, text, text[:-1], self._start_ms, self._told_ms)
            await self._events.put(partial)

    async def _final(self) -> None:
        text = self._text()
        if not text:
            return
        words = tuple(
            SpokenWord(c, self._start_ms + i * 200, self._start_ms + i * 200 + 200, 0.9)
            for i, c in enumerate(text if self.config.word_times else "")
        )
        for leg in range(self.legs):
            final = Final(
                leg, self._utterance, text, words, self._start_ms, self._told_ms, 0.9,
                0.0, 0.0, self.config.language or "zh", "fake", "asr-demo 1", True,
            )  # fmt: skip
            self.finals.append(final)
            await self._events.put(final)
        self._utterance += 1
        self._start_ms = self._told_ms

    def _text(self) -> str:
        return TEXT[: (self._told_ms - self._start_ms) // PARTIAL_MS]

    async def force_endpoint(self) -> None:
        self.forced += 1
        await self._final()

    async def finish(self) -> None:
        if self.finished:
            return
        if not self.accepted:
            error = InvalidAudio("decode audio", "empty audio", "send some")
            await self.fail(error)
            raise error
        await self._final()
        self.finished = True
        await self._events.put(END)

    async def told(self) -> AsyncIterator[NumberedEvent]:
        sequence = 0
        while (event := await self._events.get()) is not END:
            if isinstance(event, Exception):
                raise event
            sequence += isinstance(event, Lasting)
            yield NumberedEvent(sequence, event)

    def break_off(self) -> None:
        self.broken_off = True

    async def fail(self, error: Exception) -> None:
        """As when every engine has gone: the reader learns it after what is queued already."""
        if not self.failed:
            self.failed = True
            await self._events.put(error)

    def transcript(self) -> Transcript:
        return Transcript(
            tuple(self.finals), int(self._ms), self.legs, "zh", "asr-demo 1", demo=True
        )


class FakeBox:
    """A box whose state a test sets by hand."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.metrics = Metrics()
        self.admission = Admission(self.settings.limits, self.metrics, lambda: 64)
        self.draining = False
        self.full = False
        self.engine = Health(ok=True)
        self.cards = (CARD, replace(CARD, name="asr-large", demo=False))
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[FakeCall] = []

    @asynccontextmanager
    async def open_call(self, config: CallConfig, _: object = None) -> AsyncIterator[FakeCall]:
        if self.full:
            raise Overloaded("open a call", "every leg is taken", retry_after_s=2.5)
        call = FakeCall(config, self.gate)
        self.calls.append(call)
        try:
            yield call
        finally:
            call.closed = True

    async def drain(self) -> None:
        """The end of a drain: what runs is finished from outside."""
        self.draining = True
        await asyncio.gather(*(call.finish() for call in self.calls), return_exceptions=True)

    def models(self) -> tuple[ModelCard, ...]:
        return self.cards

    def health(self) -> dict[str, Health]:
        return {"engine": self.engine}
