"""The HTTP application: which rooms answer where."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from appliance.api.http import errors
from appliance.api.http.admin import admin_routes
from appliance.api.http.audio import audio_routes
from appliance.api.http.auth import known_query
from appliance.api.http.beside import beside_routes
from appliance.api.http.bundles import bundle_routes
from appliance.api.http.calls import call_routes
from appliance.api.http.console import console_routes
from appliance.api.http.deliveries import delivery_routes
from appliance.api.http.knowledge import knowledge_routes
from appliance.api.http.middleware import Middleware
from appliance.api.http.open311 import open311_routes
from appliance.api.http.orders import order_routes
from appliance.api.http.quality import quality_routes
from appliance.api.http.recordings import recording_routes
from appliance.api.http.replays import replay_routes
from appliance.api.http.status import root_routes, status_routes
from appliance.api.http.terms import term_routes
from appliance.api.http.texts import text_routes
from appliance.api.http.trials import trial_routes
from appliance.api.http.warnings import warning_routes
from appliance.api.ws.realtime import realtime_routes
from appliance.archive.texts import Texts
from appliance.errors import LingtingError
from appliance.models.serving import library_of
from appliance.watch.gpu import GpuReader
from appliance.watch.history import History

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.api.http.followed import Followed
    from appliance.archive.archive import Archive
    from appliance.call.box import Box

# FastAPI would send traces, with what exceptions quote, to wherever the environment says.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(
    box: Box,
    archive: Archive | None = None,
    access: Access | None = None,
    history: History | None = None,
    followed: Followed | None = None,
) -> FastAPI:
    # The usual documentation pages fetch their scripts from the internet; there is none here.
    app = FastAPI(
        title="Lingting",
        version=version("lingting"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # a route like the others: status.py
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        dependencies=[Depends(known_query)],
    )
    app.include_router(audio_routes(box, access))
    app.include_router(realtime_routes(box, access))
    if archive and followed:
        texts, services = Texts(archive), followed.services
        app.include_router(order_routes(services.orders, archive, access))
        app.include_router(knowledge_routes(services.knowledge, access))
        app.include_router(quality_routes(services.quality, access))
        app.include_router(warning_routes(services.warnings, access))
        app.include_router(text_routes(texts, services.orders, access))
        app.include_router(open311_routes(services.orders, texts, access))
    if archive:
        app.include_router(recording_routes(box, archive, access))
        app.include_router(call_routes(archive, access))
    if followed:
        app.include_router(delivery_routes(followed.webhooks, access))
        app.include_router(replay_routes(followed.replays, access))
        app.include_router(term_routes(followed.terms, access))
    if access:
        app.include_router(admin_routes(access, box.settings))
        library = library_of(box.settings)
        rollout = followed.rollout if followed else None
        app.include_router(bundle_routes(library, access, rollout))
        if followed:
            app.include_router(trial_routes(followed.rollout, library, access))
            app.include_router(beside_routes(followed.beside, library, access))
    app.include_router(status_routes(box, access))
    if archive:
        history = history or History(box.metrics, GpuReader(box.settings.triton))
        app.include_router(
            console_routes(
                *(box, history, access),
                followed=followed,
            )
        )
    else:
        app.include_router(root_routes(access))
    app.add_exception_handler(LingtingError, errors.on_lingting_error)
    app.add_exception_handler(HTTPException, errors.on_http_exception)
    app.add_exception_handler(RequestValidationError, errors.on_validation_error)
    app.add_exception_handler(ClientDisconnect, errors.on_client_gone)
    app.add_middleware(Middleware, metrics=box.metrics)
    return app
