"""The gRPC door over the real call room with a fake engine; NVIDIA's own client as subprocesses."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import wave
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from riva.client.proto import riva_asr_pb2 as asr
from riva.client.proto import riva_asr_pb2_grpc as asr_grpc

from appliance.api.grpc.server import GrpcServer
from appliance.audio import g711, wav
from appliance.call.box import Box
from appliance.messages import CallConfig
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.doors import GrpcSettings
from tests.fakes import FakeEngine
from tests.integration.pki import make_pki

ROOT = Path(__file__).parents[2]
CALL = ROOT / "tests" / "espeak_call" / "call.wav"  # 62 s, 8 kHz A-law, agent and citizen
CLIENTS = ROOT / "tests" / "acceptance" / "riva_clients"
SOON_S = 60.0

Lines = list[dict[str, Any]]
Client = Callable[..., Coroutine[Any, Any, Lines]]


@pytest.fixture
async def box(tiny_settings: Settings) -> AsyncIterator[Box]:
    box = Box(tiny_settings, FakeEngine(), Metrics())
    await box.start()
    yield box
    await box.close()


@pytest.fixture
async def address(box: Box) -> AsyncIterator[str]:
    server = GrpcServer(box)
    yield f"localhost:{await server.start()}"
    await server.stop(0)


@pytest.fixture
def client(address: str) -> Client:
    """Run a client program; returns its lines, the last of which is "end" or "error"."""

    async def run(script: str, *flags: str) -> Lines:
        return await run_client(script, "--server", address, *flags)

    return run


async def run_client(script: str, *flags: str) -> Lines:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CLIENTS / f"{script}.py"), *flags,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), SOON_S)
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines, err.decode()
    assert (process.returncode == 0) == (lines[-1]["event"] == "end"), err.decode()
    return lines


@pytest.fixture(scope="session")
def pcm_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent's first sentence, 7 s, as 16-bit PCM, which Python's wave module can read."""
    data = CALL.read_bytes()
    header = wav.parse_header(data)
    assert header is not None
    path = tmp_path_factory.mktemp("call") / "call.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        agent = data[header.data_at : header.data_at + 7 * 16_000 : 2]
        file.writeframes(g711.ALAW_S16[np.frombuffer(agent, np.uint8)].tobytes())
    return path


def results(lines: Lines) -> Lines:
    return [line for line in lines if line["event"] == "result"]


def finals(lines: Lines) -> Lines:
    return [line for line in results(lines) if line["is_final"]]


async def test_the_models_are_listed(client: Client) -> None:
    online, offline, end = await client("list_models")
    assert (online["type"], offline["type"], end["event"]) == ("online", "offline", "end")
    assert online["language_code"] == "zh-CN" and online["name"] == "fake"
    assert online["parameters"]["lingting_demo_weights"] == "true"


async def test_a_stereo_alaw_file_streamed_as_it_is(client: Client) -> None:
    """No encoding, no rate, no channel count; the header says it all, in 1600-byte chunks."""
    lines = await client(
        "stream", "--file", str(CALL), "--separate-channels", "--word-time-offsets"
    )
    said = finals(lines)
    assert {line["channel"] for line in said} == {1, 2} and len(said) >= 8
    for leg in (1, 2):
        ends = [line["words"][-1]["end_ms"] for line in said if line["channel"] == leg]
        assert ends == sorted(ends)
        texts = [line["text"] for line in said if line["channel"] == leg]
        assert [text.startswith(" ") for text in texts] == [False] + [True] * (len(texts) - 1)
    assert all(0 < word["confidence"] <= 1 for line in said for word in line["words"])
    assert all(not line["words"] for line in results(lines) if not line["is_final"])
    assert said[-1]["audio_processed"] == pytest.approx(62, abs=8)


