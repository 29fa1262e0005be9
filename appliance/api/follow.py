"""Generators that are read in one task and closed in another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

T = TypeVar("T")


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
