"""What happens to every request: an id, a count, a log line, and an answer even to a bug."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.api.http.errors import CLIENT_GONE, fault_of, internal_fault, respond
from appliance.errors import Draining
from appliance.log_fields import REQUEST_ID
from appliance.messages import SANE_ID
from appliance.metrics import Metrics

log = logging.getLogger(__name__)
PROBED = {"/metrics", "/v1/health/live", "/v1/health/ready"}  # asked all the time by machines

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# How long and how much of a refused upload is read and thrown away, so that a client that only
# looks for an answer after sending still finds ours instead of a reset connection.
LINGER_S = 5.0
LINGER_BYTES = 64 << 20


class Middleware:
    """The outermost ASGI layer of our own."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        REQUEST_ID.set(exchange.request_id)
        begun = time.monotonic()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            # Only the server cancels, at the end of its grace; nobody further out needs to know.
            if not exchange.status:
                exchange.may_linger = False
                fault = fault_of(Draining("answer", "the box is shutting down", "try another box"))
                await respond(scope["path"], fault)(scope, exchange.receive, exchange.send)
        except Exception as error:
            log_bug(exchange.request_id, error)
            if exchange.status:  # too late for an answer: uvicorn breaks the connection off
                raise BrokenOff from None  # and logs this, not what the error may quote
            fault = internal_fault(exchange.request_id)
            await respond(scope["path"], fault)(scope, exchange.receive, exchange.send)
        finally:
            self._count(scope, exchange, begun)

    def _count(self, scope: Scope, exchange: Exchange, begun: float) -> None:
        route, status = route_of(scope), exchange.status or CLIENT_GONE
        seconds = time.monotonic() - begun
        self._metrics.requests_total.labels("http", route, str(status)).inc()
        self._metrics.request_duration_seconds.labels("http", route).observe(
            exchange.answered_at - begun if exchange.answered_at else seconds  # a stream goes on
        )
        method = scope["method"] if scope["method"] in METHODS else "other"
        level = logging.DEBUG if route in PROBED else logging.INFO
        log.log(
            level, "%s %s %d in %.3f s, %s", method, route, status, seconds, exchange.request_id
        )


class BrokenOff(Exception):
    """The answer ended in its middle."""


class Exchange:
    """One request and its answer, seen from outside the application."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.request_id = given if SANE_ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = self.request_id
        self.status = 0  # until the answer starts
        self.answered_at = 0.0  # monotonic s, its start
        self._receive, self._send = receive, send
        self._unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        # Asking for the body tells such a client to go on and send it; once it does, it looks for
        # an answer only afterwards, like any other.
        self.may_linger = "expect" not in headers

    async def receive(self) -> Message:
        self.may_linger = True
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.answered_at = message["status"], time.monotonic()
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            if self._unread:
                headers["connection"] = "close"
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if last and self._unread and self.may_linger:
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _linger(self) -> None:
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_S):
                while self._unread and left > 0:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass


def route_of(scope: Scope) -> str:
    """The route's template: raw paths are user input, and as labels would never end."""
    return getattr(scope.get("route"), "path", None) or "other"


def log_bug(request_id: str, error: Exception) -> None:
    # The message may quote what the caller sent, which is not for logs.
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("request %s met a bug: %s\n%s", request_id, type(error).__name__, frames)
