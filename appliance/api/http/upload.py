"""Take in a form with a file: streamed to a sealed file, bounded in size, time and number."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message

from appliance.errors import IdleTimeout, InvalidRequest, TooLarge
from appliance.security.scratch import Scratch

MIB = 1 << 20
IDLE_TIMEOUT_S = 60.0  # an upload that sends nothing for so long is ended
# One that drips would hold its place for days; judged once IDLE_TIMEOUT_S is over.
LEAST_BYTES_PER_S = 16 << 10
MAX_FIELDS = 200
MAX_FIELD_BYTES = 64 << 10
CHUNK_BYTES = 64 << 10
# As RFC 8187 has it; some clients send only this, and the parser looks for the plain one.
EXTENDED_NAME = re.compile(rb"filename\*\s*=\s*[\w-]*'[\w-]*'([^;\s]+)")
DOING = "read the upload"


class Inlet:
    """The body of a request as it comes in, cut off at the limits."""

    def __init__(self, request: Request, max_bytes: int, idle_timeout_s: float) -> None:
        self._receive = request.receive
        self._left = self._limit = max_bytes
        self._idle_timeout_s = idle_timeout_s
        self._begun = time.monotonic()

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(self._idle_timeout_s):
                message = await self._receive()
        except TimeoutError as error:
            cause = f"nothing came for {self._idle_timeout_s:g} s"
            raise IdleTimeout(DOING, cause, "send it again") from error
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise too_large(self._limit)
        self._check_pace(message.get("more_body", False))
        return message

    def _check_pace(self, more: bool) -> None:
        seconds = time.monotonic() - self._begun
        rate = (self._limit - self._left) / max(seconds, 1e-3)
        if more and seconds > self._idle_timeout_s and rate < LEAST_BYTES_PER_S:
            cause = f"it came at {rate:.0f} bytes a second, less than {LEAST_BYTES_PER_S}"
            raise IdleTimeout(DOING, cause, "send it again, over a better line")


class SealedParser(MultiPartParser):
    """Starlette's, but what people say goes to the disk sealed."""

    def on_headers_finished(self) -> None:
        told = self._current_part.content_disposition or b""
        if b"filename=" not in told and (extended := EXTENDED_NAME.search(told)):
            name = unquote_to_bytes(extended[1]).replace(b'"', b"").replace(b"\\", b"")
            self._current_part.content_disposition = told + b'; filename="' + name + b'"'
        super().on_headers_finished()
        clear = self._current_part.file
        if clear:
            scratch = Scratch()
            self._files_to_close_on_error.append(scratch)  # type: ignore[arg-type]
            self._current_part.file = UploadFile(
                scratch,  # type: ignore[arg-type]
                size=0,
                filename=clear.filename,
                headers=clear.headers,
            )


def too_large(limit: int) -> TooLarge:
    hint = "send a shorter or compressed recording, or raise http.max_upload_mib"
    return TooLarge(DOING, f"it is over {limit / MIB:g} MiB", hint, param="file")


@asynccontextmanager
async def reading_form(request: Request, max_bytes: int) -> AsyncIterator[FormData]:
    """The parsed form; its files are gone afterwards. Refuses by Content-Length before reading."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidRequest(DOING, "the body must be multipart/form-data with a part named file")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large(max_bytes)
    inlet = Inlet(request, max_bytes, IDLE_TIMEOUT_S)
    body = Request(request.scope, inlet.receive).stream()
    limits = {"max_files": 1, "max_fields": MAX_FIELDS, "max_part_size": MAX_FIELD_BYTES}
    try:
        form = await SealedParser(request.headers, body, **limits).parse()
    except MultiPartException as error:
        raise InvalidRequest(DOING, error.message, "send multipart/form-data") from error
    try:
        yield form
    finally:
        await form.close()


async def chunks(file: UploadFile) -> AsyncGenerator[bytes]:
    while data := await file.read(CHUNK_BYTES):
        yield data
