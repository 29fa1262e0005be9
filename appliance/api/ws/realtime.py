"""/v1/realtime: live speech by WebSocket, as NVIDIA's NIM has it and as OpenAI has it.

Greet once, then answer in the dialect of the client's first message. Both send base64 in JSON; what
they make of a `commit` differs: to NIM it says nothing, to OpenAI it ends an utterance.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request, WebSocket
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocketDisconnect, WebSocketState

from appliance.access.access import Access
from appliance.access.roles import SENDS, Principal
from appliance.api.http.auth import Invited, Needs
from appliance.api.http.body import read_json
from appliance.api.http.errors import fault_of, internal_fault
from appliance.api.http.promises import OPENAI_ERRORS
from appliance.api.ws.dialects import DOING, Dialect, Nim, OpenAi
from appliance.call.conversation import Conversation, ForceEndpoint, Heard
from appliance.errors import (
    CallerGone,
    Draining,
    EngineUnavailable,
    IdleTimeout,
    InvalidRequest,
    LingtingError,
    Overloaded,
)
from appliance.messages import CallConfig

if TYPE_CHECKING:
    from appliance.call.box import Box

DOOR = "realtime"
REALTIME = "realtime"  # the subprotocol
SECRET_S = 60  # that a minted secret opens the socket
IN_ORDER = (1000, 1005)  # how clients end that have said all
GOING_AWAY, REFUSED, TRY_AGAIN, INTERNAL = 1001, 1008, 1013, 1011  # close codes


def realtime_routes(box: Box, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/v1/realtime", tags=["realtime"])
    sender = Depends(Needs(access, SENDS))
    invited = Invited(access, SENDS)
    door = RealtimeDoor(box, invited.still)

    @router.post("/transcription_sessions", response_model=None, responses=OPENAI_ERRORS)
    async def nim_session(request: Request, who: Principal = sender) -> Response:
        """A session as NIM's clients begin one: its defaults, and a secret for the socket."""
        await read_json(request)
        secret = _secret(access, request)
        body = {"id": f"sess_{secrets.token_hex(8)}", "object": "realtime.transcription_session"}
        return JSONResponse({**body, **Nim.defaults(), "client_secret": secret})

    @router.post("/client_secrets", response_model=None, responses=OPENAI_ERRORS)
    async def client_secret(request: Request, who: Principal = sender) -> Response:
        """A secret that a browser may hold, as OpenAI mints one."""
        asked = await read_json(request)
        session = asked.get("session") or {"type": "transcription"}
        return JSONResponse({**_secret(access, request), "session": session})

    @router.websocket("")
    async def realtime(socket: WebSocket, who: Principal = Depends(invited)) -> None:  # noqa: B008
        """Speech in, words out."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=REALTIME if REALTIME in offered else None)
        await door.serve(socket, who)

    return router


def _secret(access: Access | None, request: Request) -> dict[str, Any]:
    """Stands for the key that was shown, where one was."""
    header = request.headers.get("authorization", "")
    key = header.partition(" ")[2].strip()
    value = access.secrets.begin(key, SECRET_S) if access and key else secrets.token_urlsafe(24)
    return {"value": value, "expires_at": int(time.time()) + SECRET_S}


class RealtimeDoor:
    """Sockets are bounded as streams are: they cost little until they talk."""

    def __init__(self, box: Box, still: Callable[[Principal], None]) -> None:
        """`still` raises once somebody may no longer."""
        self._box, self._still, self._open = box, still, 0
        self._refused = box.metrics.calls_refused_total

    async def serve(self, socket: WebSocket, who: Principal) -> None:
        session = RealtimeSession(self._box, socket, who, lambda: self._still(who))
        try:
            with self._place():
                await session.run()
        except WebSocketDisconnect:
            pass
        except LingtingError as error:
            await session.close(error)
        except Exception as error:
            await session.close(error)
            raise

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._box.draining:
            self._refused.labels(DOOR, "draining").inc()
            raise Draining("open a session", "the box is stopping", "connect again in a moment")
        if self._open >= self._box.settings.limits.idle_streams:
            self._refused.labels(DOOR, "requests").inc()
            raise Overloaded("open a session", f"{self._open} are open", retry_after_s=5)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


class RealtimeSession:
    """One socket from its greeting to its end."""

    def __init__(
        self, box: Box, socket: WebSocket, who: Principal, still: Callable[[], None]
    ) -> None:
        self._box, self._socket, self._who, self._still = box, socket, who, still
        self._idle_s = box.settings.grpc.idle_timeout_s
        self._dialect: Dialect = OpenAi()
        self._pending: list[dict[str, Any]] = []  # a first message that was no configuration
        self.id = f"conv_{secrets.token_hex(8)}"

    async def run(self) -> None:
        await self._say({"type": "conversation.created", "conversation": {"id": self.id}})
        config = await self._configured()
        talk = Conversation(self._box, config, self._heard(), idle_s=self._idle_s)
        async with talk:
            async for told in talk.told():
                for message in self._dialect.answers(told.event):
                    await talk.send(self._say(message))
            for message in self._dialect.last():
                await talk.send(self._say(message))
        if talk.status:
            raise talk.status
        await self._socket.close()

    # --- the wire

    async def _say(self, message: Mapping[str, Any]) -> None:
        event = {"event_id": f"event_{secrets.token_hex(8)}", **message}
        await self._socket.send_text(json.dumps(event, ensure_ascii=False))

    async def _read(self) -> dict[str, Any]:
        """Raises WebSocketDisconnect; InvalidRequest for what is no message."""
        text = await self._socket.receive_text()
        self._still()
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest("read a message", f"it is no JSON: {error}") from error
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise InvalidRequest("read a message", "it has no type", 'send {"type": ...}')
        return message

    async def close(self, error: Exception) -> None:
        """Say why, and hang up."""
        known = isinstance(error, LingtingError)
        fault = fault_of(error) if isinstance(error, LingtingError) else internal_fault(self.id)
        code = TRY_AGAIN if known and error.retryable else REFUSED if known else INTERNAL  # type: ignore[attr-defined]
        if self._socket.client_state is not WebSocketState.CONNECTED:
            return
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self._say({"type": "error", **fault.as_openai()})
            await self._socket.close(GOING_AWAY if isinstance(error, Draining) else code)

    # --- in

    async def _configured(self) -> CallConfig:
        """By its first message, else as OpenAI's default is."""
        try:
            async with asyncio.timeout(self._idle_s):
                message = await self._read()
        except TimeoutError:
            cause = f"the client sent nothing for {self._idle_s:g} s"
            raise IdleTimeout("open a session", cause, "send its configuration") from None
        kind = message["type"]
        if kind not in ("session.update", "transcription_session.update"):
            self._pending = [message]
            return self._config(self._dialect.config({}, self._cards()))
        session = message.get("session")
        if not isinstance(session, dict):
            raise InvalidRequest(DOING, "session is missing", param="session")
        if kind != "session.update" and "input_audio_params" in session:
            self._dialect = Nim()
        try:
            config = self._config(self._dialect.config(session, self._cards()))
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise InvalidRequest(DOING, "a field has another form", param="session") from error
        await self._say({"type": f"{kind}d", "session": session})
        return config

    def _cards(self) -> Any:
        cards = self._box.models()
        if not cards:
            raise EngineUnavailable(DOING, "no engine has a model loaded yet")
        return cards[0]

    def _config(self, fields: dict[str, Any]) -> CallConfig:
        return self._who.owned(CallConfig(door=DOOR, moods=True, interim=True, **fields))

    async def _heard(self) -> AsyncIterator[Heard]:
        while True:
            try:
                message = self._pending.pop() if self._pending else await self._read()
            except WebSocketDisconnect as left:
                if left.code not in IN_ORDER:
                    raise CallerGone("receive audio", "the connection broke") from left
                return
            match message["type"]:
                case "input_audio_buffer.append":
                    yield _audio(message)
                    if (message.get("runtime_config") or {}).get("force_eou") == "true":
                        yield ForceEndpoint()
                case "input_audio_buffer.commit":
                    if self._dialect.commits:
                        yield ForceEndpoint()
                case "input_audio_buffer.done":
                    return
                case "session.update" | "transcription_session.update":
                    await self._say(_complaint("a session is not changed once it has begun"))
                case kind:
                    await self._say(_complaint(f"{kind[:64]!r} is not served here"))


def _audio(message: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(message["audio"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise InvalidRequest(
            "read audio", "audio is no base64", "send base64 in audio", param="audio"
        ) from error


def _complaint(words: str) -> dict[str, Any]:
    """The session goes on."""
    fault = fault_of(InvalidRequest("read a message", words))
    return {"type": "error", **fault.as_openai()}
