"""lingting.hotline.v1 over a real channel, beside Riva's service."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2 as lro
from google.protobuf import empty_pb2
from google.rpc import error_details_pb2, status_pb2
from riva.client.proto import riva_asr_pb2 as asr
from riva.client.proto import riva_audio_pb2

from appliance.proto.generate import HERE, SOURCE, generate, imports
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from tests.integration.gateway import CALL, RunningGateway, alaw, gateway

HOTLINE, OPERATIONS = "/lingting.hotline.v1.Hotline/", "/google.longrunning.Operations/"
CONFIG = pb.CallConfig(
    encoding=pb.AUDIO_ENCODING_ALAW, sample_rate_hertz=8000, channels=2, partials=True, moods=True
)
PIECE = 1600  # bytes: 100 ms of both legs


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as made:
        yield made


@pytest.fixture
async def stub(box: RunningGateway) -> AsyncIterator[Stub]:
    async with grpc.aio.insecure_channel(box.grpc) as channel:
        yield Stub(channel)


class Stub:
    """What protoc's gRPC plugin would make."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        def unary(path: str, request: Any, response: Any) -> Any:
            return channel.unary_unary(path, request.SerializeToString, response.FromString)

        event = pb.CallEvent.FromString
        asked = pb.StreamCallRequest.SerializeToString
        self.stream = channel.stream_stream(HOTLINE + "StreamCall", asked, event)
        watched = pb.WatchCallRequest.SerializeToString
        self.watch = channel.unary_stream(HOTLINE + "WatchCall", watched, event)
        self.record = channel.stream_unary(
            HOTLINE + "CreateRecording",
            pb.CreateRecordingRequest.SerializeToString,
            lro.Operation.FromString,
        )
        self.get = unary(HOTLINE + "GetCall", pb.GetCallRequest, pb.Call)
        self.list = unary(HOTLINE + "ListCalls", pb.ListCallsRequest, pb.ListCallsResponse)
        self.delete = unary(HOTLINE + "DeleteCall", pb.DeleteCallRequest, empty_pb2.Empty)
        self.operation = unary(OPERATIONS + "GetOperation", lro.GetOperationRequest, lro.Operation)
        self.wait = unary(OPERATIONS + "WaitOperation", lro.WaitOperationRequest, lro.Operation)
        self.cancel = unary(
            OPERATIONS + "CancelOperation", lro.CancelOperationRequest, empty_pb2.Empty
        )
        self.riva = channel.stream_stream(
            "/nvidia.riva.asr.RivaSpeechRecognition/StreamingRecognize",
            asr.StreamingRecognizeRequest.SerializeToString,
            asr.StreamingRecognizeResponse.FromString,
        )


async def requests(
    config: pb.CallConfig, data: bytes, *, apart: bool = False
) -> AsyncIterator[pb.StreamCallRequest]:
    yield pb.StreamCallRequest(config=config)
    for at in range(0, len(data), PIECE):
        piece = data[at : at + PIECE]
        for leg in (1, 2) if apart else (0,):
            content = piece[leg - 1 :: 2] if leg else piece
            yield pb.StreamCallRequest(audio=pb.Audio(leg=leg, content=content))
        await asyncio.sleep(0)


def named(config: pb.CallConfig = CONFIG, **fields: Any) -> pb.CallConfig:
    changed = pb.CallConfig()
    changed.CopyFrom(config)
    changed.MergeFrom(pb.CallConfig(**fields))
    return changed


def texts(events: list[pb.CallEvent]) -> list[str]:
    return sorted(e.final.text for e in events if e.WhichOneof("event") == "final")


