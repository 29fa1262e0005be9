"""One caller's exchange with the box: what is heard goes in, what is told comes out.

Nothing is buffered here. The next piece is read when the call has taken the last one, so that a
flood waits in the caller's own socket; the next event is fetched when the last one is on its way,
so that a caller who does not read holds up nobody, and is let go in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeVar

from appliance.call.call import Call
from appliance.call.keeping import Keeper
from appliance.errors import Draining, IdleTimeout, LingtingError, TooLarge
from appliance.messages import CallConfig, Ended, Event, Final, NumberedEvent, Partial, Transcript

T = TypeVar("T")
PIECE_BYTES = 64 << 10  # of a message, between other calls' turns
MOST_LIVE_BYTES = 1 << 20  # of a message of live audio: some seconds of any kind
END_OR_GONE_S = 0.005  # a caller that vanished looks like one at its end until its door knows


class Opens(Protocol):
    """What a conversation needs of a box."""

    @property
    def draining(self) -> bool: ...

    def open_call(
        self, config: CallConfig, keeper: Keeper | None = None
    ) -> AbstractAsyncContextManager[Call]: ...


@dataclass(frozen=True, slots=True)
class ForceEndpoint:
    """Among what is heard: the running utterance of every leg ends here."""


Heard = bytes | ForceEndpoint


class Conversation:
    """`async with` it, then iterate `told`; `status` says why it ended sooner than its caller did.

    Args:
        heard: the caller's bytes, until it ends; what it raises fails the call.
        keeper: else the box's own.
        idle_s: how long the caller may send nothing, and read nothing; None: as long as it likes.
    """

    call: Call

    def __init__(
        self,
        box: Opens,
        config: CallConfig,
        heard: AsyncIterator[Heard],
        *,
        keeper: Keeper | None = None,
        idle_s: float | None = None,
    ) -> None:
        self._box, self._config, self._heard = box, config, heard
        self._keeper, self._idle_s = keeper, idle_s
        self._stack = AsyncExitStack()
        self._listening: asyncio.Task[None] | None = None
        self._patience: asyncio.Timeout | None = None  # of the read under way
        self._speaking: set[int] = set()  # legs in the middle of an utterance, by their partials
        self._complete = False  # the caller has sent all it wanted to
        self._draining = False
        self._cut = False  # no more is taken
        self.status: LingtingError | None = None

    async def __aenter__(self) -> Conversation:
        opening = self._box.open_call(self._config, self._keeper)
        self.call = await self._stack.enter_async_context(opening)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._stop_listening()
        finally:
            await self._stack.__aexit__(kind, error, trace)

    async def _stop_listening(self) -> None:
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    # --- out

    async def told(self) -> AsyncIterator[NumberedEvent]:
        """All that is told of the call while it listens; raises what failed the call."""
        self._listening = asyncio.create_task(self._listen())
        try:
            async for told in self.call.told():
                yield told
                self._note(told.event)
        except LingtingError:
            if not self._ended_early():
                raise
        await self._stop_listening()
        self._ended_early()

    async def end(self) -> Ended | None:
        """Hand the call over; the last there is to tell, if it is kept."""
        await self.call.close()
        await self.call.hand_over()
        return self.call.keeper.ended if self.call.keeper else None

    async def send(self, writing: Awaitable[T]) -> T:
        """What is told, on its way; raises IdleTimeout if the caller does not take it."""
        try:
            async with asyncio.timeout(self._idle_s):
                return await writing
        except TimeoutError:
            cause = f"the client has read none for {self._idle_s:g} s"
            raise IdleTimeout("send results", cause) from None

    def _ended_early(self) -> bool:
        """Whether the call ended before its caller did, for a reason other than its failure."""
        if self.status is None and not self._complete and self._box.draining and self._config.live:
            self.status = stopping()
        return self.status is not None

    # --- in

    async def _listen(self) -> None:
        try:
            try:
                await self._feed()
            except (IdleTimeout, Draining) as ending:
                self.status = ending  # what was said before still becomes a final
                self.call.break_off()
            await self.call.finish()
        except Exception as error:
            await self.call.fail(error)

    async def _feed(self) -> None:
        while (heard := await self._next()) is not None:
            if isinstance(heard, ForceEndpoint):
                await self.call.force_endpoint()
                continue
            if self._config.live:
                check_message(heard)
            for at in range(0, len(heard), PIECE_BYTES):
                await self.call.accept(heard[at : at + PIECE_BYTES])
        if self._config.live:
            await asyncio.sleep(END_OR_GONE_S)
        self._complete = True

    async def _next(self) -> Heard | None:
        """None at the end; raises IdleTimeout, and Draining once the conversation is cut."""
        self._stop_if_cut()
        try:
            async with asyncio.timeout(self._idle_s) as self._patience:
                return await anext(self._heard, None)
        except TimeoutError:
            self._stop_if_cut()
            raise IdleTimeout(
                "receive audio",
                f"the client sent nothing for {self._idle_s:g} s",
                "send audio, silence too, or end the stream",
            ) from None
        finally:
            self._patience = None

    def _stop_if_cut(self) -> None:
        if self._cut:
            raise stopping()

    # --- the box stops

    def drain(self) -> None:
        """End at the next pause of the speakers."""
        self._draining = True
        if self._config.interim and not self._speaking:
            self.cut()

    def cut(self) -> None:
        """Take no more; finish what was heard."""
        self._cut = True
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())

    def _note(self, event: Event) -> None:
        """Know who is in the middle of an utterance, and use the pause when the box stops."""
        if isinstance(event, Partial):
            self._speaking.add(event.leg)
        elif isinstance(event, Final):
            self._speaking.discard(event.leg)
        pause = not self._speaking and (self._config.interim or isinstance(event, Final))
        if pause and self._config.live and (self._draining or self._box.draining):
            self.cut()


def check_message(audio: bytes) -> None:
    """Of a live call; raises TooLarge."""
    if len(audio) > MOST_LIVE_BYTES:
        cause = f"a message of {len(audio) / MOST_LIVE_BYTES:.1f} MiB"
        raise TooLarge("take live audio", cause, "send 20 ms to 1 s of it at a time")


def stopping() -> Draining:
    return Draining("serve the call", "the box is stopping", "connect again in a few seconds")


async def transcribe(box: Opens, config: CallConfig, chunks: AsyncIterator[Any]) -> Transcript:
    """Run a whole recording; waits its turn, raises Overloaded if too many wait."""
    async with Conversation(box, config, chunks) as talk:
        async for _ in talk.told():
            pass
        return talk.call.transcript()
