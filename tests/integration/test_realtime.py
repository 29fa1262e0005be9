"""/v1/realtime: both dialects, by NVIDIA's and OpenAI's own clients, and what goes wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import websockets

from appliance.access.access import CredentialRequest
from appliance.access.roles import AccessRole, Principal
from appliance.messages import EVERY_TENANT
from appliance.settings.doors import AccessSettings
from appliance.settings.section import PROJECT
from appliance.store.calls import Filter
from tests.integration.gateway import RunningGateway, alaw, gateway

CALL = PROJECT / "tests" / "espeak_call" / "call.wav"
STOCK = ("-m", "tests.acceptance.riva_clients.realtime")
COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"
WITHIN_S = 60


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as made:
        yield made


class Client:
    """The bare protocol."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def speak(self, audio: bytes, step: int = 1600) -> None:
        for at in range(0, len(audio), step):
            piece = base64.b64encode(audio[at : at + step]).decode()
            await self.send("input_audio_buffer.append", audio=piece)

    async def read(self) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S):
            return dict(json.loads(await self._socket.recv()))

    async def until(self, kind: str) -> list[dict[str, Any]]:
        told = [await self.read()]
        while told[-1]["type"] != kind:
            told.append(await self.read())
        return told

    async def rest(self) -> list[dict[str, Any]]:
        told = []
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                told.append(await self.read())
        return told


def connected(box: RunningGateway, **how: Any) -> Any:
    url = box.http.replace("http", "ws") + "/v1/realtime?intent=transcription"
    return websockets.connect(url, max_size=None, **how)


def mono(seconds: float) -> bytes:
    """The agent's leg, A-law."""
    return alaw(seconds)[0::2]


async def caller_key(box: RunningGateway) -> str:
    installer = Principal("installer", EVERY_TENANT, frozenset())
    made = await box.access.create(
        installer, CredentialRequest("client", (AccessRole.CALLER,), "a")
    )
    return made.key


OPENAI = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcma"}}}}
NIM = {
    "input_audio_format": "g711_alaw",
    "input_audio_params": {"sample_rate_hz": 8000, "num_channels": 1},
}


@pytest.mark.parametrize("keys", ["auto", "always"])
async def test_nvidias_own_client(tmp_path: Path, keys: str) -> None:
    access = AccessSettings(keys=keys)  # type: ignore[arg-type]
    async with gateway(tmp_path, access=access) as box:
        more = []
        if keys == "always":
            more = ["--mint-api-key", await caller_key(box)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *STOCK, "--server", box.http.removeprefix("http://")),
            *("--file", str(CALL), "--language-code", "zh", *more),
            stdout=asyncio.subprocess.PIPE,
            cwd=PROJECT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 0
    assert len(json.loads(out.decode().splitlines()[-1])["transcript"]) > 20


async def test_openais_own_client(box: RunningGateway) -> None:
    client = openai.AsyncOpenAI(api_key="none", base_url=f"{box.http}/v1")
    query = {"intent": "transcription"}
    async with client.realtime.connect(extra_query=query) as connection:
        await connection.session.update(session=OPENAI)  # type: ignore[arg-type]
        audio = mono(9)
        for at in range(0, len(audio), 800):
            piece = base64.b64encode(audio[at : at + 800]).decode()
            await connection.input_audio_buffer.append(audio=piece)
        await connection.input_audio_buffer.commit()
        told = []
        async with asyncio.timeout(WITHIN_S):
            async for event in connection:
                told.append(event)
                if event.type == COMPLETED:
                    break
    deltas = "".join(event.delta for event in told if event.type == DELTA)
    assert told[-1].transcript and deltas == told[-1].transcript  # type: ignore[union-attr]
    kinds = [event.type for event in told]
    assert kinds[:2] == ["conversation.created", "session.updated"]
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index(DELTA)


async def test_nims_last_event_holds_the_whole_text(box: RunningGateway) -> None:
    async with connected(box) as socket:
        client = Client(socket)
        assert (await client.read())["type"] == "conversation.created"
        await client.send("transcription_session.update", session=NIM)
        assert (await client.read())["type"] == "transcription_session.updated"
        await client.speak(mono(20))
        await client.send("input_audio_buffer.done")
        told = await client.rest()
    finals = [each for each in told if each["type"] == COMPLETED]
    assert [each["is_last_result"] for each in finals] == [False] * (len(finals) - 1) + [True]
    assert "".join(each["transcript"] for each in finals[:-1]) == finals[-1]["transcript"]
    words = finals[-1]["words_info"]["words"]
    assert words and words == sorted(words, key=lambda word: word["start_time"])
    kept = (await box.archive.page(Filter(), 1))[0]
    assert kept.door == "realtime" and kept.state.value == "finished"


async def test_a_commit_ends_an_utterance_for_openai_alone(box: RunningGateway) -> None:
    for update, session, ended in (
        ("session.update", OPENAI, True),
        ("transcription_session.update", NIM, False),
    ):
        async with connected(box) as socket:
            client = Client(socket)
            await client.read()
            await client.send(update, session=session)
            await client.read()
            await client.speak(mono(4.5))  # the agent is speaking
            await client.send("input_audio_buffer.commit")
            if ended:
                assert (await client.until(COMPLETED))[-1]["transcript"]
            else:
                await client.send("input_audio_buffer.done")
                assert (await client.rest())[-1]["is_last_result"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("no json", "no JSON"),
        ("[]", "no type"),
        ('{"type": "session.update"}', "session is missing"),
        ('{"type": "session.update", "session": {"audio": {"input": 5}}}', "another form"),
        ('{"type": "input_audio_buffer.append", "audio": "%"}', "no base64"),
        ('{"type": "session.update", "session": {"input_audio_format": "mp3"}}', "'mp3'"),
    ],
)
async def test_what_is_wrong_is_said_and_hung_up(
    box: RunningGateway, message: str, words: str
) -> None:
    async with connected(box) as socket:
        client = Client(socket)
        await client.read()
        await socket.send(message)
        (error,) = await client.rest()
        assert error["type"] == "error" and words in error["error"]["message"]
        assert socket.close_code == 1008


