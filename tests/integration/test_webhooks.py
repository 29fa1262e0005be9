"""Webhooks to a real socket, read by Standard Webhooks' own library."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from appliance.errors import SettingsError
from appliance.gateway import Gateway as Appliance
from appliance.settings import Settings
from appliance.settings.keeping import Endpoint, WebhooksSettings
from appliance.webhooks import webhooks
from appliance.work import runner
from tests.integration.gateway import RunningGateway, alaw, gateway
from tests.integration.test_api_v1 import live_call, send, until_over

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
LOOPBACK = ("127.0.0.0/8",)


class Receiver:
    """An HTTP server that answers each request with the next of `answers`, then with 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.came = asyncio.Event()

    async def serve(self) -> str:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook?to=crm"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers, body))
        status = self.answers.pop(0) if self.answers else 200
        location = "location: http://127.0.0.1:1/\r\n" if status == 302 else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{location}content-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        self.came.set()

    async def until(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(20):
            while len(self.requests) < count:
                self.came.clear()
                await self.came.wait()
        return [json.loads(body) for _, body in self.requests]

    def close(self) -> None:
        self._server.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(runner, "POLL_S", 0.05)


def hooks(
    folder: Path, url: str, allow: tuple[str, ...] = LOOPBACK, **more: Any
) -> WebhooksSettings:
    (folder / "secret").write_text(SECRET)
    # Of calls alone, where a test does not say more: orders are told of elsewhere.
    endpoint = Endpoint(url=url, secret_file=folder / "secret", **{"events": ("call.*",), **more})
    return WebhooksSettings(endpoints=(endpoint,), allow=allow)


async def finished(box: RunningGateway, name: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        sent = await send(client, alaw(3), call_id=name)
        return await until_over(client, sent["id"])


async def dead(box: RunningGateway) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client, asyncio.timeout(20):
        while not (found := (await client.get("/api/v1/deliveries")).json()["deliveries"]):
            await asyncio.sleep(0.05)
        return list(found)


async def test_the_end_of_a_call_is_told_and_signed(tmp_path: Path, receiver: Receiver) -> None:
    settings = hooks(tmp_path, await receiver.serve())
    async with gateway(tmp_path, webhooks=settings) as box:
        call = await finished(box, "w-1")
        (event,) = await receiver.until(1)
    headers, body = receiver.requests[0]
    assert Webhook(SECRET).verify(body, headers) == event
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
    assert headers["content-type"] == "application/cloudevents+json"
    assert event["type"] == "lingting.call.finished" and event["specversion"] == "1.0"
    assert event["id"] == headers["webhook-id"] and event["subject"] == call["id"]
    assert event["data"]["call"] == f"/api/v1/calls/{call['id']}"
    assert event["data"]["call_id"] == "w-1" and "text" not in json.dumps(event)


async def test_live_calls_and_alerts_are_told(tmp_path: Path, receiver: Receiver) -> None:
    settings = hooks(tmp_path, await receiver.serve(), events=("call.finished", "call.alert"))
    async with gateway(tmp_path, webhooks=settings) as box:
        await live_call(box, "w-2", 6)
        (event,) = await receiver.until(1)
    assert event["data"]["call_id"] == "w-2"


async def test_what_fails_is_tried_again_with_the_same_id(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers = [500, 302]
    settings = hooks(tmp_path, await receiver.serve())
    async with gateway(tmp_path, webhooks=settings) as box:
        await finished(box, "w-3")
        await receiver.until(3)
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1


async def test_what_nobody_takes_is_a_dead_letter_that_can_be_tried_again(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers = [500] * 4
    settings = hooks(tmp_path, await receiver.serve())
    async with gateway(tmp_path, webhooks=settings) as box:
        await finished(box, "w-4")
        (letter,) = await dead(box)
        assert letter["error"].endswith("HTTP 500") and letter["attempts"] == 4
        async with httpx.AsyncClient(base_url=box.http) as client:
            again = f"/api/v1/deliveries/{letter['id']}/retry"
            assert (await client.post(again)).status_code == 204
            await receiver.until(5)
            assert (await client.post(again)).status_code == 404


async def test_gone_is_gone(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [410]
    settings = hooks(tmp_path, await receiver.serve())
    async with gateway(tmp_path, webhooks=settings) as box:
        await finished(box, "w-5")
        (letter,) = await dead(box)
    assert letter["attempts"] == 1


async def test_nobody_is_spoken_to_who_is_not_allowed(tmp_path: Path, receiver: Receiver) -> None:
    settings = hooks(tmp_path, await receiver.serve(), allow=("10.0.0.0/8",))
    async with gateway(tmp_path, webhooks=settings) as box:
        await finished(box, "w-6")
        (letter,) = await dead(box)
    assert "allow" in letter["error"] and not receiver.requests


async def test_deliveries_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    url = await receiver.serve()
    receiver.answers = [500]
    async with gateway(tmp_path, webhooks=hooks(tmp_path, url, allow=())) as box:
        await finished(box, "w-7")
    receiver.answers = []
    async with gateway(tmp_path, webhooks=hooks(tmp_path, url)) as box:
        async with httpx.AsyncClient(base_url=box.http) as client:
            for letter in (await client.get("/api/v1/deliveries")).json()["deliveries"]:
                await client.post(f"/api/v1/deliveries/{letter['id']}/retry")
        (event,) = await receiver.until(1)
    assert event["data"]["call_id"] == "w-7"


def test_what_cannot_be_told_is_named_at_the_start(tmp_path: Path) -> None:
    settings = hooks(tmp_path, "http://127.0.0.1:1/")
    for text in ("", "whsec_", "not base64!"):
        (tmp_path / "secret").write_text(text)
        with pytest.raises(SettingsError, match="secret"):
            Appliance(Settings(webhooks=settings))
    endpoint = settings.endpoints[0].model_copy(update={"events": ("call.dropped",)})
    unknown = settings.model_copy(update={"endpoints": (endpoint,)})
    with pytest.raises(SettingsError, match=r"call\.alert, call\.cancelled, call\.danger"):
        Appliance(Settings(webhooks=unknown))
