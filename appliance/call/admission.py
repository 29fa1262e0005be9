"""How many calls the box takes on at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from appliance.call.shares import ShareOwner, Shares
from appliance.engine.sizing import most_decoders
from appliance.errors import NoEngine, Overloaded
from appliance.messages import CallConfig
from appliance.metrics import Metrics
from appliance.settings.calls import LimitsSettings

RETRY_LIVE_S, RETRY_RECORDING_S = 2.0, 10.0  # before any has ended, nothing else is known
LONGEST_GAP_S, WEIGHT = 60.0, 0.2  # between two ends; of the newest gap
NONE_ANSWERS = ("no engine answers", "try again shortly")
LEAST_LEGS = 2  # however late: one stereo call
UPLOADING = "read the upload"
DRAINING = "the box is shutting down or being upgraded"


@dataclass(slots=True)
class Turnover:
    """How often one ends and makes room: when it is worth trying again."""

    gap_s: float  # between two ends, on average; at first a guess
    _last: float | None = field(default=None)  # monotonic s

    def ended(self) -> None:
        now = time.monotonic()
        if self._last is not None:
            gap_s = min(now - self._last, LONGEST_GAP_S)
            self.gap_s += WEIGHT * (gap_s - self.gap_s)
        self._last = now


class Admission:
    """Counts what is running; refuses what would make the rest suffer."""

    def __init__(
        self,
        limits: LimitsSettings,
        metrics: Metrics,
        measured: Callable[[], int],
        why_none: Callable[[], tuple[str, str]] = lambda: NONE_ANSWERS,
        late_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """
        Args:
            limits: as set.
            metrics: of the box.
            measured: how many live legs the engine in use carries.
            why_none: the reason if that is none, and what to do.
            late_s: how late finals come, though all else was given up; 0: they do not.
        """
        self._limits, self._metrics, self._measured = limits, metrics, measured
        self._why_none, self._late_s = why_none, late_s
        self.draining = False
        self._streams = Shares(1, limits.weights)
        self._legs = Shares(LEAST_LEGS, limits.weights)
        self._recordings = asyncio.Semaphore(limits.recordings)
        self._waiting = Shares(1, limits.weights)
        self._uploads = Shares(1, limits.weights)
        self._decoders = Shares(1, limits.weights)
        self._calls_end, self._recordings_end = Turnover(RETRY_LIVE_S), Turnover(RETRY_RECORDING_S)
        metrics.live_legs.set_function(lambda: self.live_legs)
        metrics.live_legs_capacity.set_function(lambda: self.capacity)

    @property
    def capacity(self) -> int:
        """Live legs that can be served now: no more than there are while their finals are late,
        whatever was measured when the machine was quieter."""
        if self._limits.live_legs:
            return self._limits.live_legs
        measured = self._measured()
        return min(measured, max(LEAST_LEGS, self.live_legs)) if self._late_s() else measured

    @property
    def calls(self) -> int:
        """Open, talking or not."""
        return self._streams.held

    @property
    def live_legs(self) -> int:
        return self._legs.held

    def open(self, config: CallConfig) -> None:
        """A call is opened; it costs little until it talks."""
        door, whose = config.door, (config.tenant, config.credential)
        if self.draining:
            self._refuse(door, "draining", DRAINING, RETRY_RECORDING_S)
        if self._streams.room(whose[0], self._limits.idle_streams, whose[1]) < 1:
            self._refuse(door, "streams", f"{self.calls} calls are open", self._calls_end.gap_s)
        self._streams.take(whose[0], 1, whose[1])

    def close(self, config: CallConfig, live_legs: int) -> None:
        self._streams.give(config.tenant, 1, config.credential)
        self._legs.give(config.tenant, live_legs, config.credential)
        if live_legs:
            self._calls_end.ended()

    def talk(self, config: CallConfig, legs: int) -> None:
        """A live call's first audio has come.

        Raises Overloaded, or NoEngine while nothing could answer.
        """
        capacity, door = self.capacity, config.door
        if not capacity:
            self._metrics.calls_refused_total.labels(door, "engine").inc()
            raise NoEngine("open a call", *self._why_none())
        if self._legs.room(config.tenant, capacity, config.credential) < legs:
            cause = f"{self.live_legs} of {capacity} live legs are busy"
            if self.live_legs + legs <= capacity:
                cause += ", the rest is kept for other hotline systems and credentials"
            if late_s := self._late_s():
                cause = f"{self.live_legs} live legs are busy, finals come {late_s:.1f} s late"
            self._refuse(door, "capacity", cause, self._calls_end.gap_s)
        self._legs.take(config.tenant, legs, config.credential)

    @contextlib.contextmanager
    def upload(self, door: str, owner: ShareOwner) -> Iterator[None]:
        """A place for a recording on its way in, whichever the door: each is a file on the disk."""
        most = self._limits.recordings + self._limits.recordings_waiting

        def refuse() -> NoReturn:
            cause = "as many recordings as may wait are here"
            self._refuse(door, "recordings", cause, self._recordings_end.gap_s, UPLOADING)

        with self._uploads.holding(owner, most, refuse):
            yield

    @contextlib.contextmanager
    def decoder(self, config: CallConfig) -> Iterator[None]:
        """Reserved for a process that decodes compressed audio, before it starts."""
        most = self._limits.decoders or most_decoders()

        def refuse() -> NoReturn:
            cause = f"{self._decoders.held} processes decode compressed audio already"
            hint = "send G.711, PCM or WAV, or try again later"
            self._metrics.calls_refused_total.labels(config.door, "decoders").inc()
            raise Overloaded("decode audio", cause, hint, retry_after_s=self._calls_end.gap_s)

        with self._decoders.holding(config, most, refuse):
            yield

    @contextlib.asynccontextmanager
    async def recording(self, config: CallConfig) -> AsyncIterator[None]:
        """A place among the recordings; waits for one while not too many wait."""
        most, door = self._limits.recordings_waiting, config.door
        whose = (config.tenant, config.credential)
        if self._recordings.locked() and self._waiting.room(whose[0], most, whose[1]) < 1:
            cause = f"{self._waiting.held} recordings are waiting"
            self._refuse(door, "recordings", cause, self._recordings_end.gap_s)
        self._waiting.take(whose[0], 1, whose[1])
        try:
            await self._recordings.acquire()
        finally:
            self._waiting.give(whose[0], 1, whose[1])
        self._metrics.recordings_running.inc()
        try:
            yield
        finally:
            self._metrics.recordings_running.dec()
            self._recordings.release()
            self._recordings_end.ended()

    def _refuse(
        self, door: str, reason: str, cause: str, retry_after_s: float, doing: str = "open a call"
    ) -> NoReturn:
        self._metrics.calls_refused_total.labels(door, reason).inc()
        hint = f"try again in {max(1, round(retry_after_s))} s"
        raise Overloaded(doing, cause, hint, retry_after_s=retry_after_s)
