"""The page's routes, as any HTTP client sees them; what a browser makes of it is in acceptance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from appliance.access.access import CredentialRequest
from appliance.access.roles import EVERY_TENANT, AccessRole, Principal
from appliance.console import view
from appliance.messages import AudioFormat, CallConfig, Encoding
from appliance.metrics import MOST_SYSTEMS
from appliance.security import audit
from appliance.settings.doors import AccessSettings
from appliance.store.credentials import Credentials
from tests.integration.gateway import RunningGateway, alaw, gateway

HTML = {"accept": "text/html"}
INSTALLER = Principal("installer", EVERY_TENANT, frozenset())


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as made:
        yield made


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as made:
        yield made


async def key(box: RunningGateway, *roles: AccessRole, tenant: str = "a") -> str:
    return (await box.access.create(INSTALLER, CredentialRequest("somebody", roles, tenant))).key


async def lines(client: httpx.AsyncClient, until: str, most_s: float = 10) -> str:
    """What the stream says until something is in it."""
    said = ""
    async with asyncio.timeout(most_s), client.stream("GET", "/console/events") as events:
        async for line in events.aiter_lines():
            said += f"{line}\n"
            if until in said:
                return said
    return said


async def test_programs_are_told_where_to_look_and_browsers_get_the_page(
    box: RunningGateway,
) -> None:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        assert (await client.get("/")).json()["name"] == "lingting"
        page = await client.get("/", headers=HTML)
        assert page.status_code == 200 and 'lang="zh-CN"' in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "<script>" not in page.text and " style=" not in page.text
        english = await client.get("/?lang=en", headers=HTML)
        assert 'lang="en"' in english.text
        assert 'lang="en"' in (await client.get("/", headers=HTML)).text  # remembered


async def test_only_the_pages_own_files_are_given(closed: RunningGateway) -> None:
    async with httpx.AsyncClient(base_url=closed.http, timeout=30) as client:
        script = await client.get("/console/static/page.js")
        assert script.status_code == 200 and "javascript" in script.headers["content-type"]
        for path in ("../page.py", "..%2Fpage.py", "%2e%2e/page.py", "/etc/passwd", "", "vendor"):
            assert (await client.get(f"/console/static/{path}")).status_code in (401, 404), path


async def test_a_cookie_opens_what_its_key_opens(closed: RunningGateway) -> None:
    async with httpx.AsyncClient(base_url=closed.http, timeout=30) as client:
        asked = await client.get("/", headers=HTML)
        assert asked.status_code == 401 and "<form" in asked.text
        assert (await client.post("/console/session")).status_code == 401
        mine = {"authorization": f"Bearer {await key(closed, AccessRole.OPERATOR, tenant='*')}"}
        answer = await client.post("/console/session", headers=mine)
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert mine["authorization"][7:] not in cookie
        assert "condition" in (await client.get("/", headers=HTML)).text
        assert (await client.get("/console/history")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/api/v1/calls")).status_code == 403
        assert (await client.delete("/console/session")).status_code == 401  # from elsewhere
        own = {"origin": closed.http}
        for strange in ("https://other.example", closed.http + "1", "null", ""):
            asked = await client.delete("/console/session", headers={"origin": strange})
            assert asked.status_code == 401, strange
        assert (await client.delete("/console/session", headers=own)).status_code == 204
        assert (await client.get("/", headers=HTML)).status_code == 401


async def test_each_sees_what_its_roles_see(closed: RunningGateway) -> None:
    for role, sees, not_sees in (
        (AccessRole.OPERATOR, "event: condition", "event: calls"),
        (AccessRole.AGENT, "event: calls", "event: condition"),
    ):
        mine = {"authorization": f"Bearer {await key(closed, role, tenant='*')}"}
        async with httpx.AsyncClient(base_url=closed.http, timeout=30, headers=mine) as client:
            said = await lines(client, sees)
            assert sees in said and not_sees not in said
    mine = {"authorization": f"Bearer {await key(closed, AccessRole.AUDIT_ADMIN, tenant='*')}"}
    async with httpx.AsyncClient(base_url=closed.http, timeout=30, headers=mine) as client:
        assert (await client.get("/console/events")).status_code in (401, 403)


@pytest.mark.parametrize(
    ("roles", "sees"), [("prophet operator", 'id="condition"'), ("prophet", "没有查看此页的角色")]
)
async def test_a_role_that_is_not_known_here_allows_nothing(
    closed: RunningGateway, roles: str, sees: str
) -> None:
    """As a newer release may have left it behind."""
    made = await closed.access.create(
        INSTALLER, CredentialRequest("somebody", (AccessRole.OPERATOR,), "*")
    )
    table = Credentials(closed.archive.store.database)
    await table.change(made.credential.id, roles=roles)
    await closed.access.refresh()
    mine = {"authorization": f"Bearer {made.key}"}
    async with httpx.AsyncClient(base_url=closed.http, timeout=30, headers=mine) as client:
        assert sees in (await client.get("/", headers=HTML)).text
        assert (await client.get("/metrics")).status_code == (200 if "operator" in roles else 403)
        assert (await client.get("/api/v1/calls")).status_code == 403


async def test_calls_of_another_hotline_system_are_not_there(closed: RunningGateway) -> None:
    pcm = AudioFormat(Encoding.ALAW, 8000, 2)
    config = CallConfig(audio=pcm, call_id="secret-1", tenant="a", door="hotline")
    async with closed.box.open_call(config) as call:
        await call.accept(alaw(1))
        for tenant, seen in (("a", True), ("b", False), (EVERY_TENANT, True)):
            mine = {"authorization": f"Bearer {await key(closed, AccessRole.AGENT, tenant=tenant)}"}
            async with httpx.AsyncClient(base_url=closed.http, timeout=30, headers=mine) as client:
                said = await lines(client, 'id="more"')
                assert ("secret-1" in said) is seen, tenant


async def test_looking_and_signing_in_and_out_are_in_the_audit_log(closed: RunningGateway) -> None:
    mine = {"authorization": f"Bearer {await key(closed, AccessRole.AGENT)}"}
    async with httpx.AsyncClient(base_url=closed.http, timeout=30, headers=mine) as client:
        await client.post("/console/session")
        await lines(client, "event: calls")
        for _ in range(2):  # the second time there is nothing to end
            await client.delete("/console/session", headers={"origin": closed.http})
    acts = [line["act"] for line in audit.records(closed.access.audit_folder)]
    assert acts[-3:] == ["session.begin", "calls.follow", "session.end"]


async def test_one_key_does_not_take_every_place(
    closed: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "MOST_OF_ONE", 2)
    greedy, modest = [
        {"authorization": f"Bearer {await key(closed, AccessRole.OPERATOR, tenant='*')}"}
        for _ in range(2)
    ]
    async with (
        httpx.AsyncClient(base_url=closed.http, timeout=30) as client,
        AsyncExitStack() as stack,
    ):
        for status in (200, 200, 429):
            stream = client.stream("GET", "/console/events", headers=greedy)
            assert (await stack.enter_async_context(stream)).status_code == status
        stream = client.stream("GET", "/console/events", headers=modest)
        assert (await stack.enter_async_context(stream)).status_code == 200


async def test_what_callers_make_up_becomes_no_label(box: RunningGateway) -> None:
    """Paths, names, ids and headers: however many there are, the metrics stay as many."""

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        await client.get(f"/made-up/{number}")
        await client.get(f"/api/v1/calls/call-{number}", headers={"x-request-id": f"r{number}"})
        await client.request(f"VERB{number}", "/metrics")
        pcm = AudioFormat(Encoding.ALAW, 8000, 2)
        config = CallConfig(audio=pcm, call_id=f"c{number}", tenant=f"t{number}", door="hotline")
        async with box.box.open_call(config) as call:
            await call.accept(alaw(0.1))

    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        for number in range(MOST_SYSTEMS + 1):
            await ask(client, number)
        await client.get("/metrics")
        before = set(series(await client.get("/metrics")))
        for number in range(100, 150):
            await ask(client, number)
        assert set(series(await client.get("/metrics"))) == before


def series(answer: httpx.Response) -> list[str]:
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return [line.rpartition(" ")[0] for line in lines]


async def test_a_stream_ends_with_its_session_and_with_the_box(closed: RunningGateway) -> None:
    async with httpx.AsyncClient(base_url=closed.http, timeout=30) as client:
        mine = {"authorization": f"Bearer {await key(closed, AccessRole.OPERATOR, tenant='*')}"}
        await client.post("/console/session", headers=mine)
        following = asyncio.create_task(lines(client, "never said"))
        await asyncio.sleep(0.5)
        closed.access.sessions.end(client.cookies["lingting"])
        assert "event: condition" in await following
        await client.post("/console/session", headers=mine)
        following = asyncio.create_task(lines(client, "never said"))
        await asyncio.sleep(0.5)
        closed.box.admission.draining = True
        assert "正在停机" in await following


async def test_only_so_many_pages_are_open(
    box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "MOST_VIEWERS", 1)
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        async with client.stream("GET", "/console/events") as events:
            reading = aiter(events.aiter_lines())
            while "condition" not in await anext(reading):
                pass
            refused = await client.get("/console/events", timeout=5)
            assert refused.status_code == 429 and refused.headers["retry-after"]
        await asyncio.sleep(0.5)
        assert "event: condition" in await lines(client, "event: condition")


async def test_odd_questions_get_clear_answers(box: RunningGateway) -> None:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        for since in ("never", "nan", "1e999", "-1"):
            answer = await client.get(f"/console/history?since={since}")
            assert answer.status_code in (200, 400, 422), since
        assert (await client.get("/?lang=xx", headers=HTML)).status_code == 200
