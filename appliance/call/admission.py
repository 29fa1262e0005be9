"""How many calls the box takes on at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from appliance.errors import NoEngine, Overloaded
from appliance.metrics import Metrics
from appliance.sections import Limits

RETRY_LIVE_S = 2.0  # when a refused live call may try again
RETRY_RECORDING_S = 10.0
DRAINING = "the box is shutting down or being upgraded"


class Admission:
    """Counts what is running; refuses what would make the rest suffer."""

    def __init__(
        self,
        limits: Limits,
        metrics: Metrics,
        measured: Callable[[], int],
        why_none: Callable[[], str] = lambda: "no engine answers",
    ) -> None:
        """
        Args:
            limits: as set.
            metrics: of the box.
            measured: how many live legs the engine in use carries.
            why_none: the reason if that is none.
        """
        self._limits, self._metrics, self._measured = limits, metrics, measured
        self._why_none = why_none
        self.draining = False
        self.calls = 0
        self.live_legs = 0
        self._recordings = asyncio.Semaphore(limits.recordings)
        self._waiting = 0
        metrics.live_legs.set_function(lambda: self.live_legs)
        metrics.live_legs_capacity.set_function(lambda: self.capacity)

    @property
    def capacity(self) -> int:
        """Live legs that can be served now."""
        if self._limits.live_legs:
            return self._limits.live_legs
        return self._measured()

    def open(self, door: str) -> None:
        """A call is opened; it costs little until it talks."""
        if self.draining:
            self._refuse(door, "draining", DRAINING, RETRY_RECORDING_S)
        if self.calls >= self._limits.idle_streams:
            self._refuse(door, "streams", f"{self.calls} calls are open", RETRY_LIVE_S)
        self.calls += 1

    def close(self, live_legs: int) -> None:
        self.calls -= 1
        self.live_legs -= live_legs

    def talk(self, door: str, legs: int) -> None:
        """A live call's first audio has come.

        Raises Overloaded, or NoEngine while nothing could answer.
        """
        capacity = self.capacity
        if not capacity:
            self._metrics.calls_refused_total.labels(door, "engine").inc()
            raise NoEngine("open a call", self._why_none(), "try again shortly")
        if self.live_legs + legs > capacity:
            self._refuse(
                door, "capacity", f"{self.live_legs} of {capacity} live legs are busy", RETRY_LIVE_S
            )
        self.live_legs += legs

    @contextlib.asynccontextmanager
    async def recording(self, door: str) -> AsyncIterator[None]:
        """A place among the recordings; waits for one while not too many wait."""
        if self._recordings.locked() and self._waiting >= self._limits.recordings_waiting:
            self._refuse(
                door, "recordings", f"{self._waiting} recordings are waiting", RETRY_RECORDING_S
            )
        self._waiting += 1
        try:
            await self._recordings.acquire()
        finally:
            self._waiting -= 1
        self._metrics.recordings_running.inc()
        try:
            yield
        finally:
            self._metrics.recordings_running.dec()
            self._recordings.release()

    def _refuse(self, door: str, reason: str, cause: str, retry_after_s: float) -> None:
        self._metrics.calls_refused_total.labels(door, reason).inc()
        raise Overloaded(
            "open a call", cause, f"try again in {retry_after_s:.0f} s", retry_after_s=retry_after_s
        )
