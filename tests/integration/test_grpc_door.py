"""The gRPC door in one process: a real server and real channels over a fake call room."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from riva.client.proto import riva_asr_pb2 as asr
from riva.client.proto import riva_asr_pb2_grpc as asr_grpc
from riva.client.proto import riva_audio_pb2 as audio

from appliance.api.grpc.server import GrpcServer
from appliance.errors import EngineUnavailable, SettingsError
from appliance.health import Health
from appliance.messages import Encoding
from appliance.settings import Settings
from appliance.settings.calls import LimitsSettings
from appliance.settings.doors import GrpcSettings
from tests.fakes_box import FakeBox
from tests.integration.pki import make_pki

SERVICE = "nvidia.riva.asr.RivaSpeechRecognition"
Request = asr.StreamingRecognizeRequest
SECOND = bytes(32_000)  # 16 kHz, 16 bit, one leg
SOON_S = 5.0


@asynccontextmanager
async def door(box: FakeBox) -> AsyncIterator[tuple[GrpcServer, str]]:
    server = GrpcServer(box)
    port = await server.start()
    try:
        yield server, f"localhost:{port}"
    finally:
        await server.stop(0)


# A port may be used again by the next server: never inherit a connection to the last one.
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


def settings(limits: LimitsSettings | None = None, **grpc_fields: Any) -> Settings:
    return Settings(
        grpc=GrpcSettings(**{"port": 0, "host": "127.0.0.1", **grpc_fields}),
        limits=limits or LimitsSettings(),
    )


@pytest.fixture
def box() -> FakeBox:
    return FakeBox(settings())


@pytest.fixture
async def stub(box: FakeBox) -> AsyncIterator[asr_grpc.RivaSpeechRecognitionStub]:
    async with (
        door(box) as (_, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        stub = asr_grpc.RivaSpeechRecognitionStub(channel)
        stub.address = address
        yield stub


def recognition(**fields: Any) -> asr.RecognitionConfig:
    return asr.RecognitionConfig(
        **{
            "language_code": "zh-CN",
            "encoding": audio.LINEAR_PCM,
            "sample_rate_hertz": 16000,
            "audio_channel_count": 1,
            **fields,
        }
    )


def opening(interim: bool = True, request_id: str = "", **fields: Any) -> Request:
    request = Request(
        streaming_config=asr.StreamingRecognitionConfig(
            config=recognition(**fields), interim_results=interim
        )
    )
    if request_id:
        request.id.value = request_id
    return request


def sound(data: bytes = SECOND) -> Request:
    return Request(audio_content=data)


async def streamed(stub: Any, requests: Iterable[Request], **options: Any) -> list[Any]:
    call = stub.StreamingRecognize(iter(requests), **options)
    return [response async for response in call]


async def cut_short(address: str, requests: Iterable[Request]) -> list[Any]:
    """The same through the blocking stub, for streams that end while requests are on their way:
    grpc.aio's client then at times reports its own failed write instead of the status."""

    def stream() -> list[Any]:
        with grpc.insecure_channel(address) as channel:
            return list(
                asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize(iter(requests))
            )

    return await asyncio.to_thread(stream)


async def refused(answer: Any) -> Any:
    """The error of `answer`."""
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.wait_for(answer, SOON_S)
    return caught.value


def reason(error: Any) -> str:
    info = error_details_pb2.ErrorInfo()
    rich = rpc_status.from_call(Outcome(error))
    assert rich.details[0].Unpack(info)
    return info.reason


class Outcome:
    """What grpc_status wants of a call."""

    def __init__(self, error: Any) -> None:
        self._error = error

    def code(self) -> grpc.StatusCode:
        return self._error.code()

    def details(self) -> str:
        return self._error.details() or ""

    def trailing_metadata(self) -> list[tuple[str, Any]]:
        return list(self._error.trailing_metadata())


async def eventually(holds: Callable[[], bool], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)


# ---- what works


