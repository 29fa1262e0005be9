"""The HTTP door over the real call room, with a fake engine: real audio in, timed text out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from appliance.api.http.server import HttpServer
from appliance.call.box import Box
from appliance.metrics import Metrics
from appliance.settings import Settings
from tests.fakes import FakeEngine

CALL = Path(__file__).parents[1] / "espeak_call" / "call.wav"
PATH = "/v1/audio/transcriptions"


@pytest.fixture
async def client(tiny_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    box = Box(tiny_settings, FakeEngine(), Metrics())
    await box.start()
    door = HttpServer(box)
    url = f"http://127.0.0.1:{await door.start()}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client
    await door.stop(1)
    await box.close()


async def post(client: httpx.AsyncClient, data: bytes, **fields: str) -> httpx.Response:
    return await client.post(PATH, files={"file": ("call.wav", data)}, data=fields)


async def test_both_legs_of_a_call_are_heard_in_time_order(client: httpx.AsyncClient) -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": "segment"}
    body = (await post(client, CALL.read_bytes(), **fields)).json()
    starts = [segment["start"] for segment in body["segments"]]
    assert {segment["leg"] for segment in body["segments"]} == {0, 1}
    assert starts == sorted(starts)
    assert body["lingting"]["legs"] == 2
    assert body["duration"] == pytest.approx(61, abs=1)


async def test_a_stream_says_the_same_as_the_whole(client: httpx.AsyncClient) -> None:
    answer = await post(client, CALL.read_bytes(), stream="true")
    lines = [line for line in answer.text.split("\n") if line.startswith("data: ")]
    events = [json.loads(line[6:]) for line in lines]
    whole = (await post(client, CALL.read_bytes())).json()
    assert events[-1]["text"] == whole["text"]
    assert {event["type"] for event in events[:-1]} == {"transcript.text.delta"}
    assert sum(len(event["delta"]) for event in events[:-1]) == len(whole["text"])


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize("data", [b"abc", bytes(1_000), CALL.read_bytes()[:30], b"RIFF" * 99])
async def test_garbage_is_a_clear_400(client: httpx.AsyncClient, data: bytes, stream: str) -> None:
    answer = await post(client, data, stream=stream)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "invalid_audio"
    assert answer.json()["error"]["param"] == "file"


async def test_headerless_a_law_is_heard_when_described(client: httpx.AsyncClient) -> None:
    described = {"encoding": "alaw", "sample_rate_hertz": "8000", "channels": "2"}
    bare = await post(client, CALL.read_bytes()[58:], **described)
    assert bare.status_code == 200, bare.text
    assert len(bare.json()["text"]) > 100
