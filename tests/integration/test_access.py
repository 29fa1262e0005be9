"""Who may do what: every route, every method, tenants, the three admins, revoking, limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.longrunning import operations_pb2

from appliance.access.access import CredentialRequest
from appliance.access.refusals import ONE_BY_ONE
from appliance.access.roles import ADMINS, EVERY_TENANT, AccessRole, Principal
from appliance.api.http.app import create_app
from appliance.api.http.auth import OPEN_PATHS, every_route, unguarded
from appliance.errors import InvalidRequest
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.security import audit
from appliance.settings.doors import AccessSettings
from tests.integration.gateway import RunningGateway, alaw, gateway

HOTLINE = "/lingting.hotline.v1.Hotline/"
OPERATIONS = "/google.longrunning.Operations/"
RIVA = "/nvidia.riva.asr.RivaSpeechRecognition/"
INSTALLER = Principal("installer", EVERY_TENANT, frozenset())


class Closed:
    """A gateway that asks for keys, and one key of each role and tenant."""

    def __init__(self, box: RunningGateway) -> None:
        self.box, self.keys = box, dict[str, str]()

    async def make(self, name: str, *roles: AccessRole, tenant: str = "a", **more: Any) -> str:
        """Its id; the key is kept under its name."""
        wanted = CredentialRequest(name, roles, tenant, **more)
        made = await self.box.access.create(INSTALLER, wanted)
        self.keys[name] = made.key
        return made.credential.id

    def client(self, name: str = "") -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.keys[name]}"} if name else {}
        return httpx.AsyncClient(base_url=self.box.http, headers=headers)

    def metadata(self, name: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.keys[name]}"),)


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Closed]:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        yield Closed(box)


async def admins(closed: Closed) -> None:
    for made in await closed.box.access.first_admins(INSTALLER):
        closed.keys[made.credential.roles[0]] = made.key


def routes(box: RunningGateway) -> list[tuple[str, str]]:
    """(method, path) of everything HTTP."""
    app = create_app(box.box, box.archive, box.access)
    found = []
    for route in every_route(app.routes):
        for method in getattr(route, "methods", None) or ():
            path = route.path
            for name in ("call", "recording", "delivery", "model_id", "credential", "ref"):
                path = path.replace(f"{{{name}}}", "x")
            found.append((method, path.replace("{name:path}", "console.css")))
    return found


async def test_every_route_asks_who_it_is(closed: Closed) -> None:
    listed = routes(closed.box)
    assert len(listed) > 20
    async with closed.client() as client:
        for method, path in listed:
            answer = await client.request(method, path)
            is_open = path in OPEN_PATHS or path.startswith("/console/static/")
            expected = {200, 503} if is_open else {401}
            assert answer.status_code in expected, f"{method} {path}: {answer.status_code}"
            if not is_open:
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "body", [b'{"name": "x"}', b"{", b"x" * 2_000_000], ids=["json", "torn", "large"]
)
async def test_a_body_is_read_from_nobody_unknown(closed: Closed, body: bytes) -> None:
    """Not even to say that it is none: it may be without end."""
    headers = {"content-type": "application/json"}
    async with closed.client() as client:
        for method, path in routes(closed.box):
            if method in ("POST", "PUT", "PATCH"):
                answer = await client.request(method, path, content=body, headers=headers)
                assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"


async def test_no_route_is_left_unguarded(closed: Closed) -> None:
    box = closed.box
    assert set(unguarded(create_app(box.box, box.archive, box.access))) == OPEN_PATHS


METHODS = {
    f"{RIVA}StreamingRecognize": b"",
    f"{RIVA}Recognize": b"",
    f"{RIVA}GetRivaSpeechRecognitionConfig": b"",
    **{f"{HOTLINE}{m}": b"" for m in ("StreamCall", "WatchCall", "GetCall", "ListCalls")},
    **{f"{HOTLINE}{m}": b"" for m in ("DeleteCall", "CreateRecording")},
    **{f"{OPERATIONS}{m}": b"" for m in ("GetOperation", "WaitOperation", "CancelOperation")},
}


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_asks_who_it_is(closed: Closed, method: str) -> None:
    async with grpc.aio.insecure_channel(closed.box.grpc) as channel:
        call = channel.unary_unary(method)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        wrong = (("authorization", "Bearer lt_wrong"),)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", timeout=10, metadata=wrong)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def record(closed: Closed, name: str) -> str:
    """A finished recording of that key's tenant; its id."""
    async with closed.client(name) as client:
        form = {"encoding": "alaw", "sample_rate_hertz": "8000", "channels": "2"}
        sent = await client.post(
            "/api/v1/recordings", data={**form, "call_id": "same"}, files={"file": alaw(4)}
        )
        assert sent.status_code == 202, sent.text
        while (await client.get(sent.headers["location"])).json()["state"] != "finished":
            await asyncio.sleep(0.05)
    return str(sent.json()["id"])


