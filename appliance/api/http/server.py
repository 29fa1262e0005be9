"""uvicorn inside the gateway's own loop."""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from appliance.api import ports
from appliance.api.auth import asks_for_keys
from appliance.api.http.app import create_app
from appliance.api.http.auth import Door
from appliance.errors import SettingsError
from appliance.settings.doors import HttpSettings

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.api.http.followed import Followed
    from appliance.archive.archive import Archive
    from appliance.call.box import Box
    from appliance.watch.history import History

MAX_CONNECTIONS = 2000
MOST_WAITING = 256  # connections of one source that have not spoken, or not to the end
HEADERS_TIMEOUT_S = 20.0  # from connecting to a complete first request head
CANCEL_S = 2.0
POLL_S = 0.02


class HttpServer:
    """The HTTP door, open from `start` to `stop`."""

    def __init__(
        self,
        box: Box,
        archive: Archive | None = None,
        access: Access | None = None,
        history: History | None = None,
        followed: Followed | None = None,
    ) -> None:
        self._http, self._folder = box.settings.http, box.settings.local.folder
        app = create_app(box, archive, access, history, followed)
        is_open = not asks_for_keys(box.settings, self._http.host)
        door = Door(app, Waiting(), is_open=is_open)
        self._config = config(door, tls_options(self._http))
        self._server = Quiet(self._config)
        self._local = Quiet(config(Door(app, Waiting(), is_open=False), {}))
        self._serving: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Listen; returns the port. Raises SettingsError if that cannot be."""
        try:
            self._config.load()
        except (OSError, ssl.SSLError) as error:
            cause = f"the TLS files cannot be used: {error}"
            raise SettingsError("open the HTTP door", cause, "check http.tls_*") from error
        try:
            listener = ports.listen(self._http.host, self._http.port)
        except OSError as error:
            raise ports.cannot_listen("http", self._http.host, self._http.port, error) from error
        port: int = listener.getsockname()[1]
        await self._serve(self._server, listener)
        if self._folder:
            await self._serve(self._local, ports.listen_locally(self._folder / "http.sock"))
        return port

    async def _serve(self, server: uvicorn.Server, listener: socket.socket) -> None:
        serving = asyncio.create_task(server.serve([listener]), name="http door")
        self._serving.append(serving)
        while not server.started:
            if serving.done():
                serving.result()
                raise SettingsError("open the HTTP door", "the server stopped at once")
            await asyncio.sleep(POLL_S)

    async def stop(self, grace_s: float) -> None:
        """Stop listening, let answers in progress end for `grace_s`, cancel the rest."""
        servers = (self._server, self._local)
        for server in servers:
            server.config.timeout_graceful_shutdown = math.ceil(grace_s)
            server.should_exit = True
        await asyncio.gather(*self._serving)
        self._serving = []
        tasks = set[asyncio.Task[None]]().union(*(server.server_state.tasks for server in servers))
        if tasks:  # cancelled, but not yet over
            await asyncio.wait(tasks, timeout=CANCEL_S)


def config(door: Door, tls: dict[str, Any]) -> uvicorn.Config:
    return uvicorn.Config(
        door,
        http=PatientProtocol,
        ws=SocketProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,  # the edge logs, without what callers sent
        server_header=False,
        proxy_headers=False,
        backlog=ports.BACKLOG,
        limit_concurrency=MAX_CONNECTIONS,
        **tls,
    )


class Quiet(uvicorn.Server):
    """Signals belong to the gateway, which drains the calls before it stops the doors."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Waiting:
    """Connections whose next request head is not whole, by source: one source holds so many."""

    def __init__(self) -> None:
        self._of: dict[str, dict[PatientProtocol, None]] = {}  # oldest first

    def add(self, source: str, connection: PatientProtocol) -> None:
        """The source's oldest gives way."""
        waiting = self._of.setdefault(source, {})
        waiting[connection] = None
        if len(waiting) > MOST_WAITING:
            next(iter(waiting)).give_up()

    def discard(self, source: str, connection: PatientProtocol) -> None:
        waiting = self._of.get(source, {})
        waiting.pop(connection, None)
        if not waiting:
            self._of.pop(source, None)


class PatientProtocol(H11Protocol):
    """Patience with slow clients has an end: one that never completes a request head is cut off."""

    _source = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = self.config.loaded_app.connected(transport)
        peer = transport.get_extra_info("peername")
        self._source = str(peer[0]) if peer else ""
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Each head has its own time, the first and any that follows on the same connection."""
        super().data_received(data)
        if self._answering():
            self._head_due.cancel()
            self._waiting.discard(self._source, self)
        elif self._head_due.cancelled():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_due.cancel()
        self._waiting.discard(self._source, self)
        super().connection_lost(exc)

    @property
    def _waiting(self) -> Waiting:
        return cast(Waiting, self.config.loaded_app.waiting)

    def _await_head(self) -> None:
        self._head_due = self.loop.call_later(HEADERS_TIMEOUT_S, self.give_up)
        self._waiting.add(self._source, self)

    def _answering(self) -> bool:
        # uvicorn declares a cycle where there is none before the first request.
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is not None and not cycle.response_complete

    def give_up(self) -> None:
        """Nobody is waited for any longer."""
        self._waiting.discard(self._source, self)
        handed_over = self.transport.get_protocol() is not self  # to a WebSocket
        if not (handed_over or self._answering() or self.transport.is_closing()):
            self.transport.close()


BROKEN = 1006  # RFC 6455: the connection ended without a close frame


class SocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket knows as much of its connection as a request does."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = self.config.loaded_app.connected(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """One that broke is told as such: uvicorn tells of an end in order."""
        if self.handshake_complete and self.conn.close_rcvd is None:
            # What comes behind it is not read.
            self.queue.put_nowait({"type": "websocket.disconnect", "code": BROKEN})
        super().connection_lost(exc)


def tls_options(http: HttpSettings) -> dict[str, Any]:
    if http.tls_certificate is None:
        if http.tls_key or http.tls_client_ca:
            raise SettingsError("open the HTTP door", "TLS is half set up", "set tls_certificate")
        return {}
    options: dict[str, Any] = {"ssl_certfile": http.tls_certificate, "ssl_keyfile": http.tls_key}
    if http.tls_client_ca:
        # Asked for, verified if shown: whoever shows none brings a key (http/auth.py).
        options |= {"ssl_ca_certs": http.tls_client_ca, "ssl_cert_reqs": ssl.CERT_OPTIONAL}
    return options
