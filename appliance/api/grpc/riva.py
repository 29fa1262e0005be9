"""nvidia.riva.asr.RivaSpeechRecognition over the call room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from riva.client.proto import riva_asr_pb2 as asr

from appliance.access.roles import OPERATES, SENDS, Principal
from appliance.api.grpc import answers, requests
from appliance.api.grpc.admission import RECOGNIZE, STREAMING, RpcAdmission
from appliance.api.grpc.auth import Asked, Doorman
from appliance.api.grpc.errors import DOOR, RivaRefusal
from appliance.api.grpc.stream import Stream
from appliance.call.conversation import transcribe
from appliance.errors import IdleTimeout, InvalidRequest
from appliance.messages import Transcript

if TYPE_CHECKING:
    from appliance.call.box import Box

SERVICE = asr.DESCRIPTOR.services_by_name["RivaSpeechRecognition"].full_name
PIECE_BYTES = 64 * 1024  # a recording is handed over in these, so that back-pressure can act
UPLOAD_PATIENCE = 5  # idle times that the one large message of a recording may take to arrive


class RivaServicer:
    """The three methods; each is translation around a call."""

    def __init__(self, box: Box, admission: RpcAdmission, doorman: Doorman) -> None:
        self._box, self._admission, self._doorman = box, admission, doorman

    async def StreamingRecognize(self, request_iterator: Any, context: Any) -> None:
        async with self._serving(context, STREAMING) as asked:
            await Stream(self._box, self._admission, asked.context, asked.who).run()

    async def Recognize(self, request_iterator: Any, context: Any) -> Any:
        async with self._serving(context, RECOGNIZE) as asked:
            patience_s = self._box.settings.grpc.idle_timeout_s * UPLOAD_PATIENCE
            with self._box.admission.upload(DOOR, asked.who):
                request = await self._only(asked.context, patience_s)
                if not request.audio:
                    raise RivaRefusal("empty audio", "EMPTY_AUDIO", param="audio")
                transcript = await self._recognize(request, context, asked.who)
            return answers.recognize_response(transcript, request.id.value)

    async def GetRivaSpeechRecognitionConfig(self, request_iterator: Any, context: Any) -> Any:
        method = "GetRivaSpeechRecognitionConfig"
        async with self._doorman.answering(context, method, DOOR, SENDS | OPERATES):
            request = await self._only(context, self._box.settings.grpc.idle_timeout_s)
            return answers.config_response(self._box.models(), request.model_name)

    @asynccontextmanager
    async def _serving(self, context: Any, method: str) -> AsyncIterator[Asked]:
        async with self._doorman.answering(context, method, DOOR, SENDS) as asked:
            with self._admission.admit(method, asked.who, self._box.draining):
                yield asked

    async def _only(self, context: Any, patience_s: float) -> Any:
        """The one message of a unary request."""
        try:
            async with asyncio.timeout(patience_s):
                request = await context.read()
        except TimeoutError:
            raise IdleTimeout(
                "receive the request", f"it did not arrive within {patience_s:g} s"
            ) from None
        if request is grpc.aio.EOF:
            raise InvalidRequest("receive the request", "it ended before its message")
        return request

    async def _recognize(self, request: Any, context: Any, who: Principal) -> Transcript:
        config = requests.call_config(
            request.config,
            self._box.models(),
            live=False,
            call_id=requests.call_id(context.invocation_metadata()),
        )
        config = who.owned(config)
        transcript = await transcribe(self._box, config, pieces(request.audio))
        context.set_trailing_metadata(
            answers.answer_metadata(transcript.model, demo=transcript.demo)
            + answers.ignored_metadata(request.config)
        )
        return transcript


async def pieces(audio: bytes) -> AsyncIterator[bytes]:
    view = memoryview(audio)
    for start in range(0, len(view), PIECE_BYTES):
        yield bytes(view[start : start + PIECE_BYTES])


def handlers(servicer: RivaServicer) -> Any:
    """The service on the wire.

    Single requests are registered as if they were streams: then the handler runs before the
    message is received, so a full box does not take in 64 MiB to say so, and a malformed message
    is answered by us. On the wire the two are the same.
    """
    streaming, whole = asr.StreamingRecognizeRequest, asr.RecognizeRequest
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "StreamingRecognize": grpc.stream_stream_rpc_method_handler(
                servicer.StreamingRecognize,
                request_deserializer=streaming.FromString,
                response_serializer=asr.StreamingRecognizeResponse.SerializeToString,
            ),
            "Recognize": grpc.stream_unary_rpc_method_handler(
                servicer.Recognize,
                request_deserializer=whole.FromString,
                response_serializer=asr.RecognizeResponse.SerializeToString,
            ),
            "GetRivaSpeechRecognitionConfig": grpc.stream_unary_rpc_method_handler(
                servicer.GetRivaSpeechRecognitionConfig,
                request_deserializer=asr.RivaSpeechRecognitionConfigRequest.FromString,
                response_serializer=asr.RivaSpeechRecognitionConfigResponse.SerializeToString,
            ),
        },
    )
