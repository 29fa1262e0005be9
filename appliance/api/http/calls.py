"""/api/v1/calls: find calls, read them, follow them, delete them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

from appliance.access.access import Access
from appliance.access.roles import INSPECTS, READS, Principal
from appliance.api.calls import DEFAULT_PAGE, MOST_PER_PAGE, make_token, read_token
from appliance.api.follow import in_one_task
from appliance.api.http import call_schemas
from appliance.api.http.auth import Needs, while_allowed
from appliance.api.http.errors import fault_of
from appliance.api.http.promises import PROBLEMS
from appliance.api.http.sse import LISTENING, SLOW_S, EventStream, written
from appliance.archive.archive import Archive
from appliance.errors import InvalidRequest, LingtingError, NotFound
from appliance.feed import kinds
from appliance.messages import SANE_ID, CallState, Level, NumberedEvent
from appliance.store.calls import Filter

TIMES = "RFC 3339; without a zone it is the box's"
MOST_EVENTS = 2**31 - 1  # of a call
OFF = ("false", "0", "off", "no")
QUIET_S = 15.0  # without an event, before a sign of life
# WebSocket close codes
TRY_AGAIN_LATER, BAD_CALL, INTERNAL, FORBIDDEN = 1013, 4404, 1011, 1008


def call_routes(archive: Archive, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/calls", tags=["calls"])
    _add_reading(router, archive, access)
    _add_inspecting(router, archive, access)
    _add_following(router, archive, access)
    return router


async def _note(access: Access | None, who: Principal, act: str, call: str) -> None:
    """People's reading of calls is logged; raises AuditUnavailable, and then nothing is read."""
    if access and who.is_human:
        await access.record(who, act, call)


def _add_reading(router: APIRouter, archive: Archive, access: Access | None) -> None:
    reader = Depends(Needs(access, READS))

    @router.get("", summary="List calls", response_model=call_schemas.CallList, responses=PROBLEMS)
    async def page(
        who: Principal = reader,
        state: CallState | None = None,
        live: bool | None = None,
        call_id: Annotated[str | None, Query(pattern=f"^{SANE_ID.pattern}$")] = None,
        since: Annotated[datetime | None, Query(description=TIMES)] = None,
        until: Annotated[datetime | None, Query(description=TIMES)] = None,
        min_level: Annotated[
            Level | None, Query(description="of the citizen's strongest negative mood")
        ] = None,
        page_size: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = DEFAULT_PAGE,
        page_token: Annotated[str, Query(max_length=200)] = "",
    ) -> call_schemas.CallList:
        """Calls, newest first."""
        wanted = Filter(
            state, live, call_id, _seconds(since), _seconds(until), min_level, who.tenant
        )
        after = read_token(page_token) if page_token else None
        rows = await archive.page(wanted, page_size + 1, after)
        more = len(rows) > page_size
        rows = rows[:page_size]
        token = make_token(rows[-1].created_at, rows[-1].id) if more else ""
        calls = [call_schemas.summary(row) for row in rows]
        return call_schemas.CallList(calls=calls, next_page_token=token)

    @router.get("/{call}", response_model=call_schemas.CallSchema, responses=PROBLEMS)
    async def get(call: str, who: Principal = reader) -> call_schemas.CallSchema:
        """A call by the box's id or your own; a running one as far as it has come."""
        record = await archive.get(call, tenant=who.tenant)
        await _note(access, who, "call.read", record.id)
        return call_schemas.call(record)


def _add_inspecting(router: APIRouter, archive: Archive, access: Access | None) -> None:
    inspector = Depends(Needs(access, INSPECTS))

    @router.get(
        "/{call}/audio",
        responses={**PROBLEMS, 200: {"content": {"audio/wav": {}, "application/octet-stream": {}}}},
        response_model=None,
    )
    async def audio(call: str, who: Principal = inspector) -> Response:
        """The audio of a call that is over, as it came in, where it is kept; what came without a
        header gets one."""
        found = await archive.find(call, tenant=who.tenant)
        needs = Needs(access, INSPECTS)
        pieces = in_one_task(while_allowed(archive.audio(found.id), lambda: needs.still(who)))
        async with _doing(access, who, "call.audio", found.id):
            first = await anext(pieces, b"")
        kind = "audio/wav" if first.startswith(b"RIFF") else "application/octet-stream"
        return StreamingResponse(_with(first, pieces), media_type=kind)

    @router.delete("/{call}", status_code=204, responses=PROBLEMS)
    async def delete(call: str, who: Principal = inspector) -> Response:
        """Shred a call: words, audio, everything."""
        found = await archive.find(call, tenant=who.tenant)
        async with _doing(access, who, "call.delete", found.id):
            await archive.delete(call, tenant=who.tenant)
        return Response(status_code=204)


