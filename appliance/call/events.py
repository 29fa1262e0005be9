"""The bounded way from a call to its reader: what lasts waits, partials give way to newer ones."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from appliance.call.keeping import Keeper
from appliance.messages import Event, Final, Lasting, Partial, Progress

MAX_FINALS = 256  # unread finals and the like at which the call stops taking audio


class Events:
    """One reader, many writers. A reader that stops never makes this grow.

    What lasts is kept before it is published.
    """

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._keeper = keeper
        self._queue: deque[Event] = deque()
        self._changed = asyncio.Condition()
        self._closed = False
        self.error: BaseException | None = None  # that ended it

    async def put(self, event: Event) -> None:
        """Queue an event; what lasts waits while the reader is MAX_FINALS behind."""
        if self._keeper and isinstance(event, Partial):
            self._keeper.show(event)
        elif self._keeper and isinstance(event, Lasting):
            await self._keeper.keep(event)
        async with self._changed:
            if isinstance(event, Lasting):
                await self._changed.wait_for(lambda: self._lasting() < MAX_FINALS or self._closed)
            if isinstance(event, Final):
                self._drop(lambda e: isinstance(e, Partial) and _same_utterance(e, event))
            elif isinstance(event, Partial):
                self._drop(lambda e: isinstance(e, Partial) and e.leg == event.leg)
            elif isinstance(event, Progress):
                self._drop(lambda e: isinstance(e, Progress))
            self._queue.append(event)
            self._changed.notify_all()

    def _lasting(self) -> int:
        return sum(isinstance(event, Lasting) for event in self._queue)

    def _drop(self, outdated: Callable[[Event], bool]) -> None:
        kept = [event for event in self._queue if not outdated(event)]
        if len(kept) != len(self._queue):
            self._queue = deque(kept)

    async def close(self, error: BaseException | None = None) -> None:
        """No more events; the reader gets what is queued, then the error if there is one."""
        async with self._changed:
            if not self._closed:
                self._closed, self.error = True, error
            self._changed.notify_all()

    async def read(self) -> AsyncIterator[Event]:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    if self.error:
                        raise self.error
                    return
                event = self._queue.popleft()
                self._changed.notify_all()
            yield event


def _same_utterance(partial: Event, final: Final) -> bool:
    return (
        isinstance(partial, Partial)
        and partial.leg == final.leg
        and partial.utterance <= final.utterance
    )