async def test_what_is_not_served_is_said_and_the_session_goes_on(box: RunningGateway) -> None:
    async with connected(box) as socket:
        client = Client(socket)
        await client.read()
        await client.send("session.update", session=OPENAI)
        await client.read()
        await client.send("response.create")
        assert "'response.create'" in (await client.read())["error"]["message"]
        await client.speak(mono(4.5))
        await client.send("input_audio_buffer.commit")
        assert (await client.until(COMPLETED))[-1]["transcript"]


async def test_who_has_no_key_does_not_come_in(tmp_path: Path) -> None:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        with pytest.raises(websockets.InvalidStatus):
            async with connected(box):
                pass
        key = await caller_key(box)
        async with connected(box, subprotocols=[f"openai-insecure-api-key.{key}", "realtime"]) as s:
            assert s.subprotocol == "realtime"
        async with httpx.AsyncClient(base_url=box.http) as client:
            unasked = await client.post("/v1/realtime/client_secrets", json={})
            assert unasked.status_code == 401
            headers = {"authorization": f"Bearer {key}"}
            made = await client.post("/v1/realtime/client_secrets", json={}, headers=headers)
        secret = made.json()["value"]
        async with connected(box, subprotocols=["realtime", f"realtime-token.{secret}"]) as s:
            assert (await Client(s).read())["type"] == "conversation.created"


async def test_a_stop_ends_it_with_what_was_heard(box: RunningGateway) -> None:
    async with connected(box) as socket:
        client = Client(socket)
        await client.read()
        await client.send("session.update", session=OPENAI)
        await client.speak(mono(4.5))
        await client.until(DELTA)
        draining = asyncio.create_task(box.box.drain(0.3))
        told = await client.rest()
        await draining
        assert any(each["type"] == COMPLETED for each in told)
        assert told[-1]["error"]["code"] == "draining" and socket.close_code == 1001
    kept = (await box.archive.page(Filter(), 1))[0]
    assert (await box.archive.get(kept.id)).cut_short


async def test_a_secret_opens_live_speech_and_nothing_else(tmp_path: Path) -> None:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        headers = {"authorization": f"Bearer {await caller_key(box)}"}
        async with httpx.AsyncClient(base_url=box.http) as client:
            made = await client.post("/v1/realtime/client_secrets", json={}, headers=headers)
            cookies = {"lingting": made.json()["value"]}
            assert (await client.get("/api/v1/calls", cookies=cookies)).status_code == 401
        watch = box.http.replace("http", "ws") + "/api/v1/calls/x/watch"
        token = [f"realtime-token.{made.json()['value']}"]
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(watch, subprotocols=token):  # type: ignore[arg-type]
                pass


async def test_a_revoked_key_ends_the_session(tmp_path: Path) -> None:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        key = await caller_key(box)
        async with connected(box, additional_headers={"authorization": f"Bearer {key}"}) as socket:
            client = Client(socket)
            await client.read()
            await client.send("session.update", session=OPENAI)
            await client.read()
            (credential,) = [each for each in box.access.gate.known if each.name == "client"]
            installer = Principal("installer", EVERY_TENANT, frozenset())
            await box.access.revoke(installer, credential.id)
            await client.speak(mono(1))
            told = await client.rest()
        assert told[-1]["type"] == "error" and socket.close_code == 1008


async def test_a_page_of_another_site_does_not_come_in(box: RunningGateway) -> None:
    with pytest.raises(websockets.InvalidStatus):
        async with connected(box, origin="http://elsewhere.example"):
            pass
    own = box.http
    async with connected(box, origin=own) as socket:
        assert (await Client(socket).read())["type"] == "conversation.created"


async def test_a_connection_that_breaks_leaves_a_call_that_was_cut_short(
    box: RunningGateway,
) -> None:
    async with connected(box) as socket:
        client = Client(socket)
        await client.read()
        await client.send("session.update", session=OPENAI)
        await client.speak(mono(4.5))
        await client.until(DELTA)
        socket.transport.abort()
    async with asyncio.timeout(WITHIN_S):
        while not (found := await box.archive.page(Filter(), 1)) or found[0].ended_at is None:
            await asyncio.sleep(0.05)
    kept = await box.archive.get(found[0].id)
    assert kept.cut_short and kept.utterances


@pytest.mark.parametrize("value", ["x", 10**400, -1, True])
async def test_numbers_that_are_none_are_the_clients_fault(
    box: RunningGateway, value: object
) -> None:
    session = {**NIM, "speaker_diarization": {"max_speaker_count": value}}
    async with connected(box) as socket:
        client = Client(socket)
        await client.read()
        await client.send("transcription_session.update", session=session)
        (error,) = await client.rest()
        assert error["error"]["type"] == "invalid_request_error" and socket.close_code == 1008
