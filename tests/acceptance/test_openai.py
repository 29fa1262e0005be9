"""The real openai package against the real daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import openai
import pytest

from inference.cer import cer
from tests.daemon import DEMO_CALL, Daemon, daemon

WORST_CER = 0.3  # see test_riva.py


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("box")) as running:
        yield running


@pytest.fixture(scope="module")
def client(box: Daemon) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{box.url}/v1", api_key="none", max_retries=0)


def reference() -> str:
    sentences = json.loads((DEMO_CALL.parent / "call.json").read_text())
    return "".join(s["text"] for s in sorted(sentences, key=lambda s: s["start_ms"]))


@pytest.mark.quick
def test_verbose_json_has_the_words_of_the_call(client: openai.OpenAI) -> None:
    with DEMO_CALL.open("rb") as file:
        answer = client.audio.transcriptions.create(
            file=file,
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    assert cer(reference(), answer.text) < WORST_CER
    assert abs(answer.duration - DEMO_CALL.stat().st_size / 16_000) < 0.2
    assert answer.segments and answer.words
    assert answer.to_dict()["lingting"]["demo"] is True


@pytest.mark.parametrize("format_", ["text", "srt", "vtt"])
def test_other_formats(client: openai.OpenAI, format_: str) -> None:
    with DEMO_CALL.open("rb") as file:
        text = client.audio.transcriptions.create(
            file=file, model="asr-demo", response_format=format_
        )
    assert text.strip() and ("-->" in text) is (format_ != "text")


def test_a_stream_says_it_piece_by_piece(client: openai.OpenAI) -> None:
    with DEMO_CALL.open("rb") as file:
        events = list(client.audio.transcriptions.create(file=file, model="whisper-1", stream=True))
    assert events[-1].type == "transcript.text.done"
    deltas = [e.delta for e in events if e.type == "transcript.text.delta"]
    # Two legs: pieces come as each is finished, the whole is in the order of speech.
    assert all(delta.strip() in events[-1].text for delta in deltas)
    assert sorted("".join(deltas).replace("\n", "")) == sorted(events[-1].text.replace("\n", ""))


def test_errors_are_openais(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(file=("a.wav", b"not audio"), model="whisper-1")
    with pytest.raises(openai.NotFoundError), DEMO_CALL.open("rb") as file:
        client.audio.transcriptions.create(file=file, model="gpt-5")
    with pytest.raises(openai.BadRequestError, match="translat"), DEMO_CALL.open("rb") as file:
        client.audio.translations.create(file=file, model="whisper-1")


async def test_many_recordings_at_once(box: Daemon) -> None:
    async with openai.AsyncOpenAI(base_url=f"{box.url}/v1", api_key="none") as client:
        audio = DEMO_CALL.read_bytes()
        answers = await asyncio.gather(
            *(
                client.audio.transcriptions.create(file=("call.wav", audio), model="whisper-1")
                for _ in range(6)
            )
        )
    assert len({len(a.text) // 10 for a in answers}) <= 2
