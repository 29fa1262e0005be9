"""Who sent a request: the key it carries, the certificate its connection showed, where it is from.

Every route names who may ask; one that names nobody is refused (`check_routes`).
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.access.gate import Proof
from appliance.access.roles import LOCAL, AccessRole, Principal
from appliance.api.auth import bearer
from appliance.errors import Forbidden, InvalidRequest

if TYPE_CHECKING:
    from appliance.access.access import Access

CERTIFICATE, OPEN, ROOT = "lingting.certificate", "lingting.open", "lingting.root"
SECRET, INSECURE = "realtime-token.", "openai-insecure-api-key."  # WebSocket protocols
COOKIE = "lingting"  # a browser's session
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # methods that change nothing
UCRED = struct.Struct("3i")  # pid, uid, gid, as SO_PEERCRED has them
# Asked by machines that have no key: whether it runs, and whether it takes calls; and what a
# browser needs to show the page that asks for one.
OPEN_PATHS = frozenset({"/v1/health/live", "/v1/health/ready", "/console/static/{name:path}"})


class Door:
    """What a listening socket vouches for; wraps the application once for each connection."""

    def __init__(self, app: ASGIApp, waiting: Any, *, is_open: bool) -> None:
        """`waiting`: the server's register of connections that have not spoken yet."""
        self._app, self._open, self.waiting = app, is_open, waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Without a connection to ask, nothing is vouched for."""
        await self._app(scope, receive, send)

    def connected(self, transport: Any) -> ASGIApp:
        """The application as this connection sees it."""
        known = {
            CERTIFICATE: _certificate(transport.get_extra_info("ssl_object")),
            OPEN: self._open,
            ROOT: _is_root(transport.get_extra_info("socket")),
        }

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {}).update(known)
            await self._app(scope, receive, send)

        return app


def _certificate(tls: ssl.SSLObject | None) -> str:
    """SHA-256 of the client's, hex; empty if it showed none."""
    der = tls.getpeercert(binary_form=True) if tls else None
    return hashlib.sha256(der).hexdigest() if der else ""


def _is_root(connection: socket.socket | None) -> bool:
    """Whether root is at the other end of a Unix socket."""
    if connection is None or connection.family != socket.AF_UNIX:
        return False
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    return bool(UCRED.unpack(raw)[1] == 0)


class Needs(SecurityBase):
    """A dependency: whoever asks has one of the roles; its value is the Principal.

    Args:
        access: None for an application without an archive: nothing is asked for.
    """

    def __init__(self, access: Access | None, roles: Iterable[AccessRole]) -> None:
        self._access, self.roles = access, frozenset(roles)
        self.model = BearerModel(description="a key of this box, or a client certificate")
        self.scheme_name = "key"

    def still(self, who: Principal) -> None:
        """Raises Unauthenticated once they may no longer."""
        if self._access:
            self._access.gate.still(who)

    async def __call__(self, connection: HTTPConnection) -> Principal:
        if self._access is None:
            return LOCAL
        state = connection.scope.get("state", {})
        key = bearer(connection.headers.get("authorization", "")) or self._offered(connection)
        if not key:
            _refuse_other_sites(connection)
        shown = Proof(
            key=key or self._session(connection),
            certificate=state.get(CERTIFICATE, ""),
            peer=connection.client.host if connection.client else "",
            open_door=state.get(OPEN, False),
            own_machine=state.get(ROOT, False),
        )
        return await self._access.admit(shown, self.roles)

    def _offered(self, connection: HTTPConnection) -> str:
        """The key that comes in another way than by the header; empty if none does."""
        return ""

    def _session(self, connection: HTTPConnection) -> str:
        """The key that a browser showed when it was let in."""
        assert self._access
        token = connection.cookies.get(COOKIE, "")
        safe = connection.scope.get("method", "GET") in SAFE or _same_origin(connection)
        return self._access.sessions.key(token) if token and safe else ""


class Invited(Needs):
    """For a browser's WebSocket, which can send no header: the key, or a secret that stands for
    it for a minute, is offered as a protocol. A secret opens nothing but this."""

    async def __call__(self, connection: HTTPConnection) -> Principal:
        who = await super().__call__(connection)
        return replace(who, roles=who.roles & self.roles)

    def _offered(self, connection: HTTPConnection) -> str:
        assert self._access
        for offered in connection.scope.get("subprotocols") or ():
            for prefix, key_of in ((SECRET, self._access.secrets.key), (INSECURE, str)):
                if offered.startswith(prefix):
                    return key_of(offered.removeprefix(prefix))
        return ""


def _refuse_other_sites(connection: HTTPConnection) -> None:
    """Any page may open a WebSocket here, and the browser shows cookie and certificate by itself.

    Raises Forbidden.
    """
    foreign = connection.headers.get("origin") and not _same_origin(connection)
    if connection.scope["type"] == "websocket" and foreign:
        cause = "a page of another site asks, and shows no key"
        raise Forbidden("open a WebSocket", cause, "offer a key or a secret as its protocol")


def _same_origin(connection: HTTPConnection) -> bool:
    """Whether the page that asks is the box's own; other ports of its host are other sites."""
    origin = connection.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == connection.headers.get("host", "")


async def while_allowed(
    pieces: AsyncGenerator[bytes], still: Callable[[], None]
) -> AsyncGenerator[bytes]:
    """Until `still` raises: whoever began may be no longer allowed to go on."""
    async with aclosing(pieces):
        async for piece in pieces:
            still()
            yield piece


def known_query(connection: HTTPConnection) -> None:
    """Of our own interface: a misspelt parameter would be taken for its default. Raises
    InvalidRequest."""
    route = connection.scope.get("route")
    dependant = getattr(route, "dependant", None)
    if dependant is None or not connection.url.path.startswith("/api/v1"):
        return
    waiting, known = [dependant], set[str]()
    while waiting:
        each = waiting.pop()
        known.update(parameter.alias for parameter in each.query_params)
        waiting.extend(each.dependencies)
    for name in connection.query_params:
        if name not in known:
            hint = f"there are {', '.join(sorted(known))}" if known else "it takes none"
            cause = f"there is no parameter {name[:40]!r}"
            raise InvalidRequest("read the request", cause, hint, param=name[:40])


def unguarded(app: FastAPI) -> list[str]:
    """Paths that ask for nobody; must be those of OPEN_PATHS."""
    return [route.path for route in every_route(app.routes) if not _guards(route)]


def every_route(routes: Iterable[BaseRoute]) -> Iterator[Any]:
    """Those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from every_route(inner.routes)


def _guards(route: Any) -> bool:
    dependant = getattr(route, "dependant", None)
    waiting = list(dependant.dependencies) if dependant else []
    while waiting:
        each = waiting.pop()
        if isinstance(each.call, Needs):
            return True
        waiting.extend(each.dependencies)
    return False
