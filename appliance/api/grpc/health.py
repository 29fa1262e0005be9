"""grpc.health.v1, computed from the box at every question rather than kept beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from appliance.api.grpc.admission import RpcAdmission

if TYPE_CHECKING:
    from appliance.call.box import Box

WATCH_INTERVAL_S = 0.5  # how soon a watcher hears of a change
MOST_WATCHERS = 64  # load balancers and the like

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Serving means: a new call would be recognised."""

    def __init__(self, box: Box, admission: RpcAdmission, services: tuple[str, ...]) -> None:
        self._box, self._admission = box, admission
        self._services = ("", *services)
        self._watching = 0

    def _status(self, service: str) -> int:
        if service not in self._services:
            return int(SERVICE_UNKNOWN)
        if self._admission.draining or self._box.draining:
            return int(NOT_SERVING)
        engine = self._box.health().get("engine")
        return int(SERVING if engine is not None and engine.ok else NOT_SERVING)

    async def Check(self, request: Any, context: Any) -> Any:
        status = self._status(request.service)
        if status == SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: Any, context: Any) -> None:
        if self._watching >= MOST_WATCHERS:
            code, words = grpc.StatusCode.RESOURCE_EXHAUSTED, f"{self._watching} watch already"
            await context.abort(code, words)
        self._watching += 1
        try:
            await self._watch(request, context)
        finally:
            self._watching -= 1

    async def _watch(self, request: Any, context: Any) -> None:
        last = None
        while True:
            status = self._status(request.service)
            if status != last:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                last = status
            await asyncio.sleep(WATCH_INTERVAL_S)
