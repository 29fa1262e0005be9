"""What the box says of itself: models, health, metrics, and where to look."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse, PlainTextResponse, Response

from appliance.access.access import Access
from appliance.access.roles import ANYBODY, OPERATES, READS, Principal
from appliance.api.http import schemas
from appliance.api.http.auth import Needs
from appliance.api.http.openai_request import find_model
from appliance.api.http.promises import OPENAI_ERRORS, PROBLEMS, Responses
from appliance.api.http.promises import openapi as openapi_document
from appliance.health import Health
from inference.tensors import ModelCard

if TYPE_CHECKING:
    from appliance.call.box import Box

PLACES: dict[str, object] = {
    "name": "lingting",
    "about": "on-premise speech box for 12345 hotlines",
    "look_at": {
        "/v1/audio/transcriptions": "POST a recording, get its text (OpenAI)",
        "/v1/audio/translations": "POST a recording, get English text, if the model can (OpenAI)",
        "/v1/realtime": "live speech by WebSocket (NIM, OpenAI)",
        "/api/v1/recordings": "POST a recording, get a call with speakers, roles and moods",
        "/api/v1/calls": "calls, live and past: read, follow, delete them",
        "/api/v1/terms": "names and words that are to be heard right: read, replace them",
        "/v1/models": "which models answer",
        "/v1/health/live": "whether the process runs",
        "/v1/health/ready": "whether calls are taken, and why not",
        "/metrics": "Prometheus metrics",
        "/openapi.json": "this interface, for machines",
    },
}


EXPOSITION: Responses = {
    **PROBLEMS,
    200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}},
}


def status_routes(box: Box, access: Access | None) -> APIRouter:
    router = APIRouter()
    operator = Depends(Needs(access, OPERATES))
    anybody = Depends(Needs(access, ANYBODY))
    _add_models(router, box, access)
    _add_health(router, box)

    @router.get("/metrics", responses=EXPOSITION, response_class=PlainTextResponse, tags=["health"])
    async def metrics(request: Request, who: Principal = operator) -> Response:
        """Prometheus exposition."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(box.metrics.registry), headers={"content-type": content_type})

    @router.get("/openapi.json", response_model=None, include_in_schema=False)
    async def openapi(request: Request, who: Principal = anybody) -> Response:
        return JSONResponse(openapi_document(request.app))

    return router


def root_routes(access: Access | None) -> APIRouter:
    """`/` without a page: for programs alone."""
    router = APIRouter()
    anybody = Depends(Needs(access, ANYBODY))

    @router.get("/", response_model=None, include_in_schema=False)
    async def root(who: Principal = anybody) -> Response:
        return JSONResponse(PLACES)

    return router


def _add_models(router: APIRouter, box: Box, access: Access | None) -> None:
    loaded_at = int(time.time())
    asker = Depends(Needs(access, READS | OPERATES))

    @router.get("/v1/models", response_model=None, responses=OPENAI_ERRORS, tags=["models"])
    async def models(who: Principal = asker) -> Response:
        """The models that answer."""
        return JSONResponse(
            {"object": "list", "data": [_model(card, loaded_at) for card in box.models()]}
        )

    @router.get(
        "/v1/models/{model_id}", response_model=None, responses=OPENAI_ERRORS, tags=["models"]
    )
    async def model(model_id: str, who: Principal = asker) -> Response:
        """One model, by its own name or by the one stock clients use."""
        return JSONResponse(_model(find_model(box.models(), model_id), loaded_at))


def _add_health(router: APIRouter, box: Box) -> None:
    """Load balancers ask with HEAD."""

    @router.head("/v1/health/live", response_model=None, include_in_schema=False)
    @router.get("/v1/health/live", response_model=None, tags=["health"])
    async def live() -> Response:
        """200 while the process runs."""
        return JSONResponse(
            {"object": "health.response", "message": "Service is live.", "status": "live"}
        )

    @router.head("/v1/health/ready", response_model=None, include_in_schema=False)
    @router.get(
        "/v1/health/ready",
        response_model=None,
        responses={503: {"description": "Calls are not taken, and why"}},
        tags=["health"],
    )
    async def ready() -> Response:
        """200 while calls are taken; else 503 and the reason."""
        parts = box.health()
        reason = not_ready_reason(parts, box.draining)
        body = {
            "object": "health.response",
            "message": reason or "Service is ready.",
            "status": "not_ready" if reason else "ready",
            "draining": box.draining,
            "parts": {
                name: {"ok": part.ok, "reason": part.reason, "detail": _detail(part)}
                for name, part in parts.items()
            },
        }
        return JSONResponse(body, 503 if reason else 200)


def _detail(part: Health) -> dict[str, str]:
    detail = dict(part.parts)
    if part.in_use:
        detail["in_use"] = part.in_use
    if part.live_legs is not None:
        detail["live_legs"] = str(part.live_legs)
    return detail


def not_ready_reason(parts: dict[str, Health], draining: bool) -> str:
    """Empty if calls are taken."""
    if draining:
        return "the box is shutting down"
    engine = parts.get("engine", Health(False, "no engine is set up"))
    return "" if engine.ok else f"engine: {engine.reason or 'not ready'}"


def _model(card: ModelCard, loaded_at: int) -> dict[str, Any]:
    return {
        "id": card.name,
        "object": "model",
        "created": loaded_at,  # when this box began to offer it: bundles carry no date
        "owned_by": "lingting",
        "lingting": {
            **schemas.origin(f"{card.name} {card.version}", card.demo),
            "licence": card.licence,
            "languages": list(card.languages),
            "tasks": list(card.tasks),
            "window_s": card.window_s,
            "device": card.device,
            "compute_type": card.compute_type,
            "description": card.description,
            **({"notice": card.notice} if card.notice and not card.demo else {}),
        },
    }
