"""Server-sent events: how one is written, and the answer that carries them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

log = logging.getLogger(__name__)

SLOW_S = 30.0  # a watcher that takes no event for so long is let go
LISTENING = ": listening\n\n"  # a comment: keeps proxies from giving up on a long silence


def written(data: str, *, name: str = "", sequence: int | None = None) -> str:
    """One event; the browser's EventSource sends `sequence` when it comes again."""
    head = f"event: {name}\n" if name else ""
    head += f"id: {sequence}\n" if sequence is not None else ""
    lines = "".join(f"data: {line}\n" for line in data.split("\n") if line.strip())
    return f"{head}{lines}\n"


class EventStream(StreamingResponse):
    """Server-sent events that let go of everything however they end."""

    media_type = "text/event-stream"

    def __init__(
        self,
        first: str,
        rest: AsyncGenerator[str],
        held: AsyncExitStack,
        headers: dict[str, str],
    ) -> None:
        self._first, self._rest, self._held = first, rest, held
        headers = {**headers, "cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(self._all(), headers=headers)

    async def _all(self) -> AsyncGenerator[str]:
        yield self._first
        async for event in self._rest:
            yield event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_soon(message: Message) -> None:
            async with asyncio.timeout(SLOW_S):
                await send(message)

        async with self._held:
            try:
                await super().__call__(scope, receive, send_soon)
            except TimeoutError:
                log.info("who followed by server-sent events took nothing for %g s", SLOW_S)
            finally:
                await self._rest.aclose()
