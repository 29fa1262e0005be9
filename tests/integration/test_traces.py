"""Traces of calls: their shape, what they may not tell, and that nothing depends on a collector."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from appliance.errors import SettingsError
from appliance.settings import load_settings
from appliance.traces import Field
from tests.callers import Caller
from tests.collector import Collector, collector, told
from tests.daemon import DEMO_CALL, Daemon, daemon, end, finish, free_port

Traced = tuple[Daemon, Collector, str]  # and the name of its only engine
SECRET = "planted-call-13800138000"
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def called(box: Daemon, name: str) -> None:
    Caller("", f"127.0.0.1:{box.grpc_port}", seconds=8).call(name)


@pytest.fixture(scope="module", params=["cpu", "triton"])
def traced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    """A box of one engine that traces all calls, after a call and an upload."""
    folder = tmp_path_factory.mktemp("traced")
    only = {"LINGTING_TRITON__MODE": "off"}
    if request.param == "triton":
        only = {"LINGTING_CPU__WORKERS": "0"}
    with collector() as received:
        only["LINGTING_TRACES__COLLECTOR"] = received.address
        only |= {"LINGTING_TRACES__SHARE": "1", "LINGTING_LOG__FORMAT": "json"}
        with daemon(folder, **only) as box:
            called(box, SECRET)
            with DEMO_CALL.open("rb") as file:
                form = {"model": "whisper-1", "prompt": SECRET}
                sent = httpx.post(
                    f"{box.url}/v1/audio/transcriptions",
                    data=form,
                    files={"file": file},
                    timeout=60,
                )
            assert sent.status_code == 200
            finish(box.client("offline", "--file", str(DEMO_CALL), "--separate-channels"))
            received.until("call", 3)
            yield box, received, request.param


def test_a_call_is_told_from_the_door_to_the_model(traced: Traced) -> None:
    _, received, engine = traced
    call = next(c for c in received.named("call") if told(c)["kind"] == "live")
    assert not call.parent_span_id
    assert told(call)["door"] == "hotline"
    utterances = received.parts(call, "utterance")
    assert utterances
    finals = [
        ask
        for utterance in utterances
        for ask in received.parts(utterance, "ask")
        if told(ask)["priority"] == "final"
    ]
    assert finals
    for ask in finals:
        assert ask.trace_id == call.trace_id
        assert told(ask)["engine"] == engine
        (queue,), (model,) = received.parts(ask, "queue"), received.parts(ask, "model")
        assert told(model)["batch"] >= 1
        assert ask.start_time_unix_nano <= queue.end_time_unix_nano <= ask.end_time_unix_nano
        worked_ns = model.end_time_unix_nano - model.start_time_unix_nano
        whole_ns = ask.end_time_unix_nano - ask.start_time_unix_nano
        assert 0 < worked_ns <= whole_ns


def test_each_call_is_a_trace_of_its_own(traced: Traced) -> None:
    calls = traced[1].named("call")
    assert {told(call)["kind"] for call in calls} == {"live", "recording"}
    assert {told(call)["door"] for call in calls} == {"hotline", "openai", "riva"}
    assert len({call.trace_id for call in calls}) == len(calls)
    known = {call.trace_id for call in calls}
    assert {span.trace_id for span in traced[1].spans} == known


def test_no_span_tells_who_or_what(traced: Traced) -> None:
    box, received, _ = traced
    assert {key for span in received.spans for key in told(span)} <= set(Field.__annotations__)
    assert not any(span.events or span.status.message for span in received.spans)
    said = [c["id"] for c in httpx.get(f"{box.url}/api/v1/calls").json()["calls"]]
    assert said
    for secret in (SECRET, "planted", "13800138000", *said):
        assert secret.encode() not in received.raw


def test_latencies_point_at_traces(traced: Traced) -> None:
    box, received, _ = traced
    exposed = httpx.get(f"{box.url}/metrics", headers=OPENMETRICS).text
    traces = {span.trace_id.hex() for span in received.spans}
    for metric in ("first_partial", "endpoint_to_final", "engine_latency", "engine_queue"):
        found = re.findall(
            rf'^lingting_{metric}_seconds_bucket.* # {{trace_id="(\w+)"}}', exposed, re.MULTILINE
        )
        assert found and set(found) <= traces, metric


def test_the_log_knows_the_trace_of_a_call(traced: Traced) -> None:
    """How an operator gets from a slow final to the call."""
    box, received, _ = traced
    lines = [json.loads(line) for line in box.log().splitlines()]
    named = {line["trace_id"] for line in lines if line.get("call_name") == SECRET}
    assert named <= {call.trace_id.hex() for call in received.named("call")}
    assert named


def test_a_collector_that_is_away_costs_no_call(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    only = {"LINGTING_TRITON__MODE": "off", "LINGTING_TRACES__COLLECTOR": address}
    with daemon(tmp_path, LINGTING_TRACES__SHARE="1", **only) as box:
        called(box, "a")
        until(lambda: "takes traces; calls go on" in box.log())
        with collector(int(address.rpartition(":")[2])) as received:
            called(box, "b")
            received.until("call")
            until(lambda: "takes traces again" in box.log())
        for _ in range(4):
            called(box, "c")  # spans that nobody takes any more
        begun = time.monotonic()
        end(box.process)
        stopped_s = time.monotonic() - begun
    assert not re.search("Traceback|ERROR|Failed to export", box.log())
    assert stopped_s < 15  # each failed export alone would take three


def test_off_until_asked_for(tmp_path: Path) -> None:
    with daemon(tmp_path, LINGTING_TRITON__MODE="off") as box:
        called(box, "a")
        exposed = httpx.get(f"{box.url}/metrics", headers=OPENMETRICS).text
    assert "trace_id" not in exposed


@pytest.mark.parametrize("address", ["10.0.0.7:4317", "collector:4317", "127.0.0.1", "::1:4317"])
def test_spans_do_not_leave_the_machine(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("LINGTING_TRACES__COLLECTOR", address)
    with pytest.raises(SettingsError, match="on loopback"):
        load_settings()