async def test_a_tenant_sees_its_own_calls_alone(closed: Closed) -> None:
    for tenant in ("a", "b"):
        await closed.make(f"caller-{tenant}", AccessRole.CALLER, tenant=tenant)
        await closed.make(f"inspector-{tenant}", AccessRole.INSPECTOR, tenant=tenant)
    await closed.make("everything", AccessRole.INSPECTOR, tenant=EVERY_TENANT)
    ids = {tenant: await record(closed, f"caller-{tenant}") for tenant in ("a", "b")}
    for mine, other in (("a", "b"), ("b", "a")):
        for who in (f"caller-{mine}", f"inspector-{mine}"):
            async with closed.client(who) as client:
                listed = (await client.get("/api/v1/calls")).json()["calls"]
                assert [call["id"] for call in listed] == [ids[mine]]
                assert (await client.get("/api/v1/calls/same")).json()["id"] == ids[mine]
                for path in ("", "/events"):
                    answer = await client.get(f"/api/v1/calls/{ids[other]}{path}")
                    assert answer.status_code == 404, (who, path)
                answer = await client.get(f"/api/v1/recordings/{ids[other]}")
                assert answer.status_code == 404
    async with closed.client("inspector-a") as client:
        assert (await client.get(f"/api/v1/calls/{ids['b']}/audio")).status_code == 404
        assert (await client.delete(f"/api/v1/calls/{ids['b']}")).status_code == 404
    async with closed.client("caller-a") as client:
        path = f"/api/v1/recordings/{ids['b']}/cancel"
        assert (await client.post(path)).status_code == 404
    async with closed.client("everything") as client:
        assert len((await client.get("/api/v1/calls")).json()["calls"]) == 2
        assert (await client.delete(f"/api/v1/calls/{ids['b']}")).status_code == 204


async def test_a_tenant_sees_its_own_calls_alone_in_grpc(closed: Closed) -> None:
    for tenant in ("a", "b"):
        await closed.make(f"caller-{tenant}", AccessRole.CALLER, tenant=tenant)
    await closed.make("inspector-a", AccessRole.INSPECTOR, tenant="a")
    theirs = await record(closed, "caller-b")
    asks = {
        f"{HOTLINE}GetCall": ("caller-a", pb.GetCallRequest(name=f"calls/{theirs}")),
        f"{HOTLINE}DeleteCall": ("inspector-a", pb.DeleteCallRequest(name=f"calls/{theirs}")),
        f"{OPERATIONS}GetOperation": (
            "caller-a",
            operations_pb2.GetOperationRequest(name=f"operations/{theirs}"),
        ),
        f"{OPERATIONS}CancelOperation": (
            "caller-a",
            operations_pb2.CancelOperationRequest(name=f"operations/{theirs}"),
        ),
    }
    async with grpc.aio.insecure_channel(closed.box.grpc) as channel:
        for method, (who, request) in asks.items():
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(method)(
                    request.SerializeToString(), metadata=closed.metadata(who)
                )
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND, method
        watch = channel.unary_stream(f"{HOTLINE}WatchCall")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            request = pb.WatchCallRequest(name=f"calls/{theirs}")
            async for _ in watch(request.SerializeToString(), metadata=closed.metadata("caller-a")):
                pass
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        listed = await channel.unary_unary(
            f"{HOTLINE}ListCalls", response_deserializer=pb.ListCallsResponse.FromString
        )(b"", metadata=closed.metadata("caller-a"))
        assert not listed.calls