async def test_real_time_with_partials_and_endpointing_flags(
    client: Client, pcm_call: Path
) -> None:
    lines = await client(
        "stream", "--file", str(pcm_call), "--simulate-realtime", "--stop-history", "400",
        "--stop-threshold", "0.95", "--start-history", "200", "--start-threshold", "0.5",
        "--stop-history-eou", "240", "--stop-threshold-eou", "0.9",
    )  # fmt: skip
    partials = [line for line in results(lines) if not line["is_final"]]
    assert len(partials) >= 3 and finals(lines)
    assert {line["channel"] for line in results(lines)} == {1}
    assert all(0 <= line["stability"] <= 1 for line in partials)
    first = next(i for i, line in enumerate(results(lines)) if line["is_final"])
    assert first > 0  # partials come before their final
    assert partials[0]["t"] < lines[-1]["t"] - 3  # and while the file is being sent


async def test_only_finals_and_boosted_words(client: Client, pcm_call: Path, box: Box) -> None:
    lines = await client(
        "stream", "--file", str(pcm_call), "--no-interim-results", "--boosted-lm-words", "平城区",
        "--boosted-lm-words", "暖气", "--boosted-lm-score", "20", "--automatic-punctuation",
        "--no-verbatim-transcripts", "--custom-configuration", "beam:5",
    )  # fmt: skip
    assert finals(lines) and finals(lines) == results(lines)
    assert all(not line["words"] for line in results(lines))


async def test_a_recording(client: Client) -> None:
    lines = await client(
        "offline", "--file", str(CALL), "--separate-channels", "--word-time-offsets"
    )
    said = results(lines)
    assert {line["channel"] for line in said} == {1, 2}
    starts = [line["words"][0]["start_ms"] for line in said if line["words"]]
    assert starts == sorted(starts)
    assert all(line["audio_processed"] == pytest.approx(61, abs=1) for line in said)


async def test_several_at_once_say_the_same(client: Client, pcm_call: Path) -> None:
    lines = await client("stream", "--file", str(pcm_call), "--num-clients", "4")
    texts = [
        [line["text"] for line in finals(lines) if line["client"] == number] for number in range(4)
    ]
    assert texts[0] and texts == [texts[0]] * 4


@pytest.mark.parametrize("script", ["stream", "offline"])
@pytest.mark.parametrize(
    ("flags", "details"),
    [
        (("--language-code", "en-US"), "Error: Unavailable model requested"),
        (("--model-name", "nope"), "Error: Unavailable model requested"),
        (("--encoding", "FLAC"), "Error: config format doesn't match with header format"),
        (("--sample-rate-hertz", "16000"), "Error: config format doesn't match with header format"),
        (("--sample-rate-hertz", "4000"), "sample_rate_hertz must be between 8000 and 96000"),
    ],
)
async def test_errors_as_the_client_sees_them(
    client: Client, script: str, flags: tuple[str, ...], details: str
) -> None:
    *_, error = await client(script, "--file", str(CALL), *flags)
    assert error["event"] == "error" and error["code"] == "INVALID_ARGUMENT"
    assert error["details"].startswith(details)


async def test_an_empty_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    for script in ("stream", "offline"):
        *_, error = await client(script, "--file", str(tmp_path / "empty.wav"))
        assert (error["code"], error["details"]) == ("INVALID_ARGUMENT", "empty audio")


