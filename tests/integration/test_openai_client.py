"""The real openai package against the real server, over a fake box."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace

import openai
import pytest
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

from appliance.errors import EngineUnavailable, Overloaded
from tests.integration.http_fakes import BAD, CARD, Served, final

TEXT = "您好\n我要反映一个问题。"


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    url = f"http://127.0.0.1:{served.port}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def audio(data: bytes = b"RIFF" + bytes(100)) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = "call.wav"
    return file


def test_json(client: openai.OpenAI) -> None:
    made = client.audio.transcriptions.create(file=audio(), model="whisper-1")
    assert made.text == TEXT
    assert made.usage is not None
    assert made.usage.type == "duration"
    assert made.model_extra is not None
    assert made.model_extra["lingting"]["demo"] is True


def test_every_field_of_the_client_is_taken(client: openai.OpenAI, served: Served) -> None:
    made = client.audio.transcriptions.create(
        file=audio(),
        model="gpt-4o-transcribe",
        language="zh",
        prompt="市民来电",
        temperature=0.2,
        response_format="json",
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "silence_duration_ms": 300},
        extra_body={"hotwords": "工单,承办单位"},
    )
    assert made.logprobs is not None
    assert made.logprobs[0].token == "您"
    assert served.box.configs[0].hotwords == ("工单", "承办单位")


def test_text_srt_vtt(client: openai.OpenAI) -> None:
    text = client.audio.transcriptions.create(
        file=audio(), model="whisper-1", response_format="text"
    )
    srt = client.audio.transcriptions.create(file=audio(), model="whisper-1", response_format="srt")
    vtt = client.audio.transcriptions.create(file=audio(), model="whisper-1", response_format="vtt")
    assert text.strip() == TEXT
    assert srt.startswith("1\n00:00:00,000 --> ")
    assert vtt.startswith("WEBVTT")


def test_verbose_json(client: openai.OpenAI) -> None:
    made = client.audio.transcriptions.create(
        file=audio(),
        model="asr-demo",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert (made.language, made.duration, made.text) == ("chinese", 5.0, TEXT)
    assert made.segments is not None
    assert made.words is not None
    assert [segment.text for segment in made.segments] == ["您好", "我要反映一个问题。"]
    assert made.segments[0].avg_logprob < 0
    assert made.segments[0].tokens == []
    assert (made.words[0].word, made.words[0].start) == ("您", 0.0)


def test_stream(client: openai.OpenAI) -> None:
    with client.audio.transcriptions.create(
        file=audio(), model="gpt-4o-mini-transcribe", stream=True
    ) as stream:
        events = list(stream)
    deltas = [event for event in events if isinstance(event, TranscriptionTextDeltaEvent)]
    assert "".join(event.delta for event in deltas) == TEXT
    assert isinstance(events[-1], TranscriptionTextDoneEvent)
    assert events[-1].text == TEXT


async def test_async_client_and_stream(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        made = await client.audio.transcriptions.create(file=audio(), model="whisper-1")
        stream = await client.audio.transcriptions.create(
            file=audio(), model="whisper-1", stream=True
        )
        events = [event async for event in stream]
    assert made.text == TEXT
    assert [event.type for event in events][-1] == "transcript.text.done"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_translation(client: openai.OpenAI, served: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="cannot translate"):
        client.audio.translations.create(file=audio(), model="whisper-1")
    served.box.cards = (replace(CARD, tasks=("transcribe", "translate")),)
    served.box.finals = (final("good morning", 0, 1_000),)
    assert client.audio.translations.create(file=audio(), model="whisper-1").text == "good morning"


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["asr-demo"]
    assert client.models.retrieve("asr-demo").owned_by == "lingting"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none")


def test_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(file=audio(BAD), model="whisper-1")
    assert (caught.value.code, caught.value.param) == ("invalid_audio", "file")
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(file=audio(), model="whisper-1", temperature=7)


def test_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.transcriptions.create(file=audio(), model="large-v9")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_overload_carries_when_to_come_back(
    client: openai.OpenAI, served: Served, stream: bool
) -> None:
    served.box.error = Overloaded("open a call", "full", retry_after_s=7)
    with pytest.raises(openai.RateLimitError) as caught:
        client.audio.transcriptions.create(file=audio(), model="whisper-1", stream=stream)
    assert caught.value.response.headers["retry-after"] == "7"


def test_the_client_comes_back_by_itself(served: Served) -> None:
    served.box.error = Overloaded("open a call", "full", retry_after_s=1)
    clear = threading.Timer(0.5, lambda: setattr(served.box, "error", None))
    clear.start()
    url = f"http://127.0.0.1:{served.port}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=2) as client:
        made = client.audio.transcriptions.create(file=audio(), model="whisper-1")
    clear.join()
    assert made.text == TEXT
    assert len(served.box.configs) == 2


def test_no_engine(client: openai.OpenAI, served: Served) -> None:
    served.box.error = EngineUnavailable("listen", "both are gone")
    with pytest.raises(openai.InternalServerError) as caught:
        client.audio.transcriptions.create(file=audio(), model="whisper-1")
    assert caught.value.status_code == 503


def test_an_error_in_mid_stream_is_raised(client: openai.OpenAI, served: Served) -> None:
    served.box.error, served.box.fails_after = EngineUnavailable("listen", "gone"), 1
    stream = client.audio.transcriptions.create(file=audio(), model="whisper-1", stream=True)
    assert next(iter(stream)).type == "transcript.text.delta"
    with pytest.raises(openai.APIError, match="gone"):
        list(stream)


def test_too_large(client: openai.OpenAI) -> None:
    """Far more than fits in socket buffers: the client must still find the answer."""
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.transcriptions.create(file=audio(bytes(30 << 20)), model="whisper-1")
    assert caught.value.status_code == 413


def test_diarized_json(client: openai.OpenAI, served: Served) -> None:
    made = client.audio.transcriptions.create(
        file=audio(), model="gpt-4o-transcribe-diarize", response_format="diarized_json"
    )
    assert [(s.speaker, s.text) for s in made.segments] == [
        ("A", "您好"),
        ("B", "我要反映一个问题。"),
    ]
    assert served.box.configs[-1].diarize
