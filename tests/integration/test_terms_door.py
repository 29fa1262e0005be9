"""A hotline system's list: typed in, in force at once, kept, and nobody else's business."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from appliance.access.access import CredentialRequest
from appliance.access.roles import EVERY_TENANT, AccessRole, Principal
from appliance.messages import CallConfig
from appliance.settings.doors import AccessSettings
from tests.integration.gateway import RunningGateway, gateway

INSTALLER = Principal("installer", EVERY_TENANT, frozenset())
ROUTE = "/api/v1/terms"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as running:
        yield running


def client(box: RunningGateway, key: str = "") -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(base_url=box.http, headers=headers)


def in_force(box: RunningGateway, tenant: str) -> list[str]:
    lists = box.box._terms_of(tenant)
    return [term.text for each in lists[:-1] for term in each.terms]  # the city's is the last


async def test_a_list_is_kept_and_in_force_at_once(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box, client(box) as http:
        assert (await http.get(ROUTE)).json()["terms"] == []
        body = "text,weight,category\n苗寿小区,1.5,小区\n一,,\n".encode()
        told = (await http.put(ROUTE, content=body)).json()
        assert [t["text"] for t in told["terms"]] == ["苗寿小区", "一"]
        assert [bool(t["fault"]) for t in told["terms"]] == [False, True]
        assert in_force(box, CallConfig().tenant) == ["苗寿小区"]
    async with gateway(tmp_path) as again:
        assert in_force(again, CallConfig().tenant) == ["苗寿小区"]


async def test_a_later_list_takes_the_place_of_the_first(box: RunningGateway) -> None:
    async with client(box) as http:
        await http.put(ROUTE, content="第一小区\n".encode())
        await http.put(ROUTE, content="第二小区\n".encode())
        assert in_force(box, "local") == ["第二小区"]
        await http.put(ROUTE, content=b"")
        assert in_force(box, "local") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("text,weight\n一网通办,heavy\n".encode(), "line 2"),
        ("平城区".encode("gb18030"), "UTF-8"),
        (("长" * 65).encode(), "65 characters"),
        ("\n".join(f"第{n}小区" for n in range(10_001)).encode(), "more than 10000"),
    ],
)
async def test_a_bad_list_is_refused_whole(box: RunningGateway, body: bytes, words: str) -> None:
    async with client(box) as http:
        await http.put(ROUTE, content="好小区\n".encode())
        answer = await http.put(ROUTE, content=body)
        assert answer.status_code == 400 and words in answer.json()["detail"]
    assert in_force(box, "local") == ["好小区"]


async def test_each_hotline_system_has_its_own(tmp_path: Path) -> None:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        keys = {}
        for tenant in ("a", "b"):
            wanted = CredentialRequest(tenant, (AccessRole.DISPATCHER,), tenant)
            keys[tenant] = (await box.access.create(INSTALLER, wanted)).key
        async with client(box, keys["a"]) as http:
            assert (await http.put(ROUTE, content="甲小区\n".encode())).status_code == 200
        async with client(box, keys["b"]) as http:
            assert (await http.get(ROUTE)).json()["terms"] == []
            assert (await http.get(ROUTE, params={"tenant": "a"})).status_code == 403
        assert in_force(box, "a") == ["甲小区"] and in_force(box, "b") == []


async def test_the_page_shows_the_list(box: RunningGateway) -> None:
    async with client(box) as http:
        await http.put(ROUTE, content="<b>小区\n".encode())
        page = await http.get("/terms", headers={"accept": "text/html"})
        assert page.status_code == 200 and "&lt;b&gt;小区" in page.text
        assert "热词" in (await http.get("/", headers={"accept": "text/html"})).text


async def test_the_citys_names_are_in_force_from_the_start(box: RunningGateway) -> None:
    (city,) = box.box._terms_of("local")
    await asyncio.sleep(0)
    assert {"平城区", "一网通办"} <= {term.text for term in city.terms}
