"""Lets subscribers hear one call: each in its own task, by its own cursor, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence

from appliance.feed.kinds import kind_of
from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.messages import Lasting, NumberedEvent, Partial
from appliance.metrics import Metrics
from appliance.news import News

log = logging.getLogger(__name__)

PATIENCE_S = 5.0  # for what one event makes a subscriber do
MOST_FAILURES = 3  # in a row, before a subscriber hears no more of a call
MOST_BEHIND = 1000  # events
MOST_DERIVED = 10_000  # events of one subscriber in one call
DEEPEST = 3  # an event derived so often is told to watchers, to no subscriber
SETTLE_S = 2.0  # at the end of a call, for what subscribers have still to tell of it
SETTLE_RECORDING_S = 60.0  # nobody waits on the line


class Followers:
    """All subscribers of one call. They can neither hold it up nor make it fail."""

    def __init__(
        self, call: FollowedCall, subscribers: Iterable[Subscriber], metrics: Metrics
    ) -> None:
        self._call, self._news = call, News()
        self._followers = [
            Follower(call, subscriber, listener, metrics, self._news)
            for subscriber in subscribers
            if (listener := _listener(call, subscriber, metrics))
        ]

    async def settle(self) -> None:
        """Until each has heard all there is, derived events too; within bounds."""

        patience_s = SETTLE_S if self._call.config.live else SETTLE_RECORDING_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not all(f.has_heard(self._call.log.sequence) for f in self._followers):
                    await self._news.wait()

    def close(self) -> None:
        for follower in self._followers:
            follower.task.cancel()


class Follower:
    """One subscriber in one call; tells `news` of its progress."""

    def __init__(
        self,
        call: FollowedCall,
        subscriber: Subscriber,
        listener: Listener,
        metrics: Metrics,
        news: News,
    ) -> None:
        self._log, self._subscriber, self._listener = call.log, subscriber, listener
        self._call_id, self._metrics, self._news = call.id, metrics, news
        self._heard, self._left = 0, False  # the sequence that it has got to
        self._failures = 0  # in a row
        self._derived = 0
        self.task = asyncio.create_task(self._run(), name=f"{subscriber.name}-{call.id}")

    def has_heard(self, sequence: int) -> bool:
        """Or hears nothing more."""
        return self._left or self._heard >= sequence

    async def _run(self) -> None:
        try:
            async for told in self._log.follow(partials=self._subscriber.partials):
                if not await self._go_on(told):
                    return
        finally:
            self._left = True
            self._news.tell()
            try:
                self._listener.leave()
            except Exception:
                log.exception("%s could not leave a call", self._subscriber.name)

    async def _go_on(self, told: NumberedEvent) -> bool:
        """Hear one event; False: it hears no more of this call."""
        if self._log.sequence - told.sequence > MOST_BEHIND:
            return self._cut_off("behind", f"it is {MOST_BEHIND} events behind")
        momentary = isinstance(told.event, Partial)
        entry = None if momentary else self._log.entries[told.sequence - 1]
        if entry and (entry.by == self._subscriber.name or entry.depth >= DEEPEST):
            derived: Sequence[Lasting] = ()
        else:
            derived = await self._hear(told)
        for event in derived:
            if self._derived >= MOST_DERIVED:
                return self._cut_off("flood", f"it has derived {MOST_DERIVED} events")
            self._derived += 1
            depth = entry.depth + 1 if entry else 1
            try:
                if kind_of(event).fold is None:
                    raise TypeError(f"{type(event).__name__} does not last")
                await self._log.put(event, self._subscriber.name, depth)
            except Exception as error:
                self._failed("error", error)
        if not momentary:
            self._heard = told.sequence
            self._news.tell()
        if self._failures >= MOST_FAILURES:
            return self._cut_off("failures", f"it failed {MOST_FAILURES} times in a row")
        return True

    async def _hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        name, begun = self._subscriber.name, time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                derived = list(await self._listener.hear(told))
        except Exception as error:
            self._failed("timeout" if isinstance(error, TimeoutError) else "error", error)
            return ()
        self._failures = 0
        self._metrics.subscriber_seconds.labels(name).observe(time.monotonic() - begun)
        return derived

    def _failed(self, reason: str, error: Exception) -> None:
        self._failures += 1
        name = self._subscriber.name
        self._metrics.subscriber_failures_total.labels(name, reason).inc()
        log.error("%s failed at an event of call %s: %r", name, self._call_id, error)

    def _cut_off(self, reason: str, why: str) -> bool:
        name = self._subscriber.name
        self._metrics.subscriber_failures_total.labels(name, reason).inc()
        log.error("%s hears no more of call %s: %s", name, self._call_id, why)
        return False


def _listener(call: FollowedCall, subscriber: Subscriber, metrics: Metrics) -> Listener | None:
    try:
        return subscriber.listen(call)
    except Exception:
        metrics.subscriber_failures_total.labels(subscriber.name, "error").inc()
        log.exception("%s does not follow call %s", subscriber.name, call.id)
        return None
