"""One StreamingRecognize: audio in and events out at the same time, and the ways it can end.

Nothing is buffered here. The next message is read when the call has taken the last one, so a
flood waits in the client's own socket; the next event is fetched when the last response is on
its way, so a client that does not read holds up its own call only, until it is ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc

from appliance.api.grpc import answers, requests
from appliance.api.grpc.admission import stopping
from appliance.api.grpc.errors import Draining, RivaRefusal
from appliance.errors import IdleTimeout, LingtingError
from appliance.messages import LOCAL_TENANT, Event, Final, Partial

if TYPE_CHECKING:
    from appliance.call.box import Box
    from appliance.call.call import Call

END_OR_GONE_S = 0.005  # a client that vanished looks like one at its end until gRPC cancels us


class Stream:
    """A stream from its configuration to its status."""

    def __init__(self, box: Box, context: Any, tenant: str = LOCAL_TENANT) -> None:
        self._box, self._context, self._tenant = box, context, tenant
        self._idle_s = box.settings.grpc.idle_timeout_s
        self._patience: asyncio.Timeout | None = None  # of the read under way
        self._interim = True
        self._speaking: set[int] = set()  # legs in the middle of an utterance, by their partials
        self._complete = False  # the client has sent all it wanted to
        self._draining = False
        self._cut = False  # no more audio is taken
        self._ending: LingtingError | None = None  # the status, once all that was heard is said

    async def run(self) -> None:
        first = await self._read()
        if first is grpc.aio.EOF or not first.HasField("streaming_config"):
            raise RivaRefusal("first message must contain streaming_config", "CONFIG_EXPECTED")
        wanted = first.streaming_config
        self._interim = wanted.interim_results
        config = requests.call_config(
            wanted.config,
            self._box.models(),
            live=True,
            interim=wanted.interim_results,
            call_id=requests.call_id(self._context.invocation_metadata()),
        )
        config = replace(config, tenant=self._tenant)
        async with self._box.open_call(config) as call:
            await self._greet(wanted.config)
            await self._converse(call, first.id.value)
        if self._ending is not None:
            raise self._ending

    async def _converse(self, call: Call, request_id: str) -> None:
        """Listen and speak until the call has said everything; every error comes by its events."""
        listening = asyncio.create_task(self._listen(call))
        try:
            await self._speak(call, request_id)
        except LingtingError:
            if not self._cut_short():
                raise
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        self._cut_short()

    def _cut_short(self) -> bool:
        """Whether the call ended before its client did, for a reason other than its failure."""
        if self._ending is None and not self._complete and self._box.draining:
            self._ending = stopping()
        return self._ending is not None

    # ---- out

    async def _greet(self, config: Any) -> None:
        """Tell at once that the call was taken, and by which weights."""
        card, _ = requests.choose_model(config, self._box.models(), live=True)
        await self._context.send_initial_metadata(
            answers.answer_metadata(requests.model_name(card), demo=card.demo)
            + answers.ignored_metadata(config)
        )

    async def _speak(self, call: Call, request_id: str) -> None:
        wire = answers.Streaming(request_id, interim=self._interim)
        async for event in call.events():
            wire.speakers = call.config.diarize and call.tells_speakers
            response = wire.response(event)
            if response is not None:
                await self._write(response)
            self._follow(event)
        if rest := wire.rest():
            await self._write(rest)

    async def _write(self, response: Any) -> None:
        try:
            async with asyncio.timeout(self._idle_s):
                await self._context.write(response)
        except TimeoutError:
            raise IdleTimeout(
                "send results", f"the client has read none for {self._idle_s:g} s"
            ) from None

    # ---- in

    async def _listen(self, call: Call) -> None:
        try:
            try:
                await self._feed(call)
            except (IdleTimeout, Draining) as ending:
                self._ending = ending  # what was said before still becomes a final
            await call.finish()
        except Exception as error:
            await call.fail(error)

    async def _feed(self, call: Call) -> None:
        while (message := await self._read()) is not grpc.aio.EOF:
            if message.HasField("streaming_config"):
                raise RivaRefusal("streaming_config was already received", "CONFIG_REPEATED")
            if message.audio_content:
                await call.accept(message.audio_content)
            if requests.forces_endpoint(message):
                await call.force_endpoint()
        await asyncio.sleep(END_OR_GONE_S)
        self._complete = True

    async def _read(self) -> Any:
        """The next message, or EOF; raises IdleTimeout, and Draining once the stream is cut."""
        self._stop_if_cut()
        try:
            async with asyncio.timeout(self._idle_s) as self._patience:
                return await self._context.read()
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

    # ---- the box stops

    def drain(self) -> None:
        self._draining = True
        if self._interim and not self._speaking:
            self.cut()

    def cut(self) -> None:
        self._cut = True
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time())

    def _follow(self, event: Event) -> None:
        """Know who is in the middle of an utterance, and use the pause when the box stops."""
        if isinstance(event, Partial):
            self._speaking.add(event.leg)
        elif isinstance(event, Final):
            self._speaking.discard(event.leg)
        pause = not self._speaking and (self._interim or isinstance(event, Final))
        if pause and (self._draining or self._box.draining):
            self.cut()
