"""gRPC messages of any shape, in any order: each is answered, none of them by a bug of ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from riva.client.proto import riva_asr_pb2 as asr

from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from tests.conftest import SCALE, SEED
from tests.integration.gateway import alaw, gateway

EXAMPLES = 60 * SCALE  # of each method
HOTLINE, OPERATIONS = "/lingting.hotline.v1.Hotline/", "/google.longrunning.Operations/"
RIVA = "/nvidia.riva.asr.RivaSpeechRecognition/"
METHODS = {  # -> the message it takes
    f"{RIVA}StreamingRecognize": asr.StreamingRecognizeRequest,
    f"{RIVA}Recognize": asr.RecognizeRequest,
    f"{RIVA}GetRivaSpeechRecognitionConfig": asr.RivaSpeechRecognitionConfigRequest,
    f"{HOTLINE}StreamCall": pb.StreamCallRequest,
    f"{HOTLINE}WatchCall": pb.WatchCallRequest,
    f"{HOTLINE}GetCall": pb.GetCallRequest,
    f"{HOTLINE}ListCalls": pb.ListCallsRequest,
    f"{HOTLINE}DeleteCall": pb.DeleteCallRequest,
    f"{HOTLINE}CreateRecording": pb.CreateRecordingRequest,
    f"{OPERATIONS}GetOperation": operations_pb2.GetOperationRequest,
    f"{OPERATIONS}WaitOperation": operations_pb2.WaitOperationRequest,
    f"{OPERATIONS}CancelOperation": operations_pb2.CancelOperationRequest,
}
BUGS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
STREAMS = {"StreamingRecognize", "StreamCall", "CreateRecording"}
TIMEOUT_S = 20.0
DEPTH = 4
INTEGERS = st.sampled_from([0, 1, 2, 7, 8000, 16000, -1, 2**31 - 1, -(2**31)]) | st.integers(0, 99)
TEXTS = st.sampled_from(
    ["", "zh-CN", "en", "x", "calls/x", "../../etc", "asr-demo", "\0"]
) | st.text(max_size=40)
BYTES = st.sampled_from([b"", alaw(0.3), b"RIFF", b"fLaC", b"OggS"]) | st.binary(max_size=400)
SCALARS = {
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
}
LEAST = {
    FieldDescriptor.CPPTYPE_UINT32: 0,
    FieldDescriptor.CPPTYPE_UINT64: 0,
    FieldDescriptor.CPPTYPE_INT32: -(2**31),
    FieldDescriptor.CPPTYPE_INT64: -(2**63),
}


def value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return fields(field.message_type, depth - 1)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return BYTES if field.type == FieldDescriptor.TYPE_BYTES else TEXTS
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return st.sampled_from([v.number for v in field.enum_type.values]) | st.just(77)
    if kind in SCALARS:
        return SCALARS[kind]
    return INTEGERS.filter(lambda n: n >= LEAST.get(kind, 0))


def fields(descriptor: Descriptor, depth: int = DEPTH) -> st.SearchStrategy[dict[str, Any]]:
    """Some fields of a message, set to something."""
    usable = [f for f in descriptor.fields if depth or f.message_type is None]
    optional = {}
    for field in usable:
        strategy = value(field, depth)
        if field.message_type and field.message_type.GetOptions().map_entry:
            strategy = st.dictionaries(TEXTS, TEXTS, max_size=3)
        elif field.is_repeated:
            strategy = st.lists(strategy, max_size=3)
        optional[field.name] = strategy
    return st.fixed_dictionaries({}, optional=optional)


def messages(kind: Any) -> st.SearchStrategy[bytes]:
    """Serialised ones; a oneof's last field wins, as on the wire. Some are no message at all."""

    def build(given: dict[str, Any]) -> bytes:
        try:
            return bytes(kind(**given).SerializeToString())
        except (TypeError, ValueError, UnicodeError):
            return b"\x0a\xff"

    return fields(kind.DESCRIPTOR).map(build) | st.binary(max_size=60)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway in a thread of its own."""
    started, stop = threading.Event(), threading.Event()
    found: list[str] = []

    async def serve(folder: Path) -> None:
        async with gateway(folder) as box:
            found.append(box.grpc)
            started.set()
            await asyncio.to_thread(stop.wait)

    folder = tmp_path_factory.mktemp("fuzz")
    thread = threading.Thread(target=lambda: asyncio.run(serve(folder)))
    thread.start()
    assert started.wait(30)
    yield found[0]
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def ask(channel: grpc.Channel, method: str, sent: list[bytes]) -> tuple[grpc.StatusCode, str]:
    """Every message as it is, then the end; the status."""
    try:
        for _ in channel.stream_stream(method)(iter(sent), timeout=TIMEOUT_S):
            pass
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("method", METHODS, ids=lambda name: name.rpartition("/")[2])
def test_any_message_is_answered(address: str, method: str, caplog: Any) -> None:
    kind = METHODS[method]
    most = 5 if method.rpartition("/")[2] in STREAMS else 1

    @seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sent=st.lists(messages(kind), min_size=1, max_size=most))
    def check(sent: list[bytes]) -> None:
        code, details = ask(channel, method, sent)
        assert code not in BUGS, f"{code}: {details}"
        assert code is not grpc.StatusCode.DEADLINE_EXCEEDED, "it was never answered"

    with grpc.insecure_channel(address) as channel:
        check()
    assert "met a bug" not in caplog.text