async def test_a_stream(stub: Any, box: FakeBox) -> None:
    responses = await streamed(stub, [opening(request_id="r7"), sound(), sound()])
    assert {response.id.value for response in responses} == {"r7"}
    results = [result for response in responses for result in response.results]
    assert [r.is_final for r in results] == [False] * 4 + [True] + [False] * 4 + [True]
    assert [r.stability < 1 for r in results if not r.is_final] == [True] * 8
    first, second = (r.alternatives[0].transcript for r in results if r.is_final)
    assert (first, second) == ("您好我要反", " 您好我要反")
    assert results[-1].audio_processed == pytest.approx(2.0)
    assert box.calls[0].finished and box.calls[0].closed


async def test_only_finals(stub: Any) -> None:
    responses = await streamed(stub, [opening(interim=False), sound()])
    assert [r.is_final for response in responses for r in response.results] == [True]


async def test_results_come_while_audio_goes(stub: Any) -> None:
    call = stub.StreamingRecognize()
    await call.write(opening())
    await call.write(sound())
    for _ in range(5):
        response = await asyncio.wait_for(call.read(), SOON_S)
    assert response.results[0].is_final
    await call.write(sound(SECOND[:6400]))
    assert not (await asyncio.wait_for(call.read(), SOON_S)).results[0].is_final
    await call.done_writing()
    assert (await asyncio.wait_for(call.read(), SOON_S)).results[0].is_final
    assert await call.read() is grpc.aio.EOF and await call.code() is grpc.StatusCode.OK


async def test_legs_apart(stub: Any) -> None:
    fields = {"audio_channel_count": 2, "enable_separate_recognition_per_channel": True}
    responses = await streamed(stub, [opening(interim=False, **fields), sound(), sound()])
    results = [result for response in responses for result in response.results]
    assert [r.channel_tag for r in results] == [1, 2]
    responses = await streamed(
        stub, [opening(interim=False, audio_channel_count=2), sound(), sound()]
    )
    assert [r.channel_tag for response in responses for r in response.results] == [1]


async def test_word_times(stub: Any) -> None:
    (response,) = await streamed(
        stub, [opening(interim=False, enable_word_time_offsets=True), sound()]
    )
    words = response.results[0].alternatives[0].words
    assert [(w.word, w.start_time, w.end_time) for w in words][:2] == [
        ("您", 0, 200),
        ("好", 200, 400),
    ]


async def test_force_eou_ends_the_utterance_now(stub: Any, box: FakeBox) -> None:
    call = stub.StreamingRecognize()
    await call.write(opening(interim=False))
    await call.write(Request(audio_content=SECOND[:12_800], runtime_config={"force_eou": "true"}))
    response = await asyncio.wait_for(call.read(), SOON_S)
    assert response.results[0].is_final
    assert response.results[0].alternatives[0].transcript == "您好"
    await call.write(Request(runtime_config={"force_eou": "true"}))  # with no audio, too
    await eventually(lambda: box.calls[0].forced == 2)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_recording(stub: Any, box: FakeBox) -> None:
    request = asr.RecognizeRequest(config=recognition(), audio=SECOND * 3)
    request.id.value = "r8"
    call = stub.Recognize(request)
    response = await call
    assert [r.alternatives[0].transcript for r in response.results] == [
        "您好我要反",
        " 您好我要反",
        " 您好我要反",
    ]
    assert response.id.value == "r8"
    assert dict(await call.trailing_metadata())["lingting-demo-weights"] == "true"
    assert not box.calls[0].config.live and box.calls[0].accepted == 96_000


async def test_alaw_and_detection_arrive(stub: Any, box: FakeBox) -> None:
    fields = {"encoding": audio.ALAW, "sample_rate_hertz": 8000, "language_code": "multi"}
    await streamed(stub, [opening(**fields), sound(bytes(8000))])
    assert box.calls[0].config.audio.encoding is Encoding.ALAW
    assert box.calls[0].config.language is None


async def test_demo_weights_are_labelled_and_the_ignored_is_named(stub: Any) -> None:
    call = stub.StreamingRecognize(
        iter([opening(profanity_filter=True, custom_configuration={"beam": "5"}), sound()])
    )
    metadata = dict(await call.initial_metadata())
    assert metadata["lingting-demo-weights"] == "true"
    assert metadata["lingting-model"] == "asr-demo 1"
    assert metadata["lingting-ignored"] == "beam,profanity_filter"
    call = stub.StreamingRecognize(iter([opening(model="asr-large"), sound()]))
    metadata = dict(await call.initial_metadata())
    assert metadata["lingting-demo-weights"] == "false" and "lingting-ignored" not in metadata


