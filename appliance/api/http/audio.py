"""POST /v1/audio/transcriptions and /v1/audio/translations, as OpenAI has them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from appliance.access.access import Access
from appliance.access.roles import SENDS, Principal
from appliance.api.follow import in_one_task
from appliance.api.http import schemas
from appliance.api.http.auth import Needs
from appliance.api.http.errors import fault_of, internal_fault
from appliance.api.http.middleware import log_bug
from appliance.api.http.openai_request import Asking, read_asking
from appliance.api.http.promises import OPENAI_ERRORS, Responses
from appliance.api.http.sse import LISTENING, EventStream, written
from appliance.api.http.upload import MIB, chunks, reading_form
from appliance.api.http.vanish import until_gone
from appliance.api.render import plain_text, separator, to_srt, to_vtt
from appliance.call.conversation import Conversation, transcribe
from appliance.errors import Draining, InvalidAudio, InvalidRequest, LingtingError
from appliance.messages import SANE_ID, Encoding, Final, Transcript

if TYPE_CHECKING:
    from appliance.call.box import Box

log = logging.getLogger(__name__)

FIELDS = {
    "file": {"type": "string", "format": "binary"},
    "model": {"type": "string"},
    "language": {"type": "string", "description": "ISO 639-1; empty or auto: detect"},
    "prompt": {"type": "string"},
    "hotwords": {"type": "string", "description": "words to listen for, separated by commas"},
    "encoding": {"enum": [str(known) for known in Encoding], "description": "of headerless audio"},
    "sample_rate_hertz": {"type": "integer", "description": "of headerless audio"},
    "channels": {"type": "integer", "description": "of headerless audio"},
    "response_format": {"enum": ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1},
    "timestamp_granularities[]": {"type": "array", "items": {"enum": ["word", "segment"]}},
    "include[]": {"type": "array", "items": {"enum": ["logprobs"]}},
    "stream": {"type": "boolean"},
}
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": FIELDS}
            }
        },
    }
}

ANSWERS: Responses = {
    **OPENAI_ERRORS,
    200: {"content": {kind: {} for kind in ("text/plain", "text/vtt", "text/event-stream")}},
}


def audio_routes(box: Box, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/v1/audio", tags=["audio"])
    needs = Needs(access, SENDS)
    sender = Depends(needs)
    door = AudioDoor(box, needs.still)

    @router.post("/transcriptions", responses=ANSWERS, response_model=None, openapi_extra=FORM)
    async def transcriptions(request: Request, who: Principal = sender) -> Response:
        """Text of a recording, in its own language."""
        return await door.answer(request, "transcribe", who)

    @router.post("/translations", responses=ANSWERS, response_model=None, openapi_extra=FORM)
    async def translations(request: Request, who: Principal = sender) -> Response:
        """English text of a recording, if the model can translate."""
        return await door.answer(request, "translate", who)

    return router


class AudioDoor:
    def __init__(self, box: Box, still: Callable[[Principal], None]) -> None:
        """`still` raises once somebody may no longer hear what they asked for."""
        self._box, self._still = box, still
        self._max_bytes = box.settings.http.max_upload_mib * MIB

    async def answer(self, request: Request, task: str, who: Principal) -> Response:
        if self._box.draining:
            raise Draining("take a recording", "the box is shutting down", "try another box")
        async with AsyncExitStack() as stack:
            stack.enter_context(self._box.admission.upload("openai", who))
            form = await stack.enter_async_context(reading_form(request, self._max_bytes))
            asking = read_asking(form, self._box.models(), task, call_id_of(request))
            asking = replace(asking, config=who.owned(asking.config))
            try:
                if asking.stream:
                    return await self._stream(request, asking, who, stack)
                work = transcribe(self._box, asking.config, chunks(asking.file))
                return respond(asking, await until_gone(request, work))
            except InvalidAudio as error:
                error.param = error.param or "file"
                raise

    async def _stream(
        self, request: Request, asking: Asking, who: Principal, stack: AsyncExitStack
    ) -> Response:
        """Starts to answer when the recording has proved to be one: errors get their status."""
        telling = in_one_task(self._tell(asking, who, request.state.request_id))
        try:
            first = await until_gone(request, anext(telling))
        except BaseException:
            await telling.aclose()
            raise
        headers = schemas.marks(f"{asking.card.name} {asking.card.version}", asking.card.demo)
        return EventStream(first, telling, stack.pop_all(), headers)

    async def _tell(self, asking: Asking, who: Principal, request_id: str) -> AsyncGenerator[str]:
        started = False
        try:
            async with aclosing(self._hear(asking)) as heard:
                async for item in heard:
                    self._still(who)
                    yield item
                    started = True
        except LingtingError as error:
            if not started:
                raise
            yield _sse(fault_of(error).as_openai())
        except Exception as error:
            if not started:
                raise
            log_bug(request_id, error)
            yield _sse(internal_fault(request_id).as_openai())

    async def _hear(self, asking: Asking) -> AsyncGenerator[str]:
        async with Conversation(self._box, asking.config, chunks(asking.file)) as talk:
            last: Final | None = None
            async for told in talk.told():
                event = told.event
                if isinstance(event, Final) and event.text:
                    text = separator(last, event) + event.text
                    last = event
                    yield _sse(schemas.delta(event, text, logprobs=asking.logprobs))
                else:
                    yield LISTENING
            yield _sse(schemas.done(talk.call.transcript(), logprobs=asking.logprobs))


def call_id_of(request: Request) -> str:
    given = request.headers.get("x-call-id", "")
    if given and not SANE_ID.fullmatch(given):
        hint = "use up to 128 letters, digits and ._:-"
        raise InvalidRequest("name the call", "x-call-id is no name", hint, param="x-call-id")
    return given or str(request.state.request_id)


def respond(asking: Asking, transcript: Transcript) -> Response:
    """The transcript in the format that was asked for."""
    headers = schemas.marks(transcript.model, transcript.demo)
    match asking.response_format:
        case "text":
            return PlainTextResponse(plain_text(transcript) + "\n", headers=headers)
        case "srt":
            return PlainTextResponse(to_srt(transcript), headers=headers)
        case "vtt":
            return Response(to_vtt(transcript), headers=headers, media_type="text/vtt")
        case "verbose_json":
            body = schemas.as_verbose_json(
                transcript,
                task=asking.config.task,
                words=asking.words,
                segments=asking.segments,
            )
            return JSONResponse(body, headers=headers)
        case "diarized_json":
            body = schemas.as_diarized_json(transcript, asking.config)
            return JSONResponse(body, headers=headers)
        case _:
            return JSONResponse(schemas.as_json(transcript, logprobs=asking.logprobs), 200, headers)


def _sse(event: dict[str, Any]) -> str:
    return written(json.dumps(event, ensure_ascii=False))
