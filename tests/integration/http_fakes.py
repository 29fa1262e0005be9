"""A box that answers at once, for tests of the HTTP door alone.

What it hears is scripted; what it was asked, and whether it was cancelled, can be looked at.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from appliance.api.http.server import HttpServer
from appliance.call.admission import Admission
from appliance.errors import InvalidAudio
from appliance.health import Health
from appliance.messages import (
    AudioProgress,
    CallConfig,
    Final,
    NumberedEvent,
    SpokenWord,
    Transcript,
)
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import ModelCard

CARD = ModelCard("asr-demo", "1", "Apache-2.0", ("zh",), ("transcribe",), 12.0, demo=True)
BAD = b"this is no audio"


def final(text: str, start_ms: int, end_ms: int, leg: int = 0, utterance: int = 0) -> Final:
    step = (end_ms - start_ms) // max(1, len(text))
    words = tuple(
        SpokenWord(c, start_ms + i * step, start_ms + (i + 1) * step, 0.5)
        for i, c in enumerate(text)
    )
    return Final(
        leg,
        utterance,
        text,
        words,
        start_ms,
        end_ms,
        confidence=0.8,
        no_speech=0.1,
        temperature=0.4,
        language="zh",
        engine="cpu",
        model="asr-demo 1",
        demo=True,
    )


CALL = (final("您好", 0, 1_000), final("我要反映一个问题。", 1_200, 4_000, leg=1))


class FakeHttpCall:
    def __init__(self, box: FakeHttpBox, config: CallConfig) -> None:
        self._box, self._config = box, config
        self._finished = asyncio.Event()
        self._heard = asyncio.Event()
        self._failed: Exception | None = None

    async def accept(self, data: bytes) -> None:
        self._box.take(data)
        self._heard.set()

    async def finish(self) -> None:
        self._heard.set()
        self._finished.set()

    async def fail(self, error: Exception) -> None:
        self._failed = error
        await self.finish()

    async def told(self) -> AsyncIterator[NumberedEvent]:
        await self._heard.wait()
        if not self._failed:
            yield NumberedEvent(0, AudioProgress(100))
        for index, event in enumerate(self._box.finals):
            await asyncio.sleep(self._box.delay_s)
            if self._box.fails_after == index and self._box.error:
                raise self._box.error
            if self._failed:
                raise self._failed
            yield NumberedEvent(index + 1, event)
        await self._finished.wait()
        if self._failed:
            raise self._failed

    def transcript(self) -> Transcript:
        return self._box.transcript(self._config)


class FakeHttpBox:
    """Of the shape of call.box.Box."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.metrics = Metrics()
        self.admission = Admission(self.settings.limits, self.metrics, lambda: 64)
        self.cards: tuple[ModelCard, ...] = (CARD,)
        self.parts = {"engine": Health(True), "triton": Health(False, "not started")}
        self.draining = False
        self.finals: tuple[Final, ...] = CALL
        self.legs = 2
        self.error: Exception | None = None
        self.fails_after: int | None = None  # finals of a stream before `error`; None: at once
        self.delay_s = 0.0
        self.configs: list[CallConfig] = []
        self.received = 0  # bytes
        self.running = 0
        self.cancelled = 0

    def open_call(self, config: CallConfig, _: object = None) -> Any:
        return self._open(config)

    @asynccontextmanager
    async def _open(self, config: CallConfig) -> AsyncIterator[FakeHttpCall]:
        with self._work(config):
            yield FakeHttpCall(self, config)

    def models(self) -> tuple[ModelCard, ...]:
        return self.cards

    def health(self) -> dict[str, Health]:
        return dict(self.parts)

    def take(self, data: bytes) -> None:
        if data.startswith(BAD):
            raise InvalidAudio("read the header", "these bytes are no audio", "send WAV")
        self.received += len(data)

    def transcript(self, config: CallConfig) -> Transcript:
        return Transcript(self.finals, 5_000, self.legs, "zh", "asr-demo 1", demo=True)

    def _work(self, config: CallConfig) -> _Work:
        self.configs.append(config)
        if self.error and self.fails_after is None:
            raise self.error
        return _Work(self)


class _Work:
    def __init__(self, box: FakeHttpBox) -> None:
        self._box = box

    def __enter__(self) -> None:
        self._box.running += 1

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._box.running -= 1
        if kind is not None and not issubclass(kind, Exception):
            self._box.cancelled += 1


class Served:
    """A box and its door in a loop of their own, so that the blocking client can be used."""

    def __init__(self) -> None:
        self.box = FakeHttpBox(http={"port": 0, "max_upload_mib": 1})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._door = HttpServer(self.box)
        self.port = asyncio.run_coroutine_threadsafe(self._door.start(), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._door.stop(0), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