def _add_following(router: APIRouter, archive: Archive, access: Access | None) -> None:
    needs = Needs(access, READS)
    reader = Depends(needs)

    @router.get(
        "/{call}/events",
        responses={**PROBLEMS, 200: {"content": {"text/event-stream": {}}}},
        response_model=None,
    )
    async def events(
        request: Request,
        call: str,
        who: Principal = reader,
        after: Annotated[
            int, Query(ge=0, le=MOST_EVENTS, description="only events above this number")
        ] = 0,
        partials: bool = True,
        last_event_id: Annotated[str, Header(description="as browsers send it")] = "",
    ) -> Response:
        """A call's events as server-sent events, from any point, until it is over."""
        after = max(after, _number(last_event_id))
        found = await archive.find(call, tenant=who.tenant)
        await _note(access, who, "call.follow", found.id)
        watching = archive.watch(found.id, after, partials=partials)
        telling = in_one_task(_sse(watching, lambda: needs.still(who)))
        try:
            first = await anext(telling)
        except BaseException:
            await telling.aclose()
            raise
        return EventStream(first, telling, AsyncExitStack(), {})

    @router.websocket("/{call}/watch")
    async def watch(
        socket: WebSocket, call: str, who: Principal = reader, after: str = "", partials: str = ""
    ) -> None:
        """The same by WebSocket: one JSON object a message."""
        if not _same_origin(socket):
            await socket.close(FORBIDDEN)
            return
        await socket.accept()
        events = _found(archive, call, who, _number(after), partials not in OFF)
        with contextlib.suppress(NotFound):  # which the events tell
            found = await archive.find(call, tenant=who.tenant)
            await _note(access, who, "call.follow", found.id)
        await _feed(socket, events, lambda: needs.still(who))


def _doing(access: Access | None, who: Principal, act: str, call_id: str) -> Any:
    return access.doing(who, act, call_id) if access else contextlib.nullcontext()


async def _with(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with contextlib.aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _number(after: str) -> int:
    """As browsers send it back: what is none counts from the start."""
    return int(after[:9]) if after.isascii() and after.isdecimal() else 0


def _same_origin(socket: WebSocket) -> bool:
    """Browsers let any page open a socket and say which; programs say nothing."""
    origin = socket.headers.get("origin", "")
    return not origin or urlsplit(origin).netloc == socket.headers.get("host", "")


def _found(
    archive: Archive, call: str, who: Principal, after: int, partials: bool
) -> AsyncGenerator[NumberedEvent]:
    return archive.watch(call, after, partials=partials, tenant=who.tenant)


async def _sse(
    watching: AsyncGenerator[NumberedEvent], still: Callable[[], None]
) -> AsyncGenerator[str]:
    yield LISTENING
    async for told in _with_pauses(watching):
        still()
        if told is None:
            yield LISTENING
            continue
        body = json.dumps(kinds.as_json(told), ensure_ascii=False)
        yield written(body, sequence=told.sequence)


async def _with_pauses(told: AsyncGenerator[NumberedEvent]) -> AsyncGenerator[NumberedEvent | None]:
    """None after every QUIET_S without an event."""
    queue: asyncio.Queue[NumberedEvent | Exception | None] = asyncio.Queue(1)

    async def read() -> None:
        try:
            async with contextlib.aclosing(told):
                async for each in told:
                    await queue.put(each)
            await queue.put(None)
        except Exception as error:
            await queue.put(error)

    task = asyncio.create_task(read())
    try:
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    item = await queue.get()
            except TimeoutError:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _feed(
    socket: WebSocket, events: AsyncGenerator[NumberedEvent], still: Callable[[], None]
) -> None:
    gone = asyncio.create_task(_gone(socket))
    sending = asyncio.create_task(_send_all(socket, events, still))
    try:
        await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and (error := sending.exception()):
            await _say_why(socket, error)
        elif sending.done():
            await socket.close()
    finally:
        for task in (gone, sending):
            task.cancel()
        await asyncio.gather(gone, sending, return_exceptions=True)


async def _send_all(
    socket: WebSocket, events: AsyncGenerator[NumberedEvent], still: Callable[[], None]
) -> None:
    async with contextlib.aclosing(events) as watching:
        async for told in watching:
            still()
            async with asyncio.timeout(SLOW_S):
                await socket.send_json(kinds.as_json(told))


async def _gone(socket: WebSocket) -> None:
    """What a watcher says is of no interest; that it goes away is."""
    with contextlib.suppress(WebSocketDisconnect):
        while socket.client_state is WebSocketState.CONNECTED:
            await socket.receive()


async def _say_why(socket: WebSocket, error: BaseException) -> None:
    code = INTERNAL
    if isinstance(error, LingtingError):
        code = TRY_AGAIN_LATER if error.retryable else BAD_CALL
        await socket.send_json({"kind": "error", **fault_of(error).as_problem()})
    with contextlib.suppress(RuntimeError):
        await socket.close(code)


def _seconds(moment: datetime | None) -> float | None:
    try:
        return moment.timestamp() if moment else None
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            "list calls", f"{moment} is out of range", "name a later year"
        ) from error
