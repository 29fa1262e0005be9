"""The bounded way from a call to its reader: what lasts waits, partials give way to newer ones."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from appliance.messages import Attribution, Event, Final, Partial, Progress

MAX_FINALS = 256  # unread finals and the like at which the call stops taking audio


class Events:
    """One reader, many writers. A reader that stops never makes this grow."""

    def __init__(self) -> None:
        self._queue: deque[Event] = deque()
        self._changed = asyncio.Condition()
        self._closed = False
        self._error: BaseException | None = None

    async def put(self, event: Event) -> None:
        """Queue an event; what lasts waits while the reader is MAX_FINALS behind."""
        async with self._changed:
            if isinstance(event, Final | Attribution):
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
        return sum(isinstance(event, Final | Attribution) for event in self._queue)

    def _drop(self, outdated: Callable[[Event], bool]) -> None:
        kept = [event for event in self._queue if not outdated(event)]
        if len(kept) != len(self._queue):
            self._queue = deque(kept)

    async def close(self, error: BaseException | None = None) -> None:
        """No more events; the reader gets what is queued, then the error if there is one."""
        async with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
            self._changed.notify_all()

    async def read(self) -> AsyncIterator[Event]:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    if self._error:
                        raise self._error
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
