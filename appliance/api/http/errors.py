"""Errors on the wire: OpenAI's shape under /v1, RFC 9457 problem+json elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from appliance.errors import (
    AuditUnavailable,
    BundleError,
    Conflict,
    EngineUnavailable,
    Forbidden,
    IdleTimeout,
    InvalidRequest,
    LingtingError,
    NotFound,
    Overloaded,
    StoreDamaged,
    StoreUnavailable,
    TooLarge,
    Unauthenticated,
    Unsupported,
)

CLIENT_GONE = 499  # nginx's number for it; only metrics and logs ever see it
UNAVAILABLE_RETRY_S = 5

# The first match counts, so special cases stand before their bases.
_STATUS: tuple[tuple[type[LingtingError], int], ...] = (
    (TooLarge, 413),
    (IdleTimeout, 408),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Overloaded, 429),
    (Conflict, 409),
    (EngineUnavailable, 503),
    (StoreUnavailable, 503),
    (AuditUnavailable, 503),
    (StoreDamaged, 500),
    (BundleError, 503),
    (InvalidRequest, 400),
    (Unsupported, 400),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One error, before it takes the shape of its path."""

    status: int
    message: str
    code: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def openai_type(self) -> str:
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return "rate_limit_error"
        named = {401: "authentication_error", 403: "permission_error"}.get(self.status)
        return named or ("server_error" if self.status >= 500 else "invalid_request_error")

    def as_openai(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.openai_type,
                "param": self.param,
                "code": self.code,
            }
        }

    def as_problem(self) -> dict[str, Any]:
        return {
            "type": "about:blank",
            "title": _title(self.status),
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            **({"param": self.param} if self.param else {}),
        }


def fault_of(error: LingtingError) -> Fault:
    """What a caller is told of an error of ours."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    code, headers = error.code, {}
    if isinstance(error, NotFound) and error.param == "model":
        code = "model_not_found"
    if isinstance(error, Overloaded):
        code = "rate_limit_exceeded"
        headers = {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
    elif isinstance(error, Unauthenticated):
        headers = {"www-authenticate": "Bearer"}
    elif error.retryable and status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"retry-after": str(UNAVAILABLE_RETRY_S)}
    return Fault(status, str(error), code, error.param, headers)


def internal_fault(request_id: str) -> Fault:
    """A bug of ours: the caller gets a number to quote, the log has the rest."""
    message = f"internal error; it is in the box's log under {request_id}"
    return Fault(500, message, "internal_error")


def respond(path: str, fault: Fault) -> Response:
    if path == "/v1" or path.startswith("/v1/"):
        return JSONResponse(fault.as_openai(), fault.status, dict(fault.headers))
    return Response(
        json.dumps(fault.as_problem(), ensure_ascii=False),
        fault.status,
        dict(fault.headers),
        media_type="application/problem+json",
    )


async def on_lingting_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LingtingError)
    return respond(request.url.path, fault_of(error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Routing's own errors (404, 405)."""
    assert isinstance(error, HTTPException)
    code = _title(error.status_code).lower().replace(" ", "_")
    message = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        code, message = "unknown_url", "there is nothing at this address; GET / lists what there is"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        named = {name.lower(): value for name, value in (error.headers or {}).items()}
        allowed = named.get("allow", "others")
        message = f"this address does not take that method; it takes {allowed}"
    fault = Fault(error.status_code, message, code, None, error.headers or {})
    return respond(request.url.path, fault)


async def on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:]) or None
    message = f"read the request: {param or 'it'}: {first['msg']}"
    return respond(request.url.path, Fault(400, message, "invalid_request", param))


async def on_client_gone(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClientDisconnect)
    return Response(status_code=CLIENT_GONE)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