async def test_call_id(stub: Any, box: FakeBox) -> None:
    twice = (("x-call-id", "12345-7"), ("x-call-id", "12345-7"))
    await streamed(stub, [opening(), sound()], metadata=twice)
    await stub.Recognize(asr.RecognizeRequest(config=recognition(), audio=SECOND), metadata=twice)
    assert [call.config.call_id for call in box.calls] == ["12345-7"] * 2


async def test_models(stub: Any) -> None:
    wanted = asr.RivaSpeechRecognitionConfigRequest
    response = await stub.GetRivaSpeechRecognitionConfig(wanted())
    assert len(response.model_config) == 4
    response = await stub.GetRivaSpeechRecognitionConfig(wanted(model_name="asr-large"))
    assert {m.model_name for m in response.model_config} == {"asr-large"}
    error = await refused(stub.GetRivaSpeechRecognitionConfig(wanted(model_name="nope")))
    assert error.code() is grpc.StatusCode.NOT_FOUND and reason(error) == "NOT_FOUND"


async def test_requests_are_counted(stub: Any, box: FakeBox) -> None:
    """A stream lasts as long as its call: its length says nothing of the box. An answer is counted
    after it was sent."""
    await streamed(stub, [opening(), sound()])
    await refused(stub.Recognize(asr.RecognizeRequest(config=recognition())))
    counted = box.metrics.registry.get_sample_value
    for method, status, timed in (
        ("StreamingRecognize", "OK", None),
        ("Recognize", "INVALID_ARGUMENT", 1),
    ):
        labels = {"door": "riva", "method": method, "status": status}
        async with asyncio.timeout(10):
            while counted("lingting_requests_total", labels) is None:
                await asyncio.sleep(0.01)
        assert counted("lingting_requests_total", labels) == 1
        del labels["status"]
        assert counted("lingting_request_duration_seconds_count", labels) == timed


# ---- what is refused

UNAVAILABLE = "Error: Unavailable model requested given these parameters: "
MISMATCH = "Error: config format doesn't match with header format"


@pytest.mark.parametrize(
    ("requests", "words", "why"),
    [
        ([], "first message must contain streaming_config", "CONFIG_EXPECTED"),
        ([sound()], "first message must contain streaming_config", "CONFIG_EXPECTED"),
        ([Request()], "first message must contain streaming_config", "CONFIG_EXPECTED"),
        ([opening(), opening()], "streaming_config was already received", "CONFIG_REPEATED"),
        ([opening(), sound(), opening()], "streaming_config was already received",
         "CONFIG_REPEATED"),
        ([opening()], "empty audio", "EMPTY_AUDIO"),
        ([opening(), sound(b"")], "empty audio", "EMPTY_AUDIO"),
        ([opening(sample_rate_hertz=500)], "sample_rate_hertz must be between 8000 and 96000",
         "SAMPLE_RATE_OUT_OF_RANGE"),
        ([opening(language_code="fr-FR")],
         UNAVAILABLE + "language_code=fr-FR; sample_rate=16000; type=online;",
         "MODEL_UNAVAILABLE"),
        ([opening(), sound(b"fLaC0000")], MISMATCH, "HEADER_MISMATCH"),
        ([opening(audio_channel_count=3)], "audio_channel_count is 3", "INVALID_REQUEST"),
        ([opening(), sound(b"garbage")], "these bytes are not audio", "INVALID_AUDIO"),
    ],
)  # fmt: skip
async def test_bad_streams(
    stub: Any, box: FakeBox, requests: list[Request], words: str, why: str
) -> None:
    error = await refused(cut_short(stub.address, requests))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in error.details() and reason(error) == why
    if why not in ("INVALID_REQUEST", "INVALID_AUDIO"):
        assert error.details() == words  # clients compare whole strings
    assert all(call.closed for call in box.calls)
    assert len(await streamed(stub, [opening(interim=False), sound()])) == 1  # nobody else suffers


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (asr.RecognizeRequest(config=recognition()), "empty audio"),
        (asr.RecognizeRequest(config=recognition(), audio=b"fLaC"), MISMATCH),
        (asr.RecognizeRequest(config=recognition(model="x"), audio=SECOND),
         UNAVAILABLE + "model=x; language_code=zh-CN; sample_rate=16000; type=offline;"),
    ],
)  # fmt: skip
async def test_bad_recordings(stub: Any, request_: Any, words: str) -> None:
    error = await refused(stub.Recognize(request_))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT and error.details() == words