def reason(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    """ErrorInfo's reason and the Chinese words."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])  # type: ignore[arg-type]
    info, words = error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage()
    for detail in status.details:
        detail.Unpack(info) or detail.Unpack(words)
    return info.reason, words.message


async def test_a_call_is_streamed_watched_and_kept(stub: Stub) -> None:
    events = [e async for e in stub.stream(requests(named(call_id="g-1"), alaw(30)))]
    kinds = [event.WhichOneof("event") for event in events]
    assert {"partial", "final", "mood"} <= set(kinds)
    assert kinds[-1] == "ended" and events[-1].ended == pb.Call.STATE_FINISHED
    lasting = [e.sequence for e in events if e.WhichOneof("event") in ("final", "mood")]
    assert lasting == sorted(lasting) and lasting[0] == 1
    watched = [e async for e in stub.watch(pb.WatchCallRequest(name=events[0].name))]
    assert texts(watched) == texts(events)
    later = [e async for e in stub.watch(pb.WatchCallRequest(name="calls/g-1", after=2))]
    assert later == watched[2:]
    call = await stub.get(pb.GetCallRequest(name="calls/g-1"))
    assert call.name == events[0].name and call.state == pb.Call.STATE_FINISHED and call.demo
    assert sorted(u.text for u in call.utterances) == texts(events)
    assert len(call.moods.matrix) == 21


async def test_legs_may_come_apart(stub: Stub) -> None:
    together = [e async for e in stub.stream(requests(CONFIG, alaw(20)))]
    apart = [e async for e in stub.stream(requests(CONFIG, alaw(20), apart=True))]
    assert texts(apart) == texts(together) != []


async def test_one_channel_is_told_apart(stub: Stub) -> None:
    config = named(channels=1, diarize=True, max_speakers=2)
    events = [e async for e in stub.stream(requests(config, alaw(30)[0::2]))]
    told = [e.speakers for e in events if e.WhichOneof("event") == "speakers"]
    assert [each.settled for each in told].count(True) == 1 and told[-1].settled


async def test_a_stock_riva_call_is_watched_by_its_id(stub: Stub, box: RunningGateway) -> None:
    async def talk() -> AsyncIterator[asr.StreamingRecognizeRequest]:
        config = asr.RecognitionConfig(
            encoding=riva_audio_pb2.ALAW, sample_rate_hertz=8000, audio_channel_count=2,
            enable_separate_recognition_per_channel=True,
        )  # fmt: skip
        streaming = asr.StreamingRecognitionConfig(config=config, interim_results=True)
        yield asr.StreamingRecognizeRequest(streaming_config=streaming)
        data = alaw(20)
        for at in range(0, len(data), PIECE):
            yield asr.StreamingRecognizeRequest(audio_content=data[at : at + PIECE])
            await asyncio.sleep(0.01)

    async def follow() -> list[pb.CallEvent]:
        async with asyncio.timeout(20):
            while True:
                try:
                    request = pb.WatchCallRequest(name="calls/riva-7", partials=True)
                    return [event async for event in stub.watch(request)]
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.NOT_FOUND  # not begun yet
                    await asyncio.sleep(0.02)

    watching = asyncio.create_task(follow())
    answers = [a async for a in stub.riva(talk(), metadata=[("x-call-id", "riva-7")])]
    heard = sorted(
        r.alternatives[0].transcript.strip() for a in answers for r in a.results if r.is_final
    )
    events = await watching
    assert texts(events) == heard
    assert {"partial", "mood", "ended"} <= {event.WhichOneof("event") for event in events}


async def recording(config: pb.CallConfig, data: bytes, request_id: str = "") -> Any:
    yield pb.CreateRecordingRequest(config=pb.RecordingConfig(call=config, request_id=request_id))
    for at in range(0, len(data), 50_000):
        yield pb.CreateRecordingRequest(content=data[at : at + 50_000])


async def test_a_recording_is_an_operation(stub: Stub) -> None:
    begun = await stub.record(recording(pb.CallConfig(call_id="r-1"), CALL.read_bytes(), "u-1"))
    assert begun.name.startswith("operations/")
    done = await stub.wait(lro.WaitOperationRequest(name=begun.name))
    call, metadata = pb.Call(), pb.RecordingMetadata()
    assert done.done and done.response.Unpack(call) and done.metadata.Unpack(metadata)
    assert call.call_id == "r-1" and call.utterances and metadata.progress == 1.0
    again = await stub.record(recording(pb.CallConfig(call_id="r-1"), CALL.read_bytes(), "u-1"))
    assert again.name == begun.name
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.record(recording(pb.CallConfig(call_id="r-2"), CALL.read_bytes(), "u-1"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(caught.value)[0] == "CONFLICT"


async def test_a_stop_tells_what_was_heard_and_that_there_was_more(
    stub: Stub, box: RunningGateway
) -> None:
    call = stub.stream()
    await call.write(pb.StreamCallRequest(config=CONFIG))
    for at in range(0, len(alaw(4.5)), 1600):  # the agent is speaking
        audio = pb.Audio(content=alaw(4.5)[at : at + 1600])
        await call.write(pb.StreamCallRequest(audio=audio))
    while not (first := await call.read()).HasField("partial"):
        pass
    draining = asyncio.create_task(box.box.drain(0.3))
    told = [first]
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        while True:
            told.append(await asyncio.wait_for(call.read(), 10))
    await draining
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert any(event.HasField("final") for event in told)
    assert told[-1].ended == pb.Call.STATE_FINISHED and told[-1].cut_short
    kept = await stub.get(pb.GetCallRequest(name=told[-1].name))
    assert kept.cut_short and kept.utterances


async def test_a_recording_that_is_no_audio(stub: Stub) -> None:
    begun = await stub.record(recording(pb.CallConfig(), b"no audio at all" * 50))
    done = await stub.wait(lro.WaitOperationRequest(name=begun.name))
    assert done.done and done.error.message


async def test_a_recording_is_cancelled(stub: Stub, box: RunningGateway) -> None:
    box.engine.delay_s = 5
    begun = await stub.record(recording(CONFIG, alaw(20)))
    await stub.cancel(lro.CancelOperationRequest(name=begun.name))
    done = await stub.operation(lro.GetOperationRequest(name=begun.name))
    assert done.done and done.error.code == grpc.StatusCode.CANCELLED.value[0]


async def test_only_so_many_wait_for_operations(
    stub: Stub, box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.archive.archive.MOST_WATCHERS", 1)
    box.engine.delay_s = 5
    begun = await stub.record(recording(CONFIG, alaw(20)))
    wanted = lro.WaitOperationRequest(name=begun.name)
    waiting = [asyncio.ensure_future(stub.wait(wanted)) for _ in range(2)]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await asyncio.gather(*waiting)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await stub.cancel(lro.CancelOperationRequest(name=begun.name))
    done, _ = await asyncio.wait(waiting, timeout=10)
    assert len(done) == 2


async def test_calls_are_listed_and_deleted(stub: Stub) -> None:
    for number in range(3):
        config = named(call_id=f"l-{number}")
        [event async for event in stub.stream(requests(config, alaw(2)))]
    first = await stub.list(pb.ListCallsRequest(page_size=2))
    second = await stub.list(pb.ListCallsRequest(page_size=2, page_token=first.next_page_token))
    names = [call.call_id for call in (*first.calls, *second.calls)]
    assert names == ["l-2", "l-1", "l-0"] and not second.next_page_token
    finished = pb.ListCallsRequest.Filter(state=pb.Call.STATE_FINISHED, call_id="l-1")
    found = await stub.list(pb.ListCallsRequest(filter=finished))
    assert [call.call_id for call in found.calls] == ["l-1"]
    await stub.delete(pb.DeleteCallRequest(name=found.calls[0].name))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.get(pb.GetCallRequest(name=found.calls[0].name))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert reason(caught.value) == ("NOT_FOUND", "未找到所请求的对象。")


@pytest.mark.parametrize(
    "first",
    [
        pb.StreamCallRequest(audio=pb.Audio(content=b"x")),
        pb.StreamCallRequest(config=named(call_id="no spaces")),
        pb.StreamCallRequest(config=named(min_speakers=-1)),
        pb.StreamCallRequest(config=named(max_speakers=99)),
        pb.StreamCallRequest(config=named(language="xx")),
        pb.StreamCallRequest(config=pb.CallConfig(channels=9)),
    ],
)
async def test_a_bad_beginning_is_refused(stub: Stub, first: pb.StreamCallRequest) -> None:
    async def bad() -> AsyncIterator[pb.StreamCallRequest]:
        yield first

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [event async for event in stub.stream(bad())]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_leg_that_there_is_not(stub: Stub) -> None:
    async def bad() -> AsyncIterator[pb.StreamCallRequest]:
        yield pb.StreamCallRequest(config=CONFIG)
        yield pb.StreamCallRequest(audio=pb.Audio(leg=3, content=alaw(1)))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [event async for event in stub.stream(bad())]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT and "leg 3" in str(
        caught.value.details()
    )


@pytest.mark.parametrize(
    "name", ["", "calls/", "calls/a b", "operations/x/y", "calls/" + "x" * 200]
)
async def test_names_that_are_none(stub: Stub, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.get(pb.GetCallRequest(name=name))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    generate(tmp_path)
    for suffix in ("_pb2.py", "_pb2.pyi"):
        path = Path(SOURCE).with_name("hotline" + suffix)
        assert (tmp_path / path).read_text() == (HERE / path).read_text(), "run make proto"


def test_the_protocol_compiles_with_what_it_is_shipped_with(tmp_path: Path) -> None:
    """By protoc and the types it brings, as on a vendor's machine."""
    from grpc_tools import protoc

    shipped = {SOURCE: HERE / SOURCE, **imports()}
    for name, path in shipped.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / name)
    with as_file(files("grpc_tools") / "_proto") as known:
        out = tmp_path / "out"
        out.mkdir()
        assert not protoc.main(
            ["protoc", f"-I{tmp_path}", f"-I{known}", f"--python_out={out}", *shipped]
        )
    assert (out / "lingting/hotline/v1/hotline_pb2.py").exists()