async def test_mtls_and_a_call_id_that_comes_twice(
    tiny_settings: Settings,
    pcm_call: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pki = make_pki(tmp_path)
    files = {"certificate": "server.pem", "key": "server.key", "client_ca": "ca.pem"}
    tls = {f"tls_{name}": pki / file for name, file in files.items()}
    settings = tiny_settings.model_copy(update={"grpc": GrpcSettings(port=0, **tls)})
    box = Box(settings, FakeEngine(), Metrics())
    opened: list[CallConfig] = []
    open_call = box.open_call
    monkeypatch.setattr(
        box, "open_call", lambda c, keeper: (opened.append(c), open_call(c, keeper))[1]
    )
    await box.start()
    server = GrpcServer(box)
    lines = await run_client(
        "stream", "--server", f"localhost:{await server.start()}", "--file", str(pcm_call),
        "--use-ssl", "--ssl-root-cert", str(pki / "ca.pem"), "--metadata", "x-call-id", "12345-7",
        "--ssl-client-cert", str(pki / "client.pem"), "--ssl-client-key", str(pki / "client.key"),
    )  # fmt: skip
    await server.stop(0)
    await box.close()
    assert finals(lines) and [config.call_id for config in opened] == ["12345-7"]


# ---- without the subprocess: what the stock client cannot do


def opening(**fields: Any) -> asr.StreamingRecognizeRequest:
    config = asr.RecognitionConfig(language_code="zh-CN", **fields)
    streaming = asr.StreamingRecognitionConfig(config=config, interim_results=True)
    return asr.StreamingRecognizeRequest(streaming_config=streaming)


async def test_force_eou_brings_the_final_at_once(address: str) -> None:
    audio = CALL.read_bytes()[: 44 + 4 * 16_000]  # in the middle of the first sentence
    async with grpc.aio.insecure_channel(address) as channel:
        call = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
        await call.write(opening(enable_separate_recognition_per_channel=True))
        await call.write(
            asr.StreamingRecognizeRequest(audio_content=audio, runtime_config={"force_eou": "true"})
        )
        begun = time.monotonic()
        async with asyncio.timeout(5):
            while not (response := await call.read()).results[0].is_final:
                pass
        assert response.results[0].channel_tag == 1 and time.monotonic() - begun < 3
        call.cancel()


async def test_a_client_that_vanishes_frees_its_place(address: str, box: Box) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        call = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
        await call.write(opening())
        await call.write(asr.StreamingRecognizeRequest(audio_content=CALL.read_bytes()[:80_000]))
        await call.read()
        assert box.admission.calls == 1
        call.cancel()
        async with asyncio.timeout(5):
            while box.admission.calls:
                await asyncio.sleep(0.01)


async def test_a_full_box_refuses_at_the_first_audio(tiny_settings: Settings) -> None:
    limits = tiny_settings.limits.model_copy(update={"live_legs": 1})
    box = Box(tiny_settings.model_copy(update={"limits": limits}), FakeEngine(), Metrics())
    await box.start()
    server = GrpcServer(box)
    channel = grpc.aio.insecure_channel(f"localhost:{await server.start()}")
    audio = asr.StreamingRecognizeRequest(audio_content=CALL.read_bytes()[:80_000])
    first = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
    await first.write(opening())
    await first.write(audio)
    await first.read()
    second = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
    await second.write(opening())
    await second.write(audio)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(second.read(), 5)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-retry-pushback-ms" in dict(caught.value.trailing_metadata())
    await channel.close()
    await server.stop(0)
    await box.close()


async def test_sigterm_finishes_what_is_being_said(address: str, box: Box) -> None:
    """`serve` drains the box first; the door must end its streams by that alone."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
        await call.write(opening())
        await call.write(
            asr.StreamingRecognizeRequest(audio_content=CALL.read_bytes()[: 44 + 4 * 16_000])
        )
        assert not (await call.read()).results[0].is_final  # in the middle of a sentence
        draining = asyncio.create_task(box.drain(0.3))
        said = []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while True:
                said += (await asyncio.wait_for(call.read(), 5)).results
        assert said[-1].is_final and caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.wait_for(draining, 5)


@pytest.mark.parametrize("script", ["stream", "offline"])
async def test_the_stock_client_gets_speakers(client: Client, tmp_path: Path, script: str) -> None:
    """Two people in one channel; the fake tells a low voice from a high one."""
    data = CALL.read_bytes()
    header = wav.parse_header(data)
    assert header is not None
    legs = g711.ALAW[np.frombuffer(data[header.data_at :], np.uint8)].reshape(-1, 2)[: 30 * 8000]
    path = tmp_path / "mono.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((np.clip(legs.sum(axis=1), -1, 1) * 32767).astype("<i2").tobytes())
    lines = await client(script, "--file", str(path), "--speaker-diarization")
    tags = {word["speaker"] for line in results(lines) for word in line["words"]}
    assert tags and tags <= {1, 2}, lines