async def test_garbage_in_a_recording_ends_its_call(stub: Any, box: FakeBox) -> None:
    request = asr.RecognizeRequest(config=recognition(), audio=b"garbage" * 100_000)
    error = await refused(stub.Recognize(request))
    assert reason(error) == "INVALID_AUDIO" and box.calls[0].closed


async def test_a_bug_shows_no_inside(stub: Any, caplog: pytest.LogCaptureFixture) -> None:
    error = await refused(cut_short(stub.address, [opening(), sound(b"crash")]))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(error) and "Traceback" not in str(error)
    assert "secret of the inside" in caplog.text


async def test_an_engine_that_fails_in_mid_call(stub: Any, box: FakeBox) -> None:
    call = stub.StreamingRecognize()
    await call.write(opening())
    await eventually(lambda: bool(box.calls))
    await box.calls[0].fail(EngineUnavailable("listen", "no engine answers"))
    error = await refused(call.read())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "grpc-retry-pushback-ms" in dict(error.trailing_metadata())


async def test_a_full_box_says_when_to_come_back(stub: Any, box: FakeBox) -> None:
    box.full = True
    for answer in (
        cut_short(stub.address, [opening(), sound()]),
        stub.Recognize(asr.RecognizeRequest(config=recognition(), audio=SECOND)),
    ):
        error = await refused(answer)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "2500"
        assert reason(error) == "OVERLOADED"