# What each admin does; any other of them, and everybody else, is refused.
ACTS = {
    AccessRole.SYSTEM_ADMIN: [
        ("GET", "/api/v1/admin/settings"),
        ("POST", "/api/v1/admin/restart"),
        ("POST", "/api/v1/admin/bundles"),
        ("POST", "/api/v1/admin/bundles/activate"),
        ("POST", "/api/v1/admin/bundles/rollback"),
        ("GET", "/api/v1/admin/bundles/x@1"),
        ("DELETE", "/api/v1/admin/bundles/x@1"),
        ("POST", "/api/v1/admin/trial"),
        ("POST", "/api/v1/admin/trial/lead"),
        ("POST", "/api/v1/admin/trial/abort"),
        ("PUT", "/api/v1/admin/beside"),
        ("DELETE", "/api/v1/admin/beside/x@1"),
    ],
    AccessRole.SECURITY_ADMIN: [
        ("POST", "/api/v1/admin/credentials"),
        ("POST", "/api/v1/admin/credentials/x/revoke"),
    ],
    AccessRole.AUDIT_ADMIN: [
        ("GET", "/api/v1/admin/audit"),
        ("GET", "/api/v1/admin/audit/verify"),
        ("GET", "/api/v1/admin/audit/export"),
    ],
}


async def test_no_admin_can_do_anothers_act(closed: Closed) -> None:
    await admins(closed)
    await closed.make(
        "nobody", AccessRole.CALLER, AccessRole.AGENT, AccessRole.INSPECTOR, AccessRole.OPERATOR
    )
    body = {"name": "mine", "roles": ["caller"], "tenant": "a"}
    for owner, acts in ACTS.items():
        for method, path in acts:
            for who in (*ADMINS, "nobody"):
                if who == owner:
                    continue
                async with closed.client(who) as client:
                    answer = await client.request(method, path, json=body)
                    assert answer.status_code == 403, f"{who} {method} {path}"
    for who in ADMINS:  # nor do admins read calls, or send any
        async with closed.client(who) as client:
            for method, path in (
                ("GET", "/api/v1/calls"),
                ("GET", "/api/v1/calls/x/audio"),
                ("POST", "/v1/audio/transcriptions"),
                ("GET", "/metrics"),
            ):
                assert (await client.request(method, path)).status_code == 403, (who, path)


async def test_the_security_admin_alone_makes_no_admin(closed: Closed) -> None:
    """Else that one could make a key for the others' acts."""
    await admins(closed)
    body = {"name": "second", "roles": ["audit_admin"]}
    async with closed.client("security_admin") as client:
        made = (await client.post("/api/v1/admin/credentials", json=body)).json()
        assert made["pending"]
        closed.keys["second"] = made["key"]
        path = f"/api/v1/admin/credentials/{made['id']}/approve"
        assert (await client.post(path)).status_code == 403
    async with closed.client("second") as client:
        assert (await client.get("/api/v1/admin/audit")).status_code == 401
    async with closed.client("audit_admin") as client:  # of the same kind
        assert (await client.post(path)).status_code == 403
    async with closed.client("system_admin") as client:
        assert (await client.post(path)).status_code == 200
    async with closed.client("second") as client:
        assert (await client.get("/api/v1/admin/audit")).status_code == 200


async def test_one_credential_holds_one_admin_role(closed: Closed) -> None:
    await admins(closed)
    async with closed.client("security_admin") as client:
        for roles in (["audit_admin", "security_admin"], ["system_admin", "caller"]):
            body = {"name": "both", "roles": roles}
            answer = await client.post("/api/v1/admin/credentials", json=body)
            assert answer.status_code == 400


async def test_first_admins_are_made_once(closed: Closed) -> None:
    await admins(closed)
    with pytest.raises(Exception, match="there are admins already"):
        await closed.box.access.first_admins(INSTALLER)


async def test_a_revoked_key_opens_nothing_from_then_on(closed: Closed) -> None:
    made = await closed.make("gone", AccessRole.CALLER)
    async with closed.client("gone") as client:
        assert (await client.get("/v1/models")).status_code == 200
        await closed.box.access.revoke(INSTALLER, made)
        answer = await client.get("/v1/models")
    assert answer.status_code == 401
    assert "revoked" in answer.text


