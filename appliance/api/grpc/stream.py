"""One StreamingRecognize: Riva's messages around a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from appliance.access.roles import LOCAL, Principal
from appliance.api.grpc import answers, requests
from appliance.api.grpc.admission import RpcAdmission
from appliance.api.grpc.errors import RivaRefusal
from appliance.call.conversation import Conversation, ForceEndpoint, Heard
from appliance.errors import IdleTimeout

if TYPE_CHECKING:
    from appliance.call.box import Box


class Stream:
    """A stream from its configuration to its status."""

    def __init__(
        self, box: Box, admission: RpcAdmission, context: Any, who: Principal = LOCAL
    ) -> None:
        self._box, self._admission = box, admission
        self._context, self._who = context, who
        self._idle_s = box.settings.grpc.idle_timeout_s

    async def run(self) -> None:
        first = await first_message(self._context, self._admission, self._idle_s)
        if first is grpc.aio.EOF or not first.HasField("streaming_config"):
            raise RivaRefusal("first message must contain streaming_config", "CONFIG_EXPECTED")
        wanted = first.streaming_config
        config = requests.call_config(
            wanted.config,
            self._box.models(),
            live=True,
            interim=wanted.interim_results,
            call_id=requests.call_id(self._context.invocation_metadata()),
        )
        config = self._who.owned(config)
        talk = Conversation(self._box, config, self._heard(), idle_s=self._idle_s)
        async with talk:
            with self._admission.stream(talk):
                await self._greet(wanted.config)
                await self._speak(talk, first.id.value)
        if talk.status is not None:
            raise talk.status

    async def _heard(self) -> AsyncIterator[Heard]:
        while (message := await self._context.read()) is not grpc.aio.EOF:
            if message.HasField("streaming_config"):
                raise RivaRefusal("streaming_config was already received", "CONFIG_REPEATED")
            if message.audio_content:
                yield message.audio_content
            if requests.forces_endpoint(message):
                yield ForceEndpoint()

    async def _greet(self, config: Any) -> None:
        """Tell at once that the call was taken, and by which weights."""
        card, _ = requests.choose_model(config, self._box.models(), live=True)
        await self._context.send_initial_metadata(
            answers.answer_metadata(requests.model_name(card), demo=card.demo)
            + answers.ignored_metadata(config)
        )

    async def _speak(self, talk: Conversation, request_id: str) -> None:
        wire = answers.Streaming(request_id, interim=talk.call.config.interim)
        async for told in talk.told():
            wire.speakers = talk.call.config.diarize and talk.call.tells_speakers
            response = wire.response(told.event)
            if response is not None:
                await talk.send(self._context.write(response))
        if rest := wire.rest():
            await talk.send(self._context.write(rest))


async def first_message(context: Any, admission: RpcAdmission, idle_s: float) -> Any:
    """What opens a stream; raises IdleTimeout, and Draining if the box stops meanwhile."""
    try:
        async with asyncio.timeout(idle_s):
            return await admission.unless_stopping(context.read())
    except TimeoutError:
        cause = f"the client sent nothing for {idle_s:g} s"
        raise IdleTimeout("open a call", cause, "send its configuration first") from None
