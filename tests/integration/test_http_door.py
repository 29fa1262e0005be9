"""The HTTP door over a fake box: every answer, every error, every way to leave."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.api.http import middleware, server, upload
from appliance.api.http.app import create_app
from appliance.api.http.server import HttpServer
from appliance.call.admission import Admission
from appliance.errors import (
    BundleError,
    EngineUnavailable,
    IdleTimeout,
    InvalidAudio,
    Overloaded,
    SettingsError,
    TooLarge,
)
from appliance.health import Health
from appliance.messages import BOX_LANGUAGE, AudioFormat, Encoding
from appliance.settings.calls import LimitsSettings
from tests.integration.http_fakes import BAD, CARD, FakeHttpBox, final

TRANSCRIBE, TRANSLATE = "/v1/audio/transcriptions", "/v1/audio/translations"
AUDIO = b"RIFF" + bytes(1_000)


@pytest.fixture
def box() -> FakeHttpBox:
    return FakeHttpBox(http={"port": 0, "max_upload_mib": 2})


@pytest.fixture
async def client(box: FakeHttpBox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(box), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://box") as client:
        yield client


@asynccontextmanager
async def serving(box: FakeHttpBox) -> AsyncIterator[int]:
    door = HttpServer(box)
    try:
        yield await door.start()
    finally:
        await door.stop(0)


@asynccontextmanager
async def open_upload(port: int, body: bytes, *, length: int = 0) -> AsyncIterator[Any]:
    """A raw connection that has sent `body` of an upload that declares `length` bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST {TRANSCRIBE} HTTP/1.1\r\nhost: box\r\ncontent-length: {length or len(body)}\r\n"
        "content-type: multipart/form-data; boundary=x\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    try:
        yield reader, writer
    finally:
        writer.close()