async def test_a_stream_ends_with_its_key(closed: Closed) -> None:
    made = await closed.make("gone", AccessRole.CALLER)
    sent = asyncio.Event()

    async def requests() -> AsyncIterator[Any]:
        config = pb.CallConfig(encoding=pb.AUDIO_ENCODING_ALAW, sample_rate_hertz=8000, channels=2)
        yield pb.StreamCallRequest(config=config)
        yield pb.StreamCallRequest(audio=pb.Audio(content=alaw(0.2)))
        sent.set()
        # grpc.aio tells INTERNAL instead of the server's status if a write meets the end.
        await asyncio.Event().wait()

    async with grpc.aio.insecure_channel(closed.box.grpc) as channel:
        stream = channel.stream_stream(
            f"{HOTLINE}StreamCall", pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
        )(requests(), metadata=closed.metadata("gone"))

        async def read() -> None:
            async for _ in stream:
                pass

        reading = asyncio.create_task(read())
        await sent.wait()
        await closed.box.access.revoke(INSTALLER, made)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await asyncio.wait_for(reading, 5)
    assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_watcher_is_let_go_with_its_key(closed: Closed) -> None:
    await closed.make("caller", AccessRole.CALLER)
    made = await closed.make("watcher", AccessRole.AGENT)

    async def requests(go: asyncio.Event) -> AsyncIterator[Any]:
        config = pb.CallConfig(
            *(), encoding=pb.AUDIO_ENCODING_ALAW, sample_rate_hertz=8000, channels=2, call_id="w"
        )
        yield pb.StreamCallRequest(config=config)
        yield pb.StreamCallRequest(audio=pb.Audio(content=alaw(1)))
        await go.wait()
        yield pb.StreamCallRequest(audio=pb.Audio(content=alaw(6)))

    go = asyncio.Event()
    async with grpc.aio.insecure_channel(closed.box.grpc) as channel, closed.client("watcher") as c:
        calling = channel.stream_stream(
            f"{HOTLINE}StreamCall", pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
        )(requests(go), metadata=closed.metadata("caller"))
        reading = asyncio.create_task(calling.read())
        while (await c.get("/api/v1/calls/w")).status_code != 200:
            await asyncio.sleep(0.02)
        async with c.stream("GET", "/api/v1/calls/w/events") as events:
            lines = events.aiter_lines()
            await anext(lines)
            await closed.box.access.revoke(INSTALLER, made)
            go.set()
            rest = []
            with contextlib.suppress(httpx.RemoteProtocolError):
                rest = [line async for line in lines]
        assert not any(line.startswith("data:") for line in rest)
        calling.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_streamed_transcript_ends_with_its_key(closed: Closed) -> None:
    made = await closed.make("listener", AccessRole.CALLER)
    closed.box.engine.delay_s = 0.5
    form = {"model": "whisper-1", "stream": "true", "encoding": "alaw"}
    form |= {"sample_rate_hertz": "8000", "channels": "2"}
    files = {"file": ("call.alaw", alaw(30))}
    async with (
        closed.client("listener") as client,
        client.stream("POST", "/v1/audio/transcriptions", data=form, files=files) as events,
    ):
        lines = events.aiter_lines()
        await anext(lines)
        await closed.box.access.revoke(INSTALLER, made)
        rest = [line async for line in lines if line.startswith("data:")]
    assert len(rest) == 1 and "revoked" in rest[0], rest


async def test_an_expired_key_opens_nothing(closed: Closed) -> None:
    await closed.make("short", AccessRole.CALLER, days=0.1 / 86_400)
    await asyncio.sleep(0.2)
    async with closed.client("short") as client:
        answer = await client.get("/v1/models")
    assert answer.status_code == 401
    assert "expired" in answer.text