async def test_streams_that_never_begin_are_bounded_too() -> None:
    box = FakeBox(settings(LimitsSettings(idle_streams=2, recordings=1, recordings_waiting=0)))
    async with (
        door(box) as (_, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as lazy,
    ):
        calls = [asr_grpc.RivaSpeechRecognitionStub(lazy).StreamingRecognize() for _ in "12"]
        await asyncio.gather(*(call.wait_for_connection() for call in calls))
        await asyncio.sleep(0.1)
        async with grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel:
            stub = asr_grpc.RivaSpeechRecognitionStub(channel)
            error = await refused(cut_short(address, [opening(), sound()]))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert reason(error) == "OVERLOADED"
            for call in calls:
                call.cancel()
            await asyncio.sleep(0.1)
            assert await streamed(stub, [opening(), sound()])  # the places are free again


async def test_sizes() -> None:
    box = FakeBox(settings(max_message_mib=1))
    async with (
        door(box) as (_, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        stub = asr_grpc.RivaSpeechRecognitionStub(channel)
        huge = bytes(1024 * 1024 + 1)
        answers = (
            stub.Recognize(asr.RecognizeRequest(config=recognition(), audio=huge)),
            cut_short(address, [opening(), sound(huge)]),
        )
        for answer in answers:
            error = await refused(answer)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than max" in error.details()
        assert await streamed(stub, [opening(), sound(bytes(1000_000))])
        await eventually(lambda: all(call.closed for call in box.calls))


@pytest.mark.parametrize("method", ["StreamingRecognize", "Recognize"])
async def test_bytes_that_are_no_message(stub: Any, method: str) -> None:
    async with grpc.aio.insecure_channel(stub.address) as channel:
        call = channel.stream_stream(f"/{SERVICE}/{method}")()
        await call.write(b"\xff" * 50)
        error = await refused(call.read())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT and reason(error) == "INVALID_REQUEST"


async def test_a_single_request_that_never_comes(stub: Any) -> None:
    async with grpc.aio.insecure_channel(stub.address) as channel:
        call = channel.stream_stream(f"/{SERVICE}/Recognize")()
        await call.done_writing()
        error = await refused(call.read())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


# ---- clients that vanish, stall or flood


async def test_a_client_that_vanishes(stub: Any, box: FakeBox) -> None:
    call = stub.StreamingRecognize()
    await call.write(opening())
    await call.write(sound())
    await call.read()
    call.cancel()
    await eventually(lambda: box.calls[0].closed)
    assert not box.calls[0].finished


async def test_a_connection_that_breaks(box: FakeBox) -> None:
    async with door(box) as (_, address):
        channel = grpc.aio.insecure_channel(address, OWN_CONNECTION)
        call = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
        await call.write(opening())
        await call.write(sound())
        await eventually(lambda: bool(box.calls))
        await channel.close()
        await eventually(lambda: box.calls[0].closed)
    labels = {"door": "riva", "method": "StreamingRecognize", "status": "CANCELLED"}
    assert box.metrics.registry.get_sample_value("lingting_requests_total", labels) == 1


async def test_a_client_that_sends_nothing() -> None:
    box = FakeBox(settings(idle_timeout_s=0.2))
    async with (
        door(box) as (_, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        stub = asr_grpc.RivaSpeechRecognitionStub(channel)
        error = await refused(stub.StreamingRecognize().read())  # not even a configuration
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert reason(error) == "IDLE_TIMEOUT" and not box.calls


async def test_what_was_said_before_a_stall_is_not_lost() -> None:
    box = FakeBox(settings(idle_timeout_s=0.2))
    async with (
        door(box) as (_, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        call = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
        await call.write(opening(interim=False))
        await call.write(sound(SECOND[:12_800]))
        response = await asyncio.wait_for(call.read(), SOON_S)
        assert response.results[0].alternatives[0].transcript == "您好"
        error = await refused(call.read())
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert box.calls[0].finished and box.calls[0].closed


async def test_a_flood_waits_in_the_clients_socket(stub: Any, box: FakeBox) -> None:
    """While the call is busy, nothing more is taken in than the transport's window."""
    call = stub.StreamingRecognize()
    await call.write(opening())
    await eventually(lambda: bool(box.calls))
    box.gate.clear()
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while sent < 120:
            await call.write(sound(bytes(256_000)))
            sent += 1

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.5)
    assert sent < 60 and box.calls[0].accepted == 0
    box.gate.set()
    drinking = asyncio.create_task(drink(call))
    await asyncio.wait_for(flooding, 60)
    await call.done_writing()
    await drinking
    assert box.calls[0].accepted == 120 * 256_000


async def drink(call: Any) -> None:
    async for _ in call:
        pass


async def test_a_client_that_does_not_read_is_ended() -> None:
    box = FakeBox(settings(idle_timeout_s=0.5))
    options = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
    async with (
        door(box) as (_, address),
        grpc.aio.insecure_channel(address, options=options) as channel,
    ):
        call = asr_grpc.RivaSpeechRecognitionStub(channel).StreamingRecognize()
        await call.write(opening(enable_word_time_offsets=True))
        for _ in range(3):
            await call.write(sound(SECOND * 20))  # more results than the window holds
        await eventually(lambda: bool(box.calls) and box.calls[0].closed)
        assert box.calls[0].accepted > 0 and not box.calls[0].finished
        with pytest.raises(grpc.aio.AioRpcError, match="has read none"):
            while True:
                await asyncio.wait_for(call.read(), SOON_S)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


# ---- health, reflection, TLS


async def test_health(box: FakeBox) -> None:
    async with (
        door(box) as (_, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING

        async def status(service: str) -> int:
            response = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            return int(response.status)

        serving, not_serving = 1, 2
        assert [await status(""), await status(SERVICE)] == [serving] * 2
        box.engine = Health(False, "no engine")
        assert [await status(""), await status(SERVICE)] == [not_serving] * 2
        assert (await asyncio.wait_for(watch.read(), SOON_S)).status == not_serving
        box.engine, box.draining = Health(True), True
        assert await status("") == not_serving
        error = await refused(status("unknown.Service"))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="unknown.Service"))
        assert (await unknown.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def reflected(address: str) -> list[str]:
    async with grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest
        call = stub.ServerReflectionInfo()
        await call.write(asked(list_services=""))
        listed = await call.read()
        await call.write(asked(file_containing_symbol=SERVICE))
        described = await call.read()
        assert described.file_descriptor_response.file_descriptor_proto
        return [service.name for service in listed.list_services_response.service]


async def test_reflection(box: FakeBox) -> None:
    async with door(box) as (_, address):
        assert {SERVICE, "grpc.health.v1.Health"} <= set(await reflected(address))
    async with door(FakeBox(settings(reflection=False))) as (_, address):
        error = await refused(reflected(address))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pki(tmp_path_factory.mktemp("pki"))


def tls(pki: Path, **files: str) -> Settings:
    return settings(**{name: pki / file for name, file in files.items()})


SERVER_FILES = {"tls_certificate": "server.pem", "tls_key": "server.key"}


def credentials(pki: Path, client: bool = False) -> grpc.ChannelCredentials:
    read = [(pki / f"client.{end}").read_bytes() if client else None for end in ("key", "pem")]
    return grpc.ssl_channel_credentials((pki / "ca.pem").read_bytes(), *read)


async def test_tls(pki: Path) -> None:
    box = FakeBox(tls(pki, **SERVER_FILES))
    async with door(box) as (_, address):
        async with grpc.aio.secure_channel(address, credentials(pki)) as channel:
            stub = asr_grpc.RivaSpeechRecognitionStub(channel)
            assert await streamed(stub, [opening(), sound()])
        async with grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel:
            error = await refused(
                streamed(asr_grpc.RivaSpeechRecognitionStub(channel), [opening()])
            )
            assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_mtls(pki: Path) -> None:
    box = FakeBox(tls(pki, **SERVER_FILES, tls_client_ca="ca.pem"))
    async with door(box) as (_, address):
        async with grpc.aio.secure_channel(address, credentials(pki, client=True)) as channel:
            stub = asr_grpc.RivaSpeechRecognitionStub(channel)
            assert await streamed(stub, [opening(), sound()])
        async with grpc.aio.secure_channel(address, credentials(pki)) as channel:
            error = await refused(
                streamed(asr_grpc.RivaSpeechRecognitionStub(channel), [opening()])
            )
            assert error.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"tls_certificate": "server.pem"}, "grpc.tls_key"),
        ({"tls_key": "server.key"}, "grpc.tls_certificate"),
        ({"tls_client_ca": "ca.pem"}, "grpc.tls_certificate"),
        ({"tls_certificate": "missing.pem", "tls_key": "server.key"}, "missing.pem"),
        ({"tls_certificate": "server.pem", "tls_key": "missing.key"}, "missing.key"),
        ({"tls_certificate": "garbage.pem", "tls_key": "server.key"}, "garbage.pem"),
        ({"tls_certificate": "server.pem", "tls_key": "client.key"}, "client.key"),
        ({"tls_certificate": "server.pem", "tls_key": "locked.key"}, "locked.key"),
        ({**SERVER_FILES, "tls_client_ca": "garbage.pem"}, "garbage.pem"),
        ({**SERVER_FILES, "tls_client_ca": "missing.pem"}, "missing.pem"),
    ],
)
async def test_tls_files_that_do_not_work(pki: Path, files: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        await GrpcServer(FakeBox(tls(pki, **files))).start()


async def test_a_port_in_use_is_not_shared(box: FakeBox) -> None:
    async with door(box) as (_, address):
        port = int(address.rpartition(":")[2])
        with pytest.raises(SettingsError, match=str(port)):
            await GrpcServer(FakeBox(settings(port=port))).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))  # and is let go of at the end


# ---- the box stops


async def test_a_stop_lets_a_speaker_finish(box: FakeBox) -> None:
    async with (
        door(box) as (server, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        stub = asr_grpc.RivaSpeechRecognitionStub(channel)
        call = stub.StreamingRecognize()
        await call.write(opening())
        await call.write(sound(SECOND[:12_800]))
        await call.read()
        await call.read()  # in the middle of an utterance
        stopping = asyncio.create_task(server.stop(SOON_S))
        await asyncio.sleep(0.05)
        error = await refused(cut_short(address, [opening(), sound()]))
        assert error.code() is grpc.StatusCode.UNAVAILABLE and reason(error) == "DRAINING"
        assert "grpc-retry-pushback-ms" in dict(error.trailing_metadata())
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == 2
        await call.write(sound(SECOND[12_800:]))  # goes on to the end of the utterance
        said = await until_drained(call)
        assert said[-1].is_final and said[-1].alternatives[0].transcript == "您好我要反"
        await asyncio.wait_for(stopping, SOON_S)
        assert box.calls[0].finished and box.calls[0].closed


async def until_drained(call: Any) -> list[Any]:
    """The results up to the status, which must be the drain's."""
    results: list[Any] = []
    try:
        while (response := await asyncio.wait_for(call.read(), SOON_S)) is not grpc.aio.EOF:
            results += response.results
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE and reason(error) == "DRAINING"
        return results
    raise AssertionError("the stream ended as if the client had ended it")


async def test_a_stop_ends_silent_streams_at_once_and_long_speech_at_the_deadline(
    box: FakeBox,
) -> None:
    async with (
        door(box) as (server, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        stub = asr_grpc.RivaSpeechRecognitionStub(channel)
        silent, speaking = stub.StreamingRecognize(), stub.StreamingRecognize()
        await silent.write(opening())
        await speaking.write(opening())
        await speaking.write(sound(SECOND[:12_800]))
        await speaking.read()
        await eventually(lambda: len(box.calls) == 2)
        stopping = asyncio.create_task(server.stop(0.5))
        error = await refused(silent.read())
        assert reason(error) == "DRAINING" and not stopping.done()
        said = await until_drained(speaking)
        assert said[-1].is_final and said[-1].alternatives[0].transcript == "您好"
        await asyncio.wait_for(stopping, SOON_S)


async def test_a_stop_waits_for_a_recording(box: FakeBox) -> None:
    async with (
        door(box) as (server, address),
        grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel,
    ):
        stub = asr_grpc.RivaSpeechRecognitionStub(channel)
        box.gate.clear()
        answer = stub.Recognize(asr.RecognizeRequest(config=recognition(), audio=SECOND))
        await eventually(lambda: bool(box.calls))
        stopping = asyncio.create_task(server.stop(SOON_S))
        await asyncio.sleep(0.05)
        box.gate.set()
        assert (await answer).results
        await asyncio.wait_for(stopping, SOON_S)


async def test_a_box_that_drains_ends_a_talking_stream_at_its_next_pause(
    stub: Any, box: FakeBox
) -> None:
    call = stub.StreamingRecognize()
    await call.write(opening())
    await call.write(sound(SECOND[:12_800]))
    await call.read()
    box.draining = True
    await call.write(sound(SECOND[12_800:] + SECOND[:3200]))
    said = await until_drained(call)
    assert [r.is_final for r in said][-1] and said[-1].alternatives[0].transcript == "您好我要反"


@pytest.mark.parametrize("heard", [b"", SECOND[:12_800]])
async def test_a_box_that_has_drained_ends_every_stream(
    stub: Any, box: FakeBox, heard: bytes
) -> None:
    call = stub.StreamingRecognize()
    await call.write(opening(interim=False))
    await call.write(sound(heard))
    await eventually(lambda: bool(box.calls) and box.calls[0].accepted == len(heard))
    await asyncio.wait_for(box.drain(), SOON_S)
    said = await until_drained(call)
    assert [r.alternatives[0].transcript for r in said] == (["您好"] if heard else [])


async def test_a_draining_box_refuses(stub: Any, box: FakeBox) -> None:
    box.draining = True
    error = await refused(cut_short(stub.address, [opening(), sound()]))
    assert error.code() is grpc.StatusCode.UNAVAILABLE and reason(error) == "DRAINING"
    refusals = {"door": "riva", "reason": "draining"}
    assert box.metrics.registry.get_sample_value("lingting_calls_refused_total", refusals) == 1
