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
from tests.integration.test_webhooks import Receiver, hooks

RULE = "closing"  # what the fake engine hears has none
HANG_UP = "agent_hangs_up"
INSTALLER = Principal("installer", "*", frozenset())


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as running:
        yield running


@pytest.fixture
async def web(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


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
    assert (await act(web, name, RULE, action="confirm", reason="对")).status_code == 409
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


async def sampled(web: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    told = await web.get("/api/v1/quality/sample", params=wanted)
    assert told.status_code == 200, told.text
    calls: list[dict[str, Any]] = told.json()["calls"]
    return calls


async def test_calls_to_look_at(web: httpx.AsyncClient) -> None:
    names = [await call(web, agent=agent) for agent in ("3021", "3021", "3021", "3022")]
    await call(web, leg_roles="citizen,citizen", agent="")  # nobody to look at
    every = await sampled(web)
    assert {each["call"] for each in every} == set(names) and every == await sampled(web)
    of_one = await quality(web, names[0])
    one = next(each for each in every if each["call"] == names[0])
    violated = sum(each["finding"] == "violated" for each in of_one["findings"])
    assert one == {
        "call": names[0],
        "agent": "3021",
        "at": of_one["at"],
        "total": of_one["total"],
        "violated": violated,
        "open_appeals": 0,
    }
    await act(web, names[2], RULE, action="appeal", reason="我说了")
    first = (await sampled(web, by="risk", n=1))[0]
    assert first["call"] == names[2] and first["open_appeals"] == 1
    even = await sampled(web, by="agent", n=2)
    assert {each["agent"] for each in even} == {"3021", "3022"}
    assert [each["call"] for each in await sampled(web, agent="3022")] == [names[3]]
    assert await sampled(web, until="2020-01-01T00:00:00Z") == []
    assert await sampled(web, agent="nobody") == []
    for wrong in ({"by": "mood"}, {"n": 0}, {"n": 1000}, {"since": "soon"}, {"what": "x"}):
        assert (await web.get("/api/v1/quality/sample", params=wrong)).status_code == 400


async def test_other_systems_are_told(tmp_path: Path, receiver: Receiver) -> None:
    settings = hooks(tmp_path, await receiver.serve(), events=("quality.*",))
    async with gateway(tmp_path, webhooks=settings) as box:
        async with httpx.AsyncClient(base_url=box.http, timeout=30) as web:
            name = await call(web)
            await act(web, name, RULE, action="appeal", reason="我说了再见")
            await act(web, name, RULE, action="uphold", reason="没说")
            done = (await act(web, name, RULE, action="override", reason="再听，说了")).json()
            assert (await act(web, name, RULE, action="override", reason="x")).status_code == 409
        told = await receiver.until(4)
    kinds = {each["type"].removeprefix("lingting.quality."): each["data"] for each in told}
    assert set(kinds) == {"inspected", "appeal", "uphold", "override"} and len(told) == 4
    about = {"call": f"/api/v1/calls/{name}", "tenant": kinds["appeal"]["tenant"], "agent": "3021"}
    assert kinds["inspected"].items() >= about.items() and kinds["inspected"]["violated"] > 3
    assert kinds["override"].items() >= {**about, "rule": RULE, "total": done["total"]}.items()
    assert kinds["override"]["total"] > kinds["inspected"]["total"]
    assert "再见" not in str(told) and "说了" not in str(told)


async def test_what_was_scored_is_counted(web: httpx.AsyncClient) -> None:
    await call(web)
    await call(web, leg_roles="citizen,citizen", agent="")  # has no score
    told = (await web.get("/metrics")).text
    assert "lingting_quality_points_count 1.0" in told
    assert f'lingting_quality_rules_failed_total{{rule="{RULE}"}} 0.0' in told


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
            for path in ("statistics", "sample"):
                assert (await web.get(f"/api/v1/quality/{path}")).status_code == 403
            web.headers.update(keys[AccessRole.INSPECTOR])
            assert (await act(web, name, RULE, action="override", reason="x")).status_code == 200


async def test_who_hung_up_is_known_where_it_is_told(web: httpx.AsyncClient) -> None:
    told = {}
    for side in ("agent", "citizen", "unknown"):
        told[side] = finding(await quality(web, await call(web, hang_up=side)), HANG_UP)["finding"]
    assert told == {"agent": "violated", "citizen": "kept", "unknown": "unsure"}
