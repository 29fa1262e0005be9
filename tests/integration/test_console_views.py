"""The views of knowledge, quality and warnings, as any HTTP client sees them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from appliance.access.access import CredentialRequest
from appliance.access.roles import AccessRole, Principal
from appliance.settings.doors import AccessSettings
from tests.integration.gateway import RunningGateway, gateway

HTML = {"accept": "text/html"}
INSTALLER = Principal("installer", "*", frozenset())
VIEWS = {"/warnings", "/quality", "/knowledge"}


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as made:
        yield made


async def client_of(box: RunningGateway, *roles: AccessRole) -> httpx.AsyncClient:
    unit = "unit" if AccessRole.CLERK in roles else ""
    wanted = CredentialRequest("somebody", roles, "a", unit=unit)
    made = await box.access.create(INSTALLER, wanted)
    headers = {**HTML, "authorization": f"Bearer {made.key}"}
    return httpx.AsyncClient(base_url=box.http, timeout=30, headers=headers)


@pytest.mark.parametrize(
    ("role", "first", "seen"),
    [
        (AccessRole.DUTY, "/warnings", {"/warnings"}),
        (AccessRole.EDITOR, "/knowledge", {"/knowledge"}),
        (AccessRole.AGENT, "/", {"/quality", "/knowledge"}),
        (AccessRole.INSPECTOR, "/", VIEWS),
        (AccessRole.CLERK, "/", set()),
        (AccessRole.OPERATOR, "/", set()),
    ],
)
async def test_each_role_sees_its_views(
    closed: RunningGateway, role: AccessRole, first: str, seen: set[str]
) -> None:
    async with await client_of(closed, role) as web:
        page = await web.get("/", follow_redirects=True)
        assert page.status_code == 200 and page.url.path == first
        assert VIEWS & set(re.findall(r'<a href="(/\w*)"', page.text)) == seen
        assert "没有查看此页的角色" not in page.text
        for path in VIEWS:
            assert (await web.get(path)).status_code == (200 if path in seen else 403), path


async def test_what_a_role_may_do_is_offered_to_no_other(closed: RunningGateway) -> None:
    for role, path, offered, kept in (
        (AccessRole.DUTY, "/warnings", 'id="act"', ""),
        (AccessRole.INSPECTOR, "/warnings", 'id="list"', 'id="act"'),
        (AccessRole.AGENT, "/quality", 'data-appeals="yes"', 'id="audio"'),
        (AccessRole.DISPATCHER, "/quality", 'data-appeals=""', 'id="figures"'),
        (AccessRole.INSPECTOR, "/quality", 'data-decides="yes"', ""),
        (AccessRole.EDITOR, "/knowledge", 'data-approves=""', 'data-approves="yes"'),
        (AccessRole.APPROVER, "/knowledge", 'data-approves="yes"', ""),
        (AccessRole.AGENT, "/knowledge", 'id="search"', 'id="gaps"'),
    ):
        async with await client_of(closed, role) as web:
            page = (await web.get(path)).text
            assert offered in page, (role, path)
            assert not kept or kept not in page, (role, path)


async def test_nothing_is_inline_and_audio_is_played_from_memory_alone(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http, timeout=30) as web:
        for path in VIEWS:
            for language in ("zh", "en"):
                page = await web.get(f"{path}?lang={language}", headers=HTML)
                assert page.status_code == 200
                assert not re.search(r"<script(?! src=)| style=| on\w+=", page.text), path
                policy = page.headers["content-security-policy"]
                assert "media-src blob:;" in policy and "unsafe" not in policy
                for told in re.findall(r"data-(?:words|facts)='([^']*)'", page.text):
                    assert json.loads(unescape(told))
            for file in re.findall(r"/console/static/[\w./-]+", page.text):
                assert (await web.get(file)).status_code == 200, file


async def test_who_shows_no_key_is_asked_for_one(closed: RunningGateway) -> None:
    async with httpx.AsyncClient(base_url=closed.http, timeout=30) as web:
        for path in VIEWS:
            asked = await web.get(path, headers=HTML)
            assert asked.status_code == 401 and 'id="login"' in asked.text
            assert (await web.get(path)).status_code == 401