async def test_a_key_has_a_rate(closed: Closed) -> None:
    await closed.make("busy", AccessRole.CALLER, per_minute=3)
    await closed.make("other", AccessRole.CALLER)
    async with closed.client("busy") as client:
        answers = [await client.get("/v1/models") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    async with closed.client("other") as client:
        assert (await client.get("/v1/models")).status_code == 200


async def test_guessing_is_slowed_down(closed: Closed) -> None:
    await closed.make("good", AccessRole.CALLER)
    async with closed.client() as client:
        for n in range(40):
            headers = {"authorization": f"Bearer lt_{n}"}
            answer = await client.get("/v1/models", headers=headers)
        assert answer.status_code == 429
    async with closed.client("good") as client:  # from the same address
        assert (await client.get("/v1/models")).status_code == 200


async def test_an_operation_that_holds_a_call_is_a_reading_of_it(closed: Closed) -> None:
    await closed.make("caller", AccessRole.CALLER)
    await closed.make("inspector", AccessRole.INSPECTOR)
    call_id = await record(closed, "caller")
    async with grpc.aio.insecure_channel(closed.box.grpc) as channel:
        for method in ("GetOperation", "WaitOperation"):
            kind = getattr(operations_pb2, f"{method}Request")
            ask = channel.unary_unary(f"{OPERATIONS}{method}", kind.SerializeToString)
            for name in ("caller", "inspector"):
                await ask(kind(name=f"operations/{call_id}"), metadata=closed.metadata(name))
    told = [r for r in audit.records(closed.box.access.audit_folder) if r["act"] == "call.read"]
    assert [r["actor"] for r in told] == ["inspector", "inspector"]


async def test_each_hotline_system_has_its_own_part_of_the_share(closed: Closed) -> None:
    await closed.make("caller-a", AccessRole.CALLER, tenant="a")
    share = closed.box.settings.http.share
    assert share
    for tenant in ("a", "b"):
        (share / tenant).mkdir(parents=True)
        (share / tenant / "call.alaw").write_bytes(alaw(3))
    form = {"encoding": "alaw", "sample_rate_hertz": 8000, "channels": 2}
    async with closed.client("caller-a") as client:
        for path, status in (("call.alaw", 202), ("../b/call.alaw", 404), ("b/call.alaw", 404)):
            answer = await client.post("/api/v1/recordings", json={**form, "path": path})
            assert answer.status_code == status, path


async def test_deliveries_are_of_every_hotline_system(closed: Closed) -> None:
    await closed.make("one", AccessRole.OPERATOR, tenant="a")
    await closed.make("all", AccessRole.OPERATOR, tenant=EVERY_TENANT)
    for name, status in (("one", 403), ("all", 200)):
        async with closed.client(name) as client:
            assert (await client.get("/api/v1/deliveries")).status_code == status


@pytest.mark.parametrize("tenant", ["local", "canary"])
async def test_the_boxs_own_names_are_nobodys(closed: Closed, tenant: str) -> None:
    with pytest.raises(InvalidRequest, match="own name"):
        await closed.make("x", AccessRole.CALLER, tenant=tenant)


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "nonsense", "Bearer é"])
async def test_odd_headers_are_refused(closed: Closed, header: str) -> None:
    async with closed.client() as client:
        answer = await client.get("/v1/models", headers={"authorization": header.encode()})
    assert answer.status_code == 401


async def test_keys_are_nowhere_on_the_disk(closed: Closed, tmp_path: Path) -> None:
    await closed.make("secret", AccessRole.CALLER)
    key = closed.keys["secret"].encode()
    files = await asyncio.to_thread(lambda: list(filter(Path.is_file, tmp_path.rglob("*"))))
    assert files
    assert not [path for path in files if key in await asyncio.to_thread(path.read_bytes)]


async def test_privileged_acts_are_logged(closed: Closed) -> None:
    await admins(closed)
    await closed.make("caller", AccessRole.CALLER)
    await closed.make("inspector", AccessRole.INSPECTOR)
    call = await record(closed, "caller")
    async with closed.client("caller") as client:
        assert (await client.get(f"/api/v1/calls/{call}")).status_code == 200
        assert (await client.delete(f"/api/v1/calls/{call}")).status_code == 403
    async with closed.client("inspector") as client:
        assert (await client.get(f"/api/v1/calls/{call}")).status_code == 200
        assert (await client.get(f"/api/v1/calls/{call}/audio")).status_code == 404
        assert (await client.delete(f"/api/v1/calls/{call}")).status_code == 204
    async with closed.client("audit_admin") as client:
        page = (await client.get("/api/v1/admin/audit", params={"size": 1000})).json()["records"]
        verdict = (await client.get("/api/v1/admin/audit/verify")).json()
    told = [(r["actor"], r["act"], r["outcome"]) for r in page]
    assert ("box", "box.start", "done") in told
    assert ("installer", "credential.create", "done") in told
    assert ("caller", "access", "refused") in told
    assert [t for t in told if t[0] == "inspector"] == [
        ("inspector", "call.read", "done"),
        ("inspector", "call.audio", "asked"),
        ("inspector", "call.audio", "failed"),  # none was kept
        ("inspector", "call.delete", "asked"),
        ("inspector", "call.delete", "done"),
    ]
    assert not [t for t in told if t[:2] == ("caller", "call.read")]  # its own machine's work
    assert verdict["ok"] and verdict["records"] == len(page)


