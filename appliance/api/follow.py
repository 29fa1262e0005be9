"""Run a recording through a call and watch what it says meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from appliance.messages import Event

if TYPE_CHECKING:
    from appliance.call.call import Call

T = TypeVar("T")
WAITING_EVENTS = 32


async def follow(call: Call, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Event]:
    """Feed `chunks` and yield the call's events until it is finished; raises what failed either.

    Feeding and reading run side by side: a call that waits for its events to be fetched would
    else wait for ever.
    """
    queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue(WAITING_EVENTS)

    async def feed() -> None:
        async for chunk in chunks:
            await call.accept(chunk)
        await call.finish()

    async def read() -> None:
        async for event in call.events():
            await queue.put(event)
        await queue.put(None)

    async def guarded(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            await queue.put(error)

    tasks = [asyncio.create_task(guarded(work)) for work in (feed(), read())]
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        await end_tasks(*tasks)


async def in_one_task(source: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Run all of `source` in one task, whichever tasks ask for its items.

    A response starts in one task and is sent in another; what `source` holds open may not be
    entered in one and left in the other.
    """
    queue: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue(1)

    async def run() -> None:
        try:
            async with aclosing(source):
                async for item in source:
                    await queue.put((item,))
            await queue.put(None)
        except Exception as error:
            await queue.put(error)

    task = asyncio.create_task(run())
    try:
        while (entry := await queue.get()) is not None:
            if isinstance(entry, Exception):
                raise entry
            yield entry[0]
    finally:
        await end_tasks(task)


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel and wait until they are really over."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
