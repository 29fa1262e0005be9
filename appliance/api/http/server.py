"""uvicorn inside the gateway's own loop."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from appliance.api import ports
from appliance.api.http.app import create_app
from appliance.errors import SettingsError
from appliance.settings import Http

if TYPE_CHECKING:
    from appliance.archive.archive import Archive
    from appliance.call.box import Box

MAX_CONNECTIONS = 2000
HEADERS_TIMEOUT_S = 20.0  # from connecting to a complete first request head
CANCEL_S = 2.0
POLL_S = 0.02


class HttpServer:
    """The HTTP door, open from `start` to `stop`."""

    def __init__(self, box: Box, archive: Archive | None = None) -> None:
        self._http = box.settings.http
        self._config = uvicorn.Config(
            create_app(box, archive),
            http=PatientProtocol,
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,  # the edge logs, without what callers sent
            server_header=False,
            proxy_headers=False,
            backlog=ports.BACKLOG,
            limit_concurrency=MAX_CONNECTIONS,
            **tls_options(self._http),
        )
        self._server = Quiet(self._config)
        self._serving: asyncio.Task[None] | None = None

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
        self._serving = asyncio.create_task(self._server.serve([listener]), name="http door")
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise SettingsError("open the HTTP door", "the server stopped at once")
            await asyncio.sleep(POLL_S)
        return port

    async def stop(self, grace_s: float) -> None:
        """Stop listening, let answers in progress end for `grace_s`, cancel the rest."""
        if self._serving is None:
            return
        self._config.timeout_graceful_shutdown = math.ceil(grace_s)
        self._server.should_exit = True
        await self._serving
        self._serving = None
        if tasks := set(self._server.server_state.tasks):  # cancelled, but not yet over
            await asyncio.wait(tasks, timeout=CANCEL_S)


class Quiet(uvicorn.Server):
    """Signals belong to the gateway, which drains the calls before it stops the doors."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PatientProtocol(H11Protocol):
    """Patience with slow clients has an end: one that never completes a request head is cut off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HEADERS_TIMEOUT_S, self._give_up)

    def _give_up(self) -> None:
        # uvicorn declares a cycle where there is none before the first request.
        waiting = cast(object, self.cycle) is None
        if waiting and not self.transport.is_closing():
            self.transport.close()


def tls_options(http: Http) -> dict[str, Any]:
    if http.tls_certificate is None:
        if http.tls_key or http.tls_client_ca:
            raise SettingsError("open the HTTP door", "TLS is half set up", "set tls_certificate")
        return {}
    options: dict[str, Any] = {"ssl_certfile": http.tls_certificate, "ssl_keyfile": http.tls_key}
    if http.tls_client_ca:
        options |= {"ssl_ca_certs": http.tls_client_ca, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options