async def test_what_cannot_be_logged_is_not_done(
    closed: Closed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await closed.make("caller", AccessRole.CALLER)
    await closed.make("inspector", AccessRole.INSPECTOR)
    call = await record(closed, "caller")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit, "_append", full)
    async with closed.client("inspector") as client:
        for method, path in (("DELETE", ""), ("GET", ""), ("GET", "/audio")):
            answer = await client.request(method, f"/api/v1/calls/{call}{path}")
            assert answer.status_code == 503
            assert answer.json()["code"] == "audit_unavailable"
    monkeypatch.undo()
    async with closed.client("inspector") as client:
        assert (await client.get(f"/api/v1/calls/{call}")).status_code == 200


async def test_doors_on_loopback_are_open_unless_told(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        assert (await client.get("/api/v1/calls")).status_code == 200
        assert (await client.get("/api/v1/admin/settings")).status_code == 403
        any_key = {"authorization": "Bearer none"}  # an OpenAI client cannot but send one
        assert (await client.get("/api/v1/calls", headers=any_key)).status_code == 200
        made = await box.access.create(
            INSTALLER, CredentialRequest("script", (AccessRole.CALLER,), "a")
        )
        known = {"authorization": f"Bearer {made.key}"}
        assert (await client.get("/api/v1/calls", headers=known)).status_code == 200
        await box.access.revoke(INSTALLER, made.credential.id)
        assert (await client.get("/api/v1/calls", headers=known)).status_code == 401


async def test_the_unix_socket_lets_in_root_for_little(tmp_path: Path) -> None:
    local = tmp_path / "run"
    local.mkdir()
    async with gateway(tmp_path, access=AccessSettings(keys="always"), local=local) as box:
        transport = httpx.AsyncHTTPTransport(uds=str(local / "http.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://box") as client:
            assert (await client.get("/v1/models")).status_code == 200
            assert (await client.get("/api/v1/calls")).json()["calls"] == []
            assert (await client.get("/api/v1/admin/audit")).status_code in (401, 403)
            made = await client.post("/api/v1/admin/first", json={})
            assert made.status_code == 200
            assert len(made.json()["credentials"]) == 3
            assert (await client.post("/api/v1/admin/first", json={})).status_code == 409
        async with grpc.aio.insecure_channel(f"unix:{local / 'grpc.sock'}") as channel:
            listed = channel.unary_unary(
                f"{HOTLINE}ListCalls", response_deserializer=pb.ListCallsResponse.FromString
            )
            assert not (await listed(b"")).calls
        async with httpx.AsyncClient(base_url=box.http) as client:
            assert (await client.post("/api/v1/admin/first", json={})).status_code == 401


async def test_a_flood_of_wrong_keys_does_not_fill_the_audit_log(closed: Closed) -> None:
    folder = closed.box.access.audit_folder

    def refusals() -> list[dict[str, Any]]:
        lines = [line for path in folder.glob("audit-*.jsonl") for line in path.open()]
        return [entry for entry in map(json.loads, lines) if entry["outcome"] == "refused"]

    before = len(refusals())
    wrong = {"authorization": "Bearer lt_wrong"}
    async with httpx.AsyncClient(base_url=closed.box.http, verify=False) as client:
        answers = [await client.get("/api/v1/calls", headers=wrong) for _ in range(100)]
    assert {answer.status_code for answer in answers} <= {401, 429}
    told = len(refusals()) - before
    assert 0 < told <= ONE_BY_ONE
    await closed.box.access._sum_up()
    assert "more within" in refusals()[-1]["detail"] or told < ONE_BY_ONE
