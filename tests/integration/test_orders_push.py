"""The city's own order system: handed every order once in effect, however long it is away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.assist.orders import push
from appliance.settings.keeping import OrdersSettings
from appliance.work import runner
from tests.integration.gateway import gateway

TEXT = "平城区御河街道的小区暖气不热，家里只有十四度，希望热力公司尽快来修。"


class CitySystem:
    """Answers with the next of `answers`, then 200; keeps one order for each idempotency key."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.orders: dict[str, dict[str, Any]] = {}
        self.keys: list[str] = []

    async def serve(self) -> str:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/orders"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.asked += 1
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.orders[headers["idempotency-key"]] = body
            self.keys.append(headers["idempotency-key"])
        answer = json.dumps({"id": f"C-{len(self.orders)}"}).encode()
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\n\r\n".encode())
        writer.write(answer)
        await writer.drain()
        writer.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(runner, "POLL_S", 0.05)


async def dispatched(web: httpx.AsyncClient) -> str:
    made = await web.post("/api/v1/texts", json={"channel": "app", "text": TEXT, "phone": "1"})
    order = str(made.json()["orders"][0]["id"])
    for step in ({"action": "confirm"}, {"action": "dispatch", "units": ["140213-heating"]}):
        answer = await web.post(f"/api/v1/orders/{order}/transitions", json=step)
        assert answer.status_code == 200, answer.text
    return order


async def receipt(web: httpx.AsyncClient, order: str) -> str:
    async with asyncio.timeout(20):
        while not (told := (await web.get(f"/api/v1/orders/{order}")).json())["receipt"]:
            await asyncio.sleep(0.05)
    return str(told["receipt"])


async def test_it_is_told_until_it_has_taken_it(tmp_path: Path) -> None:
    city = CitySystem(500, 503, 500)
    settings = OrdersSettings(push_url=await city.serve(), push_allow=("127.0.0.0/8",))
    async with (
        gateway(tmp_path, orders=settings) as box,
        httpx.AsyncClient(base_url=box.http, timeout=30) as web,
    ):
        order = await dispatched(web)
        assert await receipt(web, order) == "C-1"
        (told,) = city.orders.values()
        assert told["unit_code"] == "140213-heating" and told["state"] == "dispatched"
        assert TEXT[:8] in told["content"] and city.asked == 4


async def test_what_is_corrected_there_is_told_too(tmp_path: Path) -> None:
    city = CitySystem()
    settings = OrdersSettings(push_url=await city.serve(), push_allow=("127.0.0.0/8",))
    async with (
        gateway(tmp_path, orders=settings) as box,
        httpx.AsyncClient(base_url=box.http, timeout=30) as web,
    ):
        order = await dispatched(web)
        await receipt(web, order)
        patch = {"fields": {"content": "暖气片漏水"}}
        assert (await web.patch(f"/api/v1/orders/{order}", json=patch)).status_code == 200
        async with asyncio.timeout(20):
            while len(city.orders) < 2:
                await asyncio.sleep(0.05)
        assert [each["content"] == "暖气片漏水" for each in city.orders.values()] == [False, True]


async def test_its_states_come_back_in_its_own_words(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path) as box,
        httpx.AsyncClient(base_url=box.http, timeout=30) as web,
    ):
        order = await dispatched(web)
        path = f"/api/v1/orders/{order}/status"
        signed = await web.post(path, json={"status": "已签收"})
        assert signed.json()["state"] == "signed"
        again = await web.post(path, json={"status": "已签收"})
        assert again.status_code == 200 and again.json()["version"] == signed.json()["version"]
        unknown = await web.post(path, json={"status": "飞走了"})
        assert unknown.status_code == 400 and "已办结" in unknown.json()["detail"]
        done = await web.post(path, json={"status": "已办结", "text": "已修好"})
        assert done.json()["state"] == "answered"


async def test_a_network_that_is_not_allowed_is_not_spoken_to(tmp_path: Path) -> None:
    city = CitySystem()
    settings = OrdersSettings(push_url=await city.serve(), push_allow=("192.0.2.0/24",))
    async with (
        gateway(tmp_path, orders=settings) as box,
        httpx.AsyncClient(base_url=box.http, timeout=30) as web,
    ):
        await dispatched(web)
        await asyncio.sleep(0.5)
        assert city.asked == 0