def form(data: bytes = AUDIO, **fields: str) -> bytes:
    parts = [
        f'--x\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return b"".join(parts) + head + data + b"\r\n--x--\r\n"


async def post(
    client: httpx.AsyncClient, path: str = TRANSCRIBE, data: bytes = AUDIO, **fields: Any
) -> httpx.Response:
    return await client.post(path, files={"file": ("geheim.wav", data)}, data=fields)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def sse(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]


# Answers


async def test_json_says_the_text_and_that_the_weights_are_for_demonstration(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    answer = await post(client)
    assert answer.status_code == 200
    body = answer.json()
    assert body["text"] == "您好\n我要反映一个问题。"
    assert body["usage"] == {"type": "duration", "seconds": 5}
    assert body["lingting"]["model"] == "asr-demo 1"
    assert body["lingting"]["demo"] is True
    assert answer.headers["x-lingting-demo-weights"] == "true"
    assert answer.headers["x-lingting-model"] == "asr-demo 1"
    assert box.received == len(AUDIO)


@pytest.mark.parametrize(
    ("name", "content_type", "start"),
    [
        ("text", "text/plain", "您好\n我要"),
        ("srt", "text/plain", "1\n00:00:00,000 --> 00:00:01,000\n声道1：您好"),
        ("vtt", "text/vtt", "WEBVTT\n\nNOTE 演示权重"),
    ],
)
async def test_text_formats(
    client: httpx.AsyncClient, name: str, content_type: str, start: str
) -> None:
    answer = await post(client, response_format=name)
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.text.startswith(start)
    assert answer.headers["x-lingting-demo-weights"] == "true"


async def test_verbose_json_has_segments_of_both_legs_in_time_order(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    body = (await post(client, response_format="verbose_json", temperature="0.2")).json()
    assert (body["task"], body["language"], body["duration"]) == ("transcribe", "chinese", 5.0)
    assert [(s["id"], s["leg"], s["start"]) for s in body["segments"]] == [(0, 0, 0.0), (1, 1, 1.2)]
    segment = body["segments"][0]
    assert (segment["temperature"], segment["no_speech_prob"]) == (0.4, 0.1), "as it was heard"
    assert "words" not in body
    assert not box.configs[0].word_times


async def test_a_prompt_of_names_is_listened_for(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    """As stock clients spell them; said to a model, it would hear them everywhere."""
    await post(client, prompt="平城区、云冈街道", hotwords="工单")
    assert box.configs[0].hotwords == ("工单", "平城区", "云冈街道")
    assert box.configs[0].prompt == ""


async def test_words_only_when_asked(client: httpx.AsyncClient, box: FakeHttpBox) -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": ["word"]}
    body = (await post(client, **fields)).json()
    assert "segments" not in body
    assert body["words"][0] == {"word": "您", "start": 0.0, "end": 0.5, "confidence": 0.5, "leg": 0}
    assert box.configs[0].word_times


async def test_the_box_is_asked_for_what_the_form_says(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    await post(
        client,
        model="whisper-1",
        language="zh-CN",
        prompt="市民来电",
        temperature="0.5",
        hotwords="聆听, 承办单位，工单",
        chunking_strategy="auto",
    )
    config = box.configs[0]
    assert (config.language, config.prompt, config.temperature) == ("zh", "市民来电", 0.5)
    assert config.hotwords == ("聆听", "承办单位", "工单")
    assert (config.live, config.interim, config.door, config.task) == (
        False,
        False,
        "openai",
        "transcribe",
    )


async def test_headerless_audio_can_be_described(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    await post(client, encoding="alaw", sample_rate_hertz="8000", channels="2")
    assert box.configs[0].audio == AudioFormat(Encoding.ALAW, 8_000, 2)


async def test_language_is_detected_when_the_model_knows_several(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    box.cards = (replace(CARD, languages=("zh", "en")),)
    await post(client, language="auto")
    await post(client, language="en")
    await post(client)
    assert [config.language for config in box.configs] == [None, "en", BOX_LANGUAGE]


async def test_logprobs_are_filled_from_the_words(client: httpx.AsyncClient) -> None:
    body = (await post(client, **{"include[]": ["logprobs"]})).json()
    assert body["logprobs"][0] == {
        "token": "您",
        "bytes": list("您".encode()),
        "logprob": pytest.approx(-0.6931),
    }


async def test_stream_sends_deltas_then_the_whole(client: httpx.AsyncClient) -> None:
    answer = await post(client, stream="true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-lingting-demo-weights"] == "true"
    events = sse(answer.text)
    kinds = [event["type"] for event in events]
    assert kinds == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event["delta"] for event in events[:-1]) == events[-1]["text"]
    assert events[-1]["lingting"]["demo"] is True


async def test_streamed_words_of_other_scripts_are_kept_apart(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    box.finals = (final("good", 0, 1), final("morning", 1, 2))
    events = sse((await post(client, stream="true")).text)
    assert [event.get("delta") for event in events] == ["good", " morning", None]
    assert events[-1]["text"] == "good morning"


async def test_translation_works_when_the_model_can(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    box.cards = (replace(CARD, tasks=("transcribe", "translate"), languages=("zh", "en")),)
    body = (await post(client, TRANSLATE, response_format="verbose_json")).json()
    assert (body["task"], body["language"]) == ("translate", "english")
    assert box.configs[0].task == "translate"


async def test_models(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/models")).json()
    assert [model["id"] for model in listed["data"]] == ["asr-demo"]
    assert listed["data"][0]["lingting"]["demo"] is True
    assert (await client.get("/v1/models/asr-demo")).json()["object"] == "model"
    assert (await client.get("/v1/models/whisper-1")).json()["id"] == "asr-demo"


async def test_root_says_where_to_look_and_nothing_fetches_from_outside(
    client: httpx.AsyncClient,
) -> None:
    places = (await client.get("/")).json()["look_at"]
    spec = (await client.get("/openapi.json")).json()
    minting = {f"/v1/realtime/{each}" for each in ("client_secrets", "transcription_sessions")}
    assert set(spec["paths"]) - set(places) == {"/v1/models/{model_id}", *minting}
    assert (await client.get("/docs")).status_code == 404


# Health and metrics


async def test_health(client: httpx.AsyncClient, box: FakeHttpBox) -> None:
    assert (await client.get("/v1/health/live")).status_code == 200
    ready = await client.get("/v1/health/ready")
    assert ready.status_code == 200
    assert ready.json()["parts"]["triton"] == {"ok": False, "reason": "not started", "detail": {}}
    assert (await client.head("/v1/health/ready")).status_code == 200

    box.parts["engine"] = Health(False, "loading")
    ready = await client.get("/v1/health/ready")
    assert (ready.status_code, ready.json()["message"]) == (503, "engine: loading")

    box.parts, box.draining = {"engine": Health(True)}, True
    ready = await client.get("/v1/health/ready")
    assert (ready.status_code, ready.json()["draining"]) == (503, True)


async def test_a_box_without_any_engine_is_not_ready(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    box.parts = {}
    assert (await client.get("/v1/health/ready")).status_code == 503


async def test_metrics_are_counted_by_template_not_by_path(client: httpx.AsyncClient) -> None:
    await client.get("/v1/models/asr-demo")
    await client.get("/v1/models/secret-name")
    await client.get("/somewhere/secret-name")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'method="/v1/models/{model_id}",status="200"' in answer.text
    assert 'method="/v1/models/{model_id}",status="404"' in answer.text
    assert 'method="other",status="404"' in answer.text
    assert "secret" not in answer.text
    assert 'lingting_request_duration_seconds_count{door="http"' in answer.text


# Request ids and logs


async def test_a_sane_request_id_comes_back_and_any_other_is_replaced(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/v1/models", "/nowhere", "/v1/nowhere"):
        answer = await client.get(path, headers={"x-request-id": "abc-1.2:3"})
        assert answer.headers["x-request-id"] == "abc-1.2:3"
    for insane in ("a b", "x" * 129, '"><script>'):
        answer = await client.get("/v1/models", headers={"x-request-id": insane})
        assert answer.headers["x-request-id"].startswith("req_")


async def test_call_id_is_the_callers_or_the_requests(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    files = {"file": ("a.wav", AUDIO)}
    await client.post(TRANSCRIBE, files=files, headers={"x-call-id": "c-1"})
    await client.post(TRANSCRIBE, files=files, headers={"x-request-id": "r-1"})
    error = await fault(
        client.post(TRANSCRIBE, files=files, headers={"x-call-id": "not sane"}), 400
    )
    assert error["param"] == "x-call-id"
    assert [config.call_id for config in box.configs] == ["c-1", "r-1"]


async def test_what_callers_send_stays_out_of_the_log(
    client: httpx.AsyncClient, box: FakeHttpBox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "appliance")
    await post(client, prompt="geheim", hotwords="geheim")
    await client.get("/geheim?x=geheim")
    box.error = RuntimeError("geheim")
    failed = await post(client, prompt="geheim")
    assert failed.headers["x-request-id"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert "geheim" not in caplog.text


# Errors


async def fault(answer: Awaitable[httpx.Response], status: int) -> dict[str, Any]:
    """The error of an answer, after checking that it has OpenAI's shape."""
    got = await answer
    assert got.status_code == status, got.text
    assert set(got.json()) == {"error"}
    error: dict[str, Any] = got.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert got.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "xml"}, "response_format"),
        ({"response_format": "xml"}, "response_format"),
        ({"response_format": "srt", "stream": "true"}, "response_format"),
        ({"temperature": "1.5"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"language": "tlh"}, "language"),
        ({"timestamp_granularities[]": "syllable"}, "timestamp_granularities[]"),
        ({"include[]": "everything"}, "include[]"),
        ({"stream": "maybe"}, "stream"),
        ({"encoding": "mp9"}, "encoding"),
        ({"sample_rate_hertz": "-8000"}, "sample_rate_hertz"),
        ({"channels": "9" * 5000}, "channels"),
        ({"chunking_strategy": '{"type":"magic"}'}, "chunking_strategy"),
        ({"hotwords": ["x" * 65]}, "hotwords"),
        ({"prompt": ["a", "b"]}, "prompt"),
    ],
)
async def test_bad_fields_are_named(
    client: httpx.AsyncClient, box: FakeHttpBox, fields: dict[str, Any], param: str
) -> None:
    error = await fault(post(client, **fields), 400)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert not box.configs


async def test_an_unknown_model_lists_what_there_is(client: httpx.AsyncClient) -> None:
    for answer in (post(client, model="large-v9"), client.get("/v1/models/large-v9")):
        error = await fault(answer, 404)
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert "asr-demo" in error["message"]


async def test_a_model_that_cannot_translate_says_so(client: httpx.AsyncClient) -> None:
    error = await fault(post(client, TRANSLATE), 400)
    assert error["code"] == "unsupported"
    assert "cannot translate" in error["message"]


async def test_no_model_loaded(client: httpx.AsyncClient, box: FakeHttpBox) -> None:
    box.cards = ()
    await fault(post(client), 503)


async def test_bad_files(client: httpx.AsyncClient) -> None:
    assert (await fault(post(client, data=b""), 400))["param"] == "file"
    error = await fault(post(client, data=BAD), 400)
    assert (error["param"], error["code"]) == ("file", "invalid_audio")
    error = await fault(post(client, data=BAD, stream="true"), 400)
    assert (error["param"], error["code"]) == ("file", "invalid_audio")


@pytest.mark.parametrize(
    "request_parts",
    [
        {"data": {"model": "whisper-1"}},
        {"json": {"file": "x"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"--y\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"files": [("file", ("a", b"x")), ("file", ("b", b"x"))]},
        {"files": {"file": ("a", b"x"), "prompt": ("b", b"x")}},
        {"files": {"file": ("a", b"x")}, "data": {"prompt": "x" * 70_000}},
        {"files": {"other": ("a", b"x")}},
        {"content": form().replace(b'; filename="a.wav"', b"")}
        | {"headers": {"content-type": "multipart/form-data; boundary=x"}},
    ],
)
async def test_forms_that_are_none(
    client: httpx.AsyncClient, request_parts: dict[str, Any]
) -> None:
    await fault(client.post(TRANSCRIBE, **request_parts), 400)


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (Overloaded("open a call", "full", retry_after_s=2.2), 429, "3"),
        (EngineUnavailable("listen", "both are gone"), 503, "5"),
        (BundleError("load", "model.bin is altered"), 503, None),
        (TooLarge("decode", "over 5 h"), 413, None),
        (IdleTimeout("read", "nothing came"), 408, None),
        (InvalidAudio("decode", "it ends early", param="file"), 400, None),
        (SettingsError("read", "wrong"), 500, None),
    ],
)
@pytest.mark.parametrize("stream", ["true", "false"])
async def test_errors_of_the_box_get_their_status(
    client: httpx.AsyncClient,
    box: FakeHttpBox,
    error: Exception,
    status: int,
    retry: str | None,
    stream: str,
) -> None:
    box.error = error
    answer = await post(client, stream=stream)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == retry
    assert answer.json()["error"]["message"] == str(error)


async def test_a_bug_is_answered_by_a_number_and_nothing_else(
    client: httpx.AsyncClient, box: FakeHttpBox
) -> None:
    box.error = RuntimeError("secret detail")
    for stream in ("false", "true"):
        answer = await post(client, stream=stream)
        error = await fault(_as_awaitable(answer), 500)
        assert answer.headers["x-request-id"] in error["message"]
        assert "secret" not in answer.text


async def _as_awaitable(answer: httpx.Response) -> httpx.Response:
    return answer


@pytest.mark.parametrize("error", [EngineUnavailable("listen", "gone"), RuntimeError("secret")])
async def test_an_error_in_the_middle_of_a_stream_is_its_last_event(
    client: httpx.AsyncClient, box: FakeHttpBox, error: Exception
) -> None:
    box.error, box.fails_after = error, 1
    answer = await post(client, stream="true")
    assert answer.status_code == 200
    events = sse(answer.text)
    assert events[0]["type"] == "transcript.text.delta"
    assert events[-1]["error"]["type"] == "server_error"
    assert "secret" not in answer.text
    assert box.running == 0


async def test_routing_errors_have_the_shape_of_their_place(client: httpx.AsyncClient) -> None:
    await fault(client.get("/v1/nowhere"), 404)
    await fault(client.get(TRANSCRIBE), 405)
    for answer, status in (
        (await client.get("/nowhere"), 404),
        (await client.post("/metrics"), 405),
    ):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code == status


async def test_nothing_new_while_draining(client: httpx.AsyncClient, box: FakeHttpBox) -> None:
    box.draining = True
    answer = await post(client)
    assert answer.headers["retry-after"]
    assert (await fault(post(client), 503))["code"] == "draining"


# Limits


async def test_a_declared_oversize_is_refused_unread(box: FakeHttpBox) -> None:
    async with (
        serving(box) as port,
        open_upload(port, b"--x", length=3 << 20) as (reader, _),
    ):
        async with asyncio.timeout(2):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in head


async def test_an_expecting_client_never_sends_its_oversize(box: FakeHttpBox) -> None:
    async with serving(box) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {TRANSCRIBE} HTTP/1.1\r\nhost: box\r\ncontent-length: 99999999\r\n"
            "expect: 100-continue\r\ncontent-type: multipart/form-data; boundary=x\r\n\r\n".encode()
        )
        async with asyncio.timeout(2):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 413")
        writer.close()


async def test_who_was_told_to_go_on_finds_the_answer_after_sending(box: FakeHttpBox) -> None:
    """curl asks first for anything over a megabyte, and then looks up only when it is done."""
    parts = form(bytes(1 << 20)).replace(b"--x--", b"--x")
    body = parts + form(b"second")[len(b"--x") + 2 :]
    async with serving(box) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {TRANSCRIBE} HTTP/1.1\r\nhost: box\r\ncontent-length: {len(body)}\r\n"
            "expect: 100-continue\r\ncontent-type: multipart/form-data; boundary=x\r\n\r\n".encode()
        )
        async with asyncio.timeout(10):
            assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
            writer.write(body)
            await writer.drain()
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400") and b"Maximum number of files" in answer
        writer.close()


async def test_an_undeclared_oversize_is_cut_off(box: FakeHttpBox) -> None:
    async def flood() -> AsyncIterator[bytes]:
        yield form()[:200]
        for _ in range(40):
            yield bytes(1 << 16)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    async with serving(box) as port, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}{TRANSCRIBE}"
        error = await fault(client.post(url, content=flood(), headers=headers), 413)
    assert error["param"] == "file"
    assert box.received == 0


async def test_a_large_upload_spools_and_arrives_whole(box: FakeHttpBox) -> None:
    async with serving(box) as port, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}{TRANSCRIBE}"
        answer = await client.post(url, files={"file": ("a", bytes(1_900_000))})
    assert answer.status_code == 200
    assert box.received == 1_900_000


async def test_a_stalled_upload_is_ended(box: FakeHttpBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "IDLE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(middleware, "LINGER_S", 0.1)
    async with serving(box) as port, open_upload(port, form()[:50], length=900) as (reader, _):
        async with asyncio.timeout(2):
            assert (await reader.read()).startswith(b"HTTP/1.1 408")


async def test_a_client_that_never_asks_is_cut_off(
    box: FakeHttpBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADERS_TIMEOUT_S", 0.1)
    async with serving(box) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nx-slow: ")
        async with asyncio.timeout(2):
            assert await reader.read() == b""
        writer.close()


async def test_only_so_many_uploads_are_held(box: FakeHttpBox) -> None:
    limits = LimitsSettings(recordings=1, recordings_waiting=0)
    box.admission = Admission(limits, box.metrics, lambda: 64)
    box.delay_s = 60
    async with serving(box) as port, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}{TRANSCRIBE}"
        async with open_upload(port, form()):
            await until(lambda: box.running == 1)
            answer = await client.post(url, files={"file": ("a", AUDIO)})
            assert answer.status_code == 429
            assert answer.headers["retry-after"]
        await until(lambda: box.running == 0)
        box.delay_s = 0
        assert (await client.post(url, files={"file": ("a", AUDIO)})).status_code == 200


async def test_a_full_disk_is_overload_not_a_bug(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("appliance.security.scratch.tempfile.TemporaryFile", lambda **_: Full())
    error = await fault(post(client), 429)
    assert "No space left" in error["message"]


# Leaving


@pytest.mark.parametrize("fields", [{}, {"stream": "true"}])
async def test_a_client_that_hangs_up_cancels_its_work(
    box: FakeHttpBox, fields: dict[str, str]
) -> None:
    box.delay_s = 60
    async with serving(box) as port:
        async with open_upload(port, form(**fields)):
            await until(lambda: box.running == 1)
        await until(lambda: box.running == 0)
        assert box.cancelled == 1


async def test_a_client_that_leaves_mid_stream_cancels_its_work(box: FakeHttpBox) -> None:
    async with serving(box) as port:
        async with open_upload(port, form(stream="true")) as (reader, _):
            box.delay_s = 0.3
            await reader.readuntil(b"delta")
            box.delay_s = 60
        await until(lambda: box.running == 0)


async def test_a_client_that_vanishes_mid_upload_costs_nothing(box: FakeHttpBox) -> None:
    async with serving(box) as port, httpx.AsyncClient() as client:
        async with open_upload(port, form()[:-20], length=100_000):
            await asyncio.sleep(0.1)
        metrics = f"http://127.0.0.1:{port}/metrics"

        async def counted() -> bool:
            return 'status="499"' in (await client.get(metrics)).text

        async with asyncio.timeout(5):
            while not await counted():
                await asyncio.sleep(0.05)
    assert not box.configs


# The server


async def test_stop_lets_an_answer_end(box: FakeHttpBox) -> None:
    box.delay_s = 0.3
    door = HttpServer(box)
    port = await door.start()
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}{TRANSCRIBE}"
        asked = asyncio.create_task(client.post(url, files={"file": ("a", AUDIO)}))
        await until(lambda: box.running == 1)
        await door.stop(5)
        assert (await asked).status_code == 200


async def test_stop_does_not_wait_beyond_its_grace(
    box: FakeHttpBox, caplog: pytest.LogCaptureFixture
) -> None:
    box.delay_s = 60
    door = HttpServer(box)
    port = await door.start()
    async with open_upload(port, form()) as (reader, _):
        await until(lambda: box.running == 1)
        async with asyncio.timeout(3):
            await door.stop(0)
        assert (await reader.read()).startswith(b"HTTP/1.1 503")
    assert box.running == 0
    assert "Traceback" not in caplog.text
    await door.stop(0)


async def test_a_port_in_use_is_a_clear_error(box: FakeHttpBox) -> None:
    async with serving(box) as port:
        second = HttpServer(FakeHttpBox(http={"port": port}))
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"):
            await second.start()


async def test_half_a_tls_set_up_is_refused() -> None:
    with pytest.raises(SettingsError, match="half"):
        HttpServer(FakeHttpBox(http={"port": 0, "tls_key": "/nowhere.pem"}))
    door = HttpServer(FakeHttpBox(http={"port": 0, "tls_certificate": "/nowhere.pem"}))
    with pytest.raises(SettingsError, match="TLS"):
        await door.start()


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 that is its own authority."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
        f"-subj /CN={name} -addext subjectAltName=IP:127.0.0.1 -out {certificate} -keyout {key}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return certificate, key


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make certificates")
async def test_mutual_tls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "box")
    client_certificate, client_key = make_certificate(tmp_path, "client")
    tls = {
        "tls_certificate": certificate,
        "tls_key": key,
        "tls_client_ca": client_certificate,
    }
    async with serving(FakeHttpBox(http={"port": 0, **tls})) as port:
        url = f"https://127.0.0.1:{port}/v1/health/live"
        known = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(verify=known) as client:  # shows none: brings a key
            assert (await client.get(url)).status_code == 200
        for shown, works in (((certificate, key), False), ((client_certificate, client_key), True)):
            showing = ssl.create_default_context(cafile=str(certificate))
            showing.load_cert_chain(*shown)
            async with httpx.AsyncClient(verify=showing) as client:
                if works:
                    assert (await client.get(url)).status_code == 200
                else:  # of an authority that the box does not know
                    with pytest.raises(httpx.TransportError):
                        await client.get(url)


async def test_a_name_in_the_long_form_alone_is_a_file(client: httpx.AsyncClient) -> None:
    body = (
        b'--x\r\ncontent-disposition: form-data; name="file"; '
        b"filename*=UTF-8''%E9%80%9A%E8%AF%9D.wav\r\n\r\n" + AUDIO + b"\r\n--x--\r\n"
    )
    form = {"content-type": "multipart/form-data; boundary=x"}
    answer = await client.post(TRANSCRIBE, content=body, headers=form)
    assert answer.status_code == 200, answer.text


async def test_one_source_holds_so_many_connections_that_never_speak(
    box: FakeHttpBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_WAITING", 3)
    async with serving(box) as port, httpx.AsyncClient() as client:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for reader, _ in silent[:2]:  # the oldest give way
            assert await asyncio.wait_for(reader.read(), 5) == b""
        _, writer = silent[4]
        writer.write(b"GET /v1/health/live HTTP/1.1\r\nhost: box\r\n\r\n")
        assert (await silent[4][0].readline()).startswith(b"HTTP/1.1 200")
        answer = await client.get(f"http://127.0.0.1:{port}/v1/health/live")
        assert answer.status_code == 200
        for _, writer in silent:
            writer.close()
