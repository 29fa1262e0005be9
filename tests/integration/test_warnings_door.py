"""Many tell of one thing at once: a warning, and what the duty officer makes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.assist.city.divisions import is_within
from appliance.errors import StoreUnavailable
from appliance.store.warnings import KeptWarning
from tests.integration.gateway import CALL, RunningGateway, gateway

DOOR = "/api/v1/warnings"
TOLD = (
    "平城区柳航里社区从昨天晚上开始停水，到现在没有来水",
    "柳航里社区家里没水了，平城区的，请问什么时候来水",
    "我是平城区柳航里社区的，自来水停了一天了",
    "平城区柳航里社区全停水，没有通知，饭都做不了",
)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as running:
        await running.whole.city.learned()
        yield running


@pytest.fixture
async def web(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        yield client


async def tell(web: httpx.AsyncClient, text: str, phone: str) -> None:
    sent = await web.post("/api/v1/texts", json={"channel": "wechat", "text": text, "phone": phone})
    assert sent.status_code < 300, sent.text


async def burst(web: httpx.AsyncClient, count: int = 10, first: int = 0) -> dict[str, Any]:
    """As many neighbours; the warning that they raise, once it holds them all."""
    for at in range(first, first + count):
        await tell(web, TOLD[at % len(TOLD)], f"1380352{at:04}")
    async with asyncio.timeout(30):
        while not (found := await listed(web)) or found[0]["voices"] < first + count:
            await asyncio.sleep(0.1)
    return found[0]


async def listed(web: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await web.get(DOOR, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["warnings"]
    return found


async def act(web: httpx.AsyncClient, name: str, action: str, **body: Any) -> httpx.Response:
    return await web.post(f"{DOOR}/{name}", json={"action": action, **body})


async def test_neighbours_without_water_are_one_warning(
    web: httpx.AsyncClient, box: RunningGateway
) -> None:
    told = await burst(web)
    assert told["kind"] == "burst" and told["state"] == "new" and "水" in told["title"]
    assert told["category_name"] in ("停水", "供水") and told["expected"] < 1
    detail = (await web.get(f"{DOOR}/{told['id']}")).json()
    assert sum(each["count"] for each in detail["timeline"]) == 10
    assert sum(each["count"] for each in detail["communities"]) == 10
    assert sum(each["open"] for each in detail["units"]) >= 8, "of most a unit is proposed"
    assert len(detail["orders"]) == 10 and detail["events"] == []
    hot = (await web.get(f"{DOOR}/matters")).json()["matters"]
    assert len(hot) == 1 and hot[0]["voices"] == 10
    heat = (await web.get(f"{DOOR}/heat")).json()
    assert sum(map(sum, heat["counts"])) == 10
    assert len(heat["counts"]) == len(heat["places"])
    assert heat["expected"] is None, "of a box that is a minute old nobody knows what is usual"
    hours = (await web.get(f"{DOOR}/forecast", params={"hours": 3})).json()["hours"]
    assert len(hours) == 3 and all(each["expected"] >= 0 for each in hours)
    state = box.whole.metrics.warnings.labels("burst")._value.get()
    assert state == 1


async def test_the_duty_officer_decides_and_mutes_the_like(web: httpx.AsyncClient) -> None:
    told = await burst(web)
    assert (await act(web, told["id"], "acknowledge")).json()["state"] == "acknowledged"
    assert (await act(web, told["id"], "acknowledge")).status_code == 409
    assert (await act(web, told["id"], "watch")).json()["state"] == "watching"
    assert (await act(web, told["id"], "false")).status_code == 400, "it has no reason"
    assert (await act(web, told["id"], "rest", reason="x")).status_code == 400
    assert (await act(web, told["id"], "watch", suppress_days=2)).status_code == 400
    done = await act(web, told["id"], "close", reason="计划内停水", suppress_days=2)
    assert done.json()["state"] == "closed"
    assert (await act(web, told["id"], "false", reason="晚了")).status_code == 409
    (muted,) = (await web.get(f"{DOOR}/suppressions")).json()["suppressions"]
    assert muted["category_name"] == told["category_name"] and muted["reason"] == "计划内停水"
    events = (await web.get(f"{DOOR}/{told['id']}")).json()["events"]
    assert [each["action"] for each in events] == ["acknowledge", "watch", "close"]
    assert events[-1]["reason"] == "计划内停水"
    assert (await web.delete(f"{DOOR}/suppressions/{muted['id']}")).status_code == 204
    assert (await web.delete(f"{DOOR}/suppressions/{muted['id']}")).status_code == 404
    assert (await act(web, "w-nobody", "watch")).status_code == 404


async def test_one_caller_raises_nothing(web: httpx.AsyncClient, box: RunningGateway) -> None:
    for at in range(12):
        await tell(web, TOLD[at % len(TOLD)], "13803520000")
    await asyncio.sleep(3)
    assert await listed(web) == []


async def test_danger_to_life_is_a_warning_at_once(web: httpx.AsyncClient) -> None:
    await tell(web, "平城区柳航里社区着火了，三楼有人被困，快来人", "13803520001")
    async with asyncio.timeout(10):
        while not (found := await listed(web)):
            await asyncio.sleep(0.1)
    (told,) = found
    assert told["kind"] == "emergency" and told["name"] and told["call"]
    detail = (await web.get(f"{DOOR}/{told['id']}")).json()
    assert len(detail["orders"]) == 1
    muted = await act(web, told["id"], "false", reason="演习", suppress_days=1)
    assert muted.status_code == 400, "nobody mutes those"


async def test_a_start_goes_on_with_what_was_open(tmp_path: Path) -> None:
    async with gateway(tmp_path) as first:
        await first.whole.city.learned()
        async with httpx.AsyncClient(base_url=first.http, timeout=30) as web:
            told = await burst(web, 8)
            await act(web, told["id"], "watch")
    async with (
        gateway(tmp_path) as second,
        httpx.AsyncClient(base_url=second.http, timeout=30) as web,
    ):
        grown = await burst(web, 4, first=8)
        assert grown["id"] == told["id"] and grown["state"] == "watching"
        assert len(await listed(web)) == 1


@pytest.mark.parametrize("period", ["day", "week"])
async def test_a_report_is_printed_and_reckoned_with(web: httpx.AsyncClient, period: str) -> None:
    await burst(web, 8)
    page = await web.get(f"{DOOR}/report", params={"period": period, "format": "html"})
    assert "监测预警" in page.text and "停水" in page.text and "<script" not in page.text
    table = await web.get(f"{DOOR}/report", params={"period": period, "format": "csv"})
    assert "合计,8" in table.text
    told = (await web.get(f"{DOOR}/report", params={"period": period})).json()
    assert [each["title"] for each in told["tables"]] == ["预警", "热点", "分类", "区县"]


async def test_a_store_that_fails_for_a_moment_loses_no_warning(
    web: httpx.AsyncClient, box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = box.whole.store.warnings
    put, failures = stored.put, iter(range(3))

    async def failing(*given: Any) -> bool:
        if next(failures, None) is not None:
            raise StoreUnavailable("write", "the disk is away", "wait")
        return await put(*given)

    monkeypatch.setattr(stored, "put", failing)
    assert (await burst(web))["voices"] == 10


async def test_an_emergency_that_nobody_saw_stays_first(
    web: httpx.AsyncClient, box: RunningGateway
) -> None:
    stored, now = box.whole.store.warnings, time.time()
    old = ("local", "emergency", "new", "", "", now - 9e4, now - 9e4, now - 9e4, 1, 1, 0.0, 0.0)
    await stored.put(KeptWarning("e-old", *old), ())
    for at in range(210):
        over = ("local", "burst", "closed", "", "", now, now + at, now + at, 9, 9, 1.0, 30.0)
        await stored.put(KeptWarning(f"w-{at}", *over), ())
    assert (await listed(web))[0]["id"] == "e-old"
    assert await stored.oldest_unseen() == pytest.approx(now - 9e4)


async def test_a_recording_counts_when_the_citizen_called(
    web: httpx.AsyncClient, box: RunningGateway
) -> None:
    began = datetime.fromtimestamp(time.time() - 40 * 86_400, UTC).isoformat()
    form = {"leg_roles": "agent,citizen", "began_at": began}
    sent = await web.post("/api/v1/recordings", data=form, files={"file": CALL.open("rb")})
    call = str(sent.json()["call"]).rpartition("/")[2]
    async with asyncio.timeout(30):
        while not (orders := await box.whole.store.orders.of_call(call)):
            await asyncio.sleep(0.05)
    assert orders[0].called_at == pytest.approx(time.time() - 40 * 86_400, abs=60)
    assert orders[0].created_at > time.time() - 60
    told = (await web.get(f"/api/v1/calls/{call}")).json()
    assert told["started_at"].startswith(began[:10])
    late = {**form, "began_at": "2999-01-01T00:00:00Z"}
    again = await web.post("/api/v1/recordings", data=late, files={"file": CALL.open("rb")})
    assert again.status_code == 400 and "began_at" in again.text


@pytest.mark.parametrize(
    ("code", "outer", "inside"),
    [
        ("140212101000", "140212100000", False),  # another town of the same county
        ("140212100001", "140212100000", True),
        ("140212100000", "140212000000", True),
        ("310112001000", "310110000000", False),
        ("310110001000", "310110000000", True),
        ("140212000000", "", True),
        ("", "140212000000", False),
    ],
)
def test_which_places_lie_in_which(code: str, outer: str, inside: bool) -> None:
    assert is_within(code, outer) is inside


async def test_what_goes_on_after_it_was_closed_is_told_again(web: httpx.AsyncClient) -> None:
    told = await burst(web)
    path = f"{DOOR}/{told['id']}"
    assert (await act(web, told["id"], "close", reason="已修复")).status_code == 200
    for at in range(10, 16):
        await tell(web, TOLD[at % len(TOLD)], f"1380352{at:04}")
    await asyncio.sleep(3)
    assert (await web.get(path)).json()["state"] == "closed", "a few more are no news"
    for at in range(16, 24):
        await tell(web, TOLD[at % len(TOLD)], f"1380352{at:04}")
    async with asyncio.timeout(20):
        while (now := (await web.get(path)).json())["state"] != "new":
            await asyncio.sleep(0.1)
    assert [each["action"] for each in now["events"]] == ["close", "again"]
    async with asyncio.timeout(20):
        while (await web.get(path)).json()["voices"] < 20:
            await asyncio.sleep(0.1)
