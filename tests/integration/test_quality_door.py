"""A call is scored once it is over; agents appeal, inspectors decide, statistics count it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.access.access import CredentialRequest
from appliance.access.roles import AccessRole, Principal
from appliance.settings.doors import AccessSettings
from tests.integration.gateway import CALL, RunningGateway, gateway

RULE = "closing"  # what the fake engine hears has none
INSTALLER = Principal("installer", "*", frozenset())


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as running:
        yield running


@pytest.fixture
async def web(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        yield client


async def call(web: httpx.AsyncClient, **fields: str) -> str:
    """A recording that was heard and inspected; its id."""
    form = {"leg_roles": "agent,citizen", "agent": "3021", **fields}
    sent = await web.post("/api/v1/recordings", data=form, files={"file": CALL.open("rb")})
    assert sent.status_code == 202, sent.text
    name = str(sent.json()["call"]).rpartition("/")[2]
    async with asyncio.timeout(30):
        while (await web.get(f"/api/v1/calls/{name}/quality")).status_code != 200:
            await asyncio.sleep(0.05)
    return name


async def quality(web: httpx.AsyncClient, name: str) -> dict[str, Any]:
    told: dict[str, Any] = (await web.get(f"/api/v1/calls/{name}/quality")).json()
    return told


async def act(web: httpx.AsyncClient, name: str, rule: str, **body: str) -> httpx.Response:
    return await web.post(f"/api/v1/calls/{name}/quality/{rule}", json=body)


def finding(told: dict[str, Any], rule: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in told["findings"] if each["rule"] == rule)
    return found


async def test_a_call_is_scored_and_a_finding_overridden(web: httpx.AsyncClient) -> None:
    name = await call(web)
    told = await quality(web, name)
    assert told["agent"] == "3021" and told["pack"].startswith("datong")
    taken = sum(each["points"] for each in told["findings"])
    assert told["total"] == 100 - taken and finding(told, RULE)["finding"] == "violated", told
    appealed = await act(web, name, RULE, action="appeal", reason="我说了您好")
    assert finding(appealed.json(), RULE)["appeal"] == "open"
    done = (await act(web, name, RULE, action="override", reason="听录音，说了")).json()
    assert finding(done, RULE) | {"finding": "kept", "first": "violated", "points": 0.0} == finding(
        done, RULE
    )
    assert done["total"] == told["total"] + finding(told, RULE)["points"]
    assert [each["action"] for each in done["events"]] == ["appeal", "override"]
    assert done["events"][0]["reason"] == "我说了您好"


async def test_what_was_decided_stays_decided(web: httpx.AsyncClient) -> None:
    name = await call(web)
    assert (await act(web, name, RULE, action="uphold", reason="对")).status_code == 409
    assert (await act(web, name, RULE, action="appeal", reason="不对")).status_code == 200
    assert (await act(web, name, RULE, action="appeal", reason="不对")).status_code == 409
    assert (await act(web, name, RULE, action="uphold", reason="没说")).status_code == 200
    assert (await act(web, name, RULE, action="override", reason="再听")).status_code == 200
    again = await act(web, name, RULE, action="override", reason="改回去")
    assert again.status_code == 409 and "final" in again.json()["detail"]
    assert (await act(web, name, "no_rule", action="appeal", reason="x")).status_code == 404
    assert (await act(web, name, RULE, action="appeal", reason=" ")).status_code == 400


async def test_statistics_by_agent_and_rule(web: httpx.AsyncClient) -> None:
    for agent in ("3021", "3021", "3022"):
        await call(web, agent=agent)
    told = (await web.get("/api/v1/quality/statistics")).json()
    agents = {each["agent"]: each for each in told["agents"]}
    assert told["calls"] == 3 and agents["3021"]["calls"] == 2
    assert agents["3021"]["low"] <= agents["3021"]["mean"] <= agents["3021"]["high"]
    rule = next(each for each in told["rules"] if each["rule"] == RULE)
    assert rule["violated"] == 3 and 0 < rule["low"] < rule["share"] == 1.0
    assert told["kappa"] is None


async def test_a_written_message_and_a_call_without_an_agent(web: httpx.AsyncClient) -> None:
    sent = await web.post("/api/v1/texts", json={"channel": "wechat", "text": "路灯坏了。"})
    name = sent.json()["id"]
    assert (await web.get(f"/api/v1/calls/{name}/quality")).status_code == 404
    alone = await call(web, leg_roles="citizen,citizen", agent="")
    assert (await quality(web, alone))["total"] is None


async def test_an_inspection_goes_with_its_call(web: httpx.AsyncClient) -> None:
    name = await call(web)
    await web.delete(f"/api/v1/calls/{name}")
    assert (await web.get(f"/api/v1/calls/{name}/quality")).status_code == 404
    assert (await web.get("/api/v1/quality/statistics")).json()["calls"] == 0


async def test_only_inspectors_decide(tmp_path: Path) -> None:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        keys = {}
        for role in (AccessRole.CALLER, AccessRole.AGENT, AccessRole.INSPECTOR):
            wanted = CredentialRequest(role.value, (role,), tenant="city")
            made = await box.access.create(INSTALLER, wanted)
            keys[role] = {"authorization": f"Bearer {made.key}"}
        async with httpx.AsyncClient(base_url=box.http, timeout=30) as web:
            web.headers.update(keys[AccessRole.CALLER])
            name = await call(web)
            web.headers.update(keys[AccessRole.AGENT])
            assert (await act(web, name, RULE, action="override", reason="x")).status_code == 403
            assert (await act(web, name, RULE, action="appeal", reason="x")).status_code == 200
            assert (await web.get("/api/v1/quality/statistics")).status_code == 403
            web.headers.update(keys[AccessRole.INSPECTOR])
            assert (await act(web, name, RULE, action="override", reason="x")).status_code == 200
