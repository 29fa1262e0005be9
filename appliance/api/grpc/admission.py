"""How many requests the door holds open, and the order in which it lets go of them on a stop.

The call room decides what is recognised; this bounds what has not got that far, such as
streams that never send their configuration or uploads that are still arriving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol, TypeVar

from appliance.api.grpc.errors import DOOR, overloaded
from appliance.call.conversation import stopping
from appliance.call.shares import ShareOwner, Shares
from appliance.metrics import Metrics
from appliance.settings.calls import LimitsSettings

T = TypeVar("T")
STREAMING, RECOGNIZE = "StreamingRecognize", "Recognize"  # metric labels, too


class Drainable(Protocol):
    """A running stream, as the drain sees it."""

    def drain(self) -> None:
        """End at the next pause of the speakers."""

    def cut(self) -> None:
        """Take no more audio; finish what was heard."""


class RpcAdmission:
    """Counts what runs; after `drain` nothing new is let in."""

    def __init__(self, limits: LimitsSettings, metrics: Metrics) -> None:
        self._most = {
            STREAMING: limits.idle_streams,
            RECOGNIZE: limits.recordings + limits.recordings_waiting,
        }
        self._metrics = metrics
        # A crowd that is being refused holds places meanwhile: it must not hold another's.
        self._running = {method: Shares(1, limits.weights) for method in self._most}
        self._streams: set[Drainable] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._stopping = asyncio.Event()
        self.draining = False

    @contextmanager
    def admit(self, method: str, owner: ShareOwner, box_draining: bool) -> Iterator[None]:
        """Hold one place, of the owner's share; raises Draining or Overloaded."""
        if self.draining or box_draining:
            self._metrics.calls_refused_total.labels(DOOR, "draining").inc()
            raise stopping()

        def refuse() -> NoReturn:
            self._metrics.calls_refused_total.labels(DOOR, "requests").inc()
            raise overloaded("requests of this kind", running.held)

        running = self._running[method]
        try:
            with running.holding(owner, self._most[method], refuse):
                self._empty.clear()
                yield
        finally:
            if not any(each.held for each in self._running.values()):
                self._empty.set()

    @contextmanager
    def stream(self, stream: Drainable) -> Iterator[None]:
        """Make a running stream known to the drain."""
        self._streams.add(stream)
        try:
            if self.draining:
                stream.drain()
            yield
        finally:
            self._streams.discard(stream)

    async def unless_stopping(self, reading: Coroutine[Any, Any, T]) -> T:
        """What is read; raises Draining if the door stops before it comes."""
        tasks = asyncio.ensure_future(reading), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not tasks[0].done():
                raise stopping()
            return tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()

    async def drain(self, grace_s: float, settle_s: float) -> None:
        """Let nothing in; let speakers finish for `grace_s`, then what was heard for `settle_s`."""
        self.draining = True
        self._stopping.set()
        for stream in tuple(self._streams):
            stream.drain()
        if await self._emptied(grace_s):
            return
        for stream in tuple(self._streams):
            stream.cut()
        await self._emptied(settle_s)

    async def _emptied(self, within_s: float) -> bool:
        try:
            await asyncio.wait_for(self._empty.wait(), within_s)
        except TimeoutError:
            return False
        return True
