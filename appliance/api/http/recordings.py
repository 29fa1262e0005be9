"""POST /api/v1/recordings: a recording is taken in, worked on later, and becomes a call."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, Response

from appliance.access.access import Access
from appliance.access.roles import READS, SENDS, Principal
from appliance.api.calls import MOST_LEGS, choose_language
from appliance.api.fields import checked, checked_begin, seconds_of
from appliance.api.http import call_schemas
from appliance.api.http.auth import Needs, while_allowed
from appliance.api.http.body import read_json
from appliance.api.http.promises import PROBLEMS
from appliance.api.http.upload import (
    CHUNK_BYTES,
    MIB,
    chunks,
    reading_form,
    too_large,
)
from appliance.archive.archive import Archive
from appliance.errors import Draining, EngineUnavailable, InvalidAudio, InvalidRequest, NotFound
from appliance.messages import EVERY_TENANT, SANE_ID, AudioFormat, CallConfig, Encoding, LegRole
from appliance.recordings.arrivals import Claim
from appliance.terms.term import MOST_TERMS
from inference.tensors import MOST_SPEAKERS

if TYPE_CHECKING:
    from appliance.call.box import Box

DOING = "take a recording"


class RecordingForm(BaseModel, extra="forbid"):
    """What a recording is and how it shall be heard; form fields, or a JSON body with `path`."""

    path: str = Field("", description="a file below the configured share, instead of an upload")
    call_id: str = Field("", pattern=r"^([A-Za-z0-9._:-]{1,128})?$", description="your own id")
    language: str = Field("", max_length=20, description="ISO 639-1; empty or auto: detect")
    hotwords: list[str] = Field(
        [], max_length=MOST_TERMS, description="names and words to be heard right"
    )
    prompt: str = Field("", max_length=2000)
    encoding: Encoding = Field(Encoding.AUTO, description="of audio without a header")
    sample_rate_hertz: int = Field(0, ge=0, le=192_000, description="of audio without a header")
    channels: int = Field(0, ge=0, le=MOST_LEGS, description="of audio without a header")
    moods: bool = Field(True, description="tell in what mood each utterance is said")
    diarize: bool = Field(True, description="tell speakers apart where one channel carries all")
    min_speakers: int = Field(1, ge=1, le=MOST_SPEAKERS)
    max_speakers: int = Field(0, ge=0, le=MOST_SPEAKERS, description="0: as the box is set")
    leg_roles: list[LegRole] = Field([], max_length=MOST_LEGS, description="by channel")
    agent: str = Field("", max_length=64, description="who took the call, as your system has it")
    began_at: datetime | None = Field(None, description="when the call began; none: now")
    hang_up: LegRole = Field(LegRole.UNKNOWN, description="who ended the call")
    caller: str = Field("", max_length=32, description="the citizen's number, as the switch has it")


LISTS = ("hotwords", "leg_roles")  # in a form repeated, or separated by commas


def recording_routes(box: Box, archive: Archive, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/recordings", tags=["recordings"])
    share = box.settings.http.share
    max_bytes = box.settings.http.max_upload_mib * MIB
    needs = Needs(access, SENDS)
    sender, reader = Depends(needs), Depends(Needs(access, READS))

    @router.post(
        "",
        status_code=202,
        response_model=call_schemas.RecordingSchema,
        responses=PROBLEMS,
        openapi_extra=_body(),
    )
    async def create(request: Request, who: Principal = sender) -> Response:
        """Accept a recording: an answer means that it will be worked on, whatever happens."""
        if box.draining:
            raise Draining(DOING, "the box is shutting down", "try another box")
        claim = _claim(request, who.own_tenant)
        if request.headers.get("content-type", "").startswith("application/json"):
            wanted = checked(RecordingForm, await read_json(request))
            if not wanted.path:
                cause, hint = "path is missing", "name a file on the share, or upload one as a form"
                raise InvalidRequest(DOING, cause, hint, param="path")
            file = await run_in_threadpool(_shared, _share_of(share, who), wanted.path)
            with file:
                config = who.owned(_config(wanted, box))
                read = while_allowed(_read(file, max_bytes), lambda: needs.still(who))
                call_id = await archive.accept(config, read, claim)
        else:
            with box.admission.upload("recordings", who):
                async with reading_form(request, max_bytes) as form:
                    config = who.owned(_config(checked(RecordingForm, _fields(form)), box))
                    # Whoever was let in may be no longer, once all of it is here.
                    read = while_allowed(chunks(_upload(form)), lambda: needs.still(who))
                    call_id = await archive.accept(config, read, claim)
        body = await _status(archive, call_id, who)
        return JSONResponse(body.model_dump(mode="json"), 202, {"location": _url(call_id)})

    @router.get("/{recording}", response_model=call_schemas.RecordingSchema, responses=PROBLEMS)
    async def status(recording: str, who: Principal = reader) -> call_schemas.RecordingSchema:
        """How far a recording has come."""
        return await _status(archive, recording, who)

    @router.post(
        "/{recording}/cancel", response_model=call_schemas.RecordingSchema, responses=PROBLEMS
    )
    async def cancel(recording: str, who: Principal = sender) -> call_schemas.RecordingSchema:
        """Stop working on a recording; what it is stays listed as cancelled."""
        await archive.cancel(recording, tenant=who.tenant)
        return await _status(archive, recording, who)

    return router


async def _status(archive: Archive, name: str, who: Principal) -> call_schemas.RecordingSchema:
    found = await archive.find(name, tenant=who.tenant)
    if found.live:
        raise NotFound("find a recording", f"{name!r} is a live call", "see /api/v1/calls")
    return call_schemas.RecordingSchema(
        id=found.id,
        state=found.state,
        progress=await archive.progress(found.id),
        error=found.error,
        call=f"/api/v1/calls/{found.id}",
        events=f"/api/v1/calls/{found.id}/events",
    )


def _url(call_id: str) -> str:
    return f"/api/v1/recordings/{call_id}"


def _claim(request: Request, tenant: str) -> Claim | None:
    key = request.headers.get("idempotency-key", "")
    if not key:
        return None
    if not SANE_ID.fullmatch(key):
        raise InvalidRequest(
            DOING,
            "the Idempotency-Key is not one",
            "use a UUID: up to 128 letters, digits and ._:-",
            param="Idempotency-Key",
        )
    return Claim(tenant, key)


def _fields(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in form:
        values = [value for value in form.getlist(name) if isinstance(value, str)]
        if name in LISTS:
            split = (part.strip() for value in values for part in value.split(","))
            fields[name] = [part for part in split if part]
        elif values:
            fields[name] = values[0]
    fields.pop("path", None)
    fields.pop("file", None)
    return fields


def _config(wanted: RecordingForm, box: Box) -> CallConfig:
    if wanted.max_speakers and wanted.max_speakers < wanted.min_speakers:
        raise InvalidRequest(DOING, "max_speakers is below min_speakers", param="max_speakers")
    cards = box.models()
    if not cards:
        raise EngineUnavailable(DOING, "no engine has a model loaded yet")
    return CallConfig(
        audio=AudioFormat(wanted.encoding, wanted.sample_rate_hertz, wanted.channels),
        language=choose_language(wanted.language, cards[0]),
        interim=False,
        live=False,
        hotwords=tuple(wanted.hotwords),
        prompt=wanted.prompt,
        moods=wanted.moods,
        diarize=wanted.diarize,
        least_speakers=wanted.min_speakers,
        most_speakers=wanted.max_speakers,
        leg_roles=tuple(wanted.leg_roles),
        call_id=wanted.call_id,
        agent=wanted.agent,
        caller=wanted.caller,
        hang_up=wanted.hang_up,
        began_at=checked_begin(seconds_of(wanted.began_at, "began_at")),
        door="recordings",
    )


def _upload(form: FormData) -> UploadFile:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidRequest(
            DOING, "no part named file has a file name", "curl -F file=@call.wav", param="file"
        )
    if not file.size:
        raise InvalidAudio(DOING, "the file is empty", param="file")
    return file


def _share_of(share: Path | None, who: Principal) -> Path | None:
    """A hotline system's own folder of the share; the whole for whoever sees every system's."""
    if share is None or who.tenant == EVERY_TENANT:
        return share
    own = share / who.tenant
    return own if own.parent == share and who.tenant.strip(".") else share / ".none"


def _shared(share: Path | None, path: str) -> BinaryIO:
    """The file below the share that `path` names, open; nothing outside is ever read.

    What was opened is what is checked: a link that is changed meanwhile leads nowhere.
    """
    if share is None:
        raise InvalidRequest(
            DOING, "no share is configured", "upload it, or set [http] share", param="path"
        )
    missing = NotFound(
        DOING, "there is no such file on the share", "name it from the share down", param="path"
    )
    try:
        if not (share / path).resolve().is_relative_to(share.resolve()):
            raise missing  # before it is opened: of a device that alone may do something
        file = open(share / path, "rb", opener=_without_waiting)  # noqa: SIM115
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise missing from error
    found = Path(f"/proc/self/fd/{file.fileno()}").resolve()
    whole = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    if not whole or not found.is_relative_to(share.resolve()):
        file.close()
        raise missing
    return file


def _without_waiting(path: str, flags: int) -> int:
    """For a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK)


async def _read(file: BinaryIO, max_bytes: int) -> AsyncGenerator[bytes]:
    if os.fstat(file.fileno()).st_size > max_bytes:
        raise too_large(max_bytes)
    while data := await run_in_threadpool(file.read, CHUNK_BYTES):
        yield data


def _body() -> dict[str, Any]:
    schema = RecordingForm.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    properties = {**schema["properties"], "encoding": {"enum": [str(e) for e in Encoding]}}
    properties["leg_roles"] = {"type": "array", "items": {"enum": [str(r) for r in LegRole]}}
    upload = {name: field for name, field in properties.items() if name != "path"}
    upload["file"] = {"type": "string", "format": "binary"}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "required": ["file"], "properties": upload}
                },
                "application/json": {
                    "schema": {"type": "object", "required": ["path"], "properties": properties}
                },
            },
        },
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 128},
                "description": "the same key and request: the same recording, made once",
            }
        ],
    }
