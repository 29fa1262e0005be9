"""What strangers broke: small things that nobody who built the box would have tried."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from appliance.access.access import CredentialRequest
from appliance.access.roles import AccessRole, Principal
from appliance.api import ports
from appliance.api.grpc import health
from appliance.api.http.recordings import _share_of
from appliance.errors import Conflict, InvalidRequest
from appliance.messages import EVERY_TENANT
from tests.integration.gateway import RunningGateway, gateway

ROOT = Principal("installer", EVERY_TENANT, frozenset())


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as made:
        yield made


@pytest.fixture
async def client(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http) as made:
        yield made


@pytest.mark.parametrize("name", ["%00", "a" * 5000, "..%2f..%2fpage.py", "vendor"])
async def test_odd_names_of_static_files_are_just_not_there(
    client: httpx.AsyncClient, name: str
) -> None:
    assert (await client.get(f"/console/static/{name}")).status_code == 404


async def test_a_method_that_is_not_taken_names_those_that_are(client: httpx.AsyncClient) -> None:
    answer = await client.put("/api/v1/recordings")
    assert answer.status_code == 405 and "POST" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/calls", "/api/v1/deliveries", "/api/v1/calls/x/events"])
async def test_a_misspelt_parameter_is_named(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, params={"page_sise": 5})
    assert answer.status_code == 400 and answer.json()["param"] == "page_sise"


async def test_a_recording_of_nothing_is_told_what_is_missing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/recordings", json={})
    assert answer.status_code == 400 and answer.json()["param"] == "path"


async def test_small_answers_wait_for_nobody() -> None:
    listener = ports.listen("127.0.0.1", 0)
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("tenant", [".", "..", "..."])
async def test_no_tenant_is_a_way_out_of_the_share(
    box: RunningGateway, client: httpx.AsyncClient, tmp_path: Path, tenant: str
) -> None:
    with pytest.raises(InvalidRequest, match="is no name"):
        await box.access.create(ROOT, CredentialRequest("x", (AccessRole.CALLER,), tenant))
    named = replace(ROOT, tenant=tenant)  # of an earlier release
    own = _share_of(tmp_path / "share", named)
    assert own and own.parent == tmp_path / "share" and not own.exists()


async def test_one_person_is_not_two_admins(box: RunningGateway) -> None:
    certificate = "ab" * 32
    await box.access.first_admins(ROOT, {AccessRole.SECURITY_ADMIN: certificate})
    with pytest.raises(Conflict, match="another kind of admin"):
        await box.access.create(
            ROOT,
            CredentialRequest(
                "audit", (AccessRole.AUDIT_ADMIN,), EVERY_TENANT, certificate=certificate
            ),
        )


async def test_health_has_so_many_watchers(
    box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "MOST_WATCHERS", 2)
    async with grpc.aio.insecure_channel(box.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watching = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
        for each in watching:
            await each.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Watch(health_pb2.HealthCheckRequest()).read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        watching[0].cancel()
