"""The gRPC server: binds, serves, drains."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from appliance.api import ports
from appliance.api.grpc import hotline, unary
from appliance.api.grpc.admission import RpcAdmission
from appliance.api.grpc.auth import Doorman
from appliance.api.grpc.health import HealthServicer
from appliance.api.grpc.knowledge import KnowledgeServicer
from appliance.api.grpc.orders import OrdersServicer
from appliance.api.grpc.quality import QualityServicer
from appliance.api.grpc.riva import SERVICE, RivaServicer, handlers
from appliance.api.grpc.warnings import WarningServicer
from appliance.api.tls import server_credentials
from appliance.settings import Settings
from appliance.settings.doors import GrpcSettings

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.api.services import Services
    from appliance.archive.archive import Archive
    from appliance.call.box import Box

log = logging.getLogger(__name__)

SETTLE_S = 5.0  # for the last finals, once the time to drain is over
FAREWELL_S = 1.0  # for their last status: a call gives its place back before it is sent
SPARE_STREAMS = 64  # of one connection, beyond those served: they are told that the box is full
HANDSHAKE_MS = 10_000  # for a connection to become one
KEEPALIVE_MS = 20_000  # how soon a client whose cable was pulled is noticed
KEEPALIVE_TIMEOUT_MS = 10_000
FASTEST_PING_MS = 5_000  # that a client may send without being told off


class GrpcServer:
    """The door of Riva's clients. `start` once, `stop` once."""

    def __init__(
        self,
        box: Box,
        archive: Archive | None = None,
        access: Access | None = None,
        services: Services | None = None,
    ) -> None:
        self._box, self._archive, self._access = box, archive, access
        self._services = services
        self._settings = box.settings.grpc
        self._admission = RpcAdmission(box.settings.limits, box.metrics)
        self._server: Any = None

    async def start(self) -> int:
        """Serve, and return the bound port; raises SettingsError if that cannot be."""
        doorman = Doorman(self._access, self._box.settings, self._box.metrics)
        server = grpc.aio.server(options=options(self._box.settings))
        server.add_generic_rpc_handlers(
            (handlers(RivaServicer(self._box, self._admission, doorman)),)
        )
        services = [SERVICE]
        if self._archive:
            ours = hotline.HotlineServicer(
                self._box, self._archive, self._admission, doorman, self._access
            )
            server.add_generic_rpc_handlers(hotline.handlers(ours))
            services += [hotline.SERVICE, hotline.OPERATIONS]
        for servicer in self._servicers(doorman):
            server.add_generic_rpc_handlers((unary.handlers(servicer),))
            services.append(servicer.service.full_name)
        health_pb2_grpc.add_HealthServicer_to_server(
            HealthServicer(self._box, self._admission, tuple(services)), server
        )
        if self._settings.reflection:
            health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
            services += [health, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(services, server)
        port = self._listen(server)
        await server.start()
        self._server = server
        return port

    def _servicers(self, doorman: Doorman) -> tuple[Any, ...]:
        """Of what is served beside calls."""
        if not (self._archive and self._services):
            return ()
        ours = self._services
        return (
            OrdersServicer(ours.orders, self._archive, doorman, self._access),
            KnowledgeServicer(ours.knowledge, doorman),
            QualityServicer(ours.quality, doorman),
            WarningServicer(ours.warnings, doorman),
        )

    def _listen(self, server: Any) -> int:
        """On every port there is to be; returns the one for callers with keys."""
        door = self._settings
        with_keys, with_certificates = server_credentials(door)
        port = bind(server, door, door.port, with_keys)
        if door.mtls_port is not None:
            bind(server, door, door.mtls_port, with_certificates)
        if folder := self._box.settings.local.folder:
            server.add_insecure_port(f"unix:{folder / 'grpc.sock'}")
        return port

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, let running ones end within `grace_s`, then close."""
        if self._server is None:
            return
        await self._admission.drain(grace_s, SETTLE_S)
        await self._server.stop(grace=FAREWELL_S)
        self._server = None


def bind(server: Any, settings: GrpcSettings, wanted: int, credentials: Any | None) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{wanted}"
    try:
        if credentials is None:
            port = int(server.add_insecure_port(address))
        else:
            port = int(server.add_secure_port(address, credentials))
    except RuntimeError as error:
        raise ports.cannot_listen("grpc", settings.host, wanted, error) from error
    return port


def options(settings: Settings) -> list[tuple[str, int]]:
    most_bytes = settings.grpc.max_message_mib * 1024 * 1024
    return [
        ("grpc.max_receive_message_length", most_bytes),
        ("grpc.max_send_message_length", most_bytes),
        ("grpc.max_concurrent_streams", settings.limits.idle_streams + SPARE_STREAMS),
        ("grpc.so_reuseport", 0),  # else a second box would silently share the port
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", FASTEST_PING_MS),
    ]
