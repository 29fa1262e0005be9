"""What an OpenAI audio request asks for, read from its form and checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from starlette.datastructures import FormData, UploadFile

from appliance.api.calls import choose_language
from appliance.call.hints import names_in
from appliance.errors import EngineUnavailable, InvalidAudio, InvalidRequest, NotFound, Unsupported
from appliance.messages import AudioFormat, CallConfig, Encoding
from appliance.terms.term import LONGEST_TERM, MOST_TERMS
from inference.tensors import ModelCard

DOING = "read the request"
# What stock clients send for "your usual model".
ALIASES = frozenset(
    {"", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"}
)
FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
STREAMED_FORMATS = ("json", "text")
GRANULARITIES = ("word", "segment")
TRUE, FALSE = frozenset({"true", "1"}), frozenset({"", "false", "0"})
MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Asking:
    """A checked request."""

    file: UploadFile
    card: ModelCard
    config: CallConfig
    response_format: str
    words: bool  # in verbose_json
    segments: bool
    logprobs: bool
    stream: bool


def read_asking(form: FormData, cards: Sequence[ModelCard], task: str, call_id: str) -> Asking:
    """Raises InvalidRequest, NotFound or Unsupported, with the field at fault."""
    card = find_model(cards, _text(form, "model"))
    _check_task(card, task)
    response_format = _one_of(form, "response_format", FORMATS, "json")
    granularities = _many_of(form, "timestamp_granularities", GRANULARITIES)
    words = response_format == "verbose_json" and "word" in granularities
    diarized = response_format == "diarized_json"
    if _texts(form, "known_speaker_references"):
        refuse("known_speaker_references", "voiceprints are not taken", "name speakers afterwards")
    logprobs = task == "transcribe" and bool(_many_of(form, "include", ("logprobs",)))
    stream = task == "transcribe" and _flag(form, "stream")
    if stream and response_format not in STREAMED_FORMATS:
        refuse("response_format", f"{response_format} cannot be streamed", "use json or text")
    _check_chunking(form)
    prompt = _text(form, "prompt")
    listed = names_in(prompt)
    config = CallConfig(
        audio=_audio_format(form),
        language=choose_language(_text(form, "language"), card) if task == "transcribe" else None,
        task=task,
        interim=False,
        live=False,
        word_times=words or logprobs or diarized,
        diarize=diarized,
        hotwords=tuple(dict.fromkeys((*_hotwords(form), *listed))),
        prompt="" if listed else prompt,
        temperature=_temperature(form),
        model="" if _text(form, "model") in ALIASES else f"{card.name} {card.version}",
        call_id=call_id,
        door="openai",
    )
    return Asking(
        _file(form),
        card,
        config,
        response_format,
        words,
        segments="segment" in granularities or not granularities,
        logprobs=logprobs,
        stream=stream,
    )


def find_model(cards: Sequence[ModelCard], name: str) -> ModelCard:
    """The model of that name, or the first for what stock clients call it."""
    if not cards:
        raise EngineUnavailable("choose a model", "no engine has a model loaded yet")
    for card in cards:
        if name in (card.name, f"{card.name} {card.version}"):
            return card
    if name in ALIASES:
        return cards[0]
    there = ", ".join(dict.fromkeys(card.name for card in cards))
    raise NotFound("choose a model", "there is no such model here", f"use {there}", param="model")


def refuse(param: str, cause: str, hint: str = "") -> NoReturn:
    raise InvalidRequest(DOING, cause, hint, param=param)


def _check_task(card: ModelCard, task: str) -> None:
    if task not in card.tasks:
        raise Unsupported(
            DOING,
            f"the model {card.name} cannot {task}, it can {', '.join(card.tasks)}",
            "load a bundle that can",
            param="model",
        )


def _file(form: FormData) -> UploadFile:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        refuse("file", "the part named file is missing or has no filename", "upload a recording")
    if not file.size:
        raise InvalidAudio(DOING, "the file is empty", param="file")
    return file


def _texts(form: FormData, name: str) -> list[str]:
    """All values of a field, whether named `x` or, as OpenAI's clients do for lists, `x[]`."""
    values = [*form.getlist(name), *form.getlist(f"{name}[]")]
    if not all(isinstance(value, str) for value in values):
        refuse(name, "it is a file, not text")
    return [str(value) for value in values]


def _text(form: FormData, name: str) -> str:
    values = _texts(form, name)
    if len(values) > 1:
        refuse(name, "it was given more than once")
    return values[0].strip() if values else ""


def _one_of(form: FormData, name: str, known: Sequence[str], default: str) -> str:
    value = _text(form, name) or default
    if value not in known:
        refuse(name, "unknown value", f"use {', '.join(known)}")
    return value


def _many_of(form: FormData, name: str, known: Sequence[str]) -> frozenset[str]:
    values = frozenset(value for value in _texts(form, name) if value)
    if not values <= frozenset(known):
        refuse(f"{name}[]", "unknown value", f"use {', '.join(known)}")
    return values


def _flag(form: FormData, name: str) -> bool:
    value = _text(form, name).lower()
    if value not in TRUE | FALSE:
        refuse(name, "it must be true or false")
    return value in TRUE


def _temperature(form: FormData) -> float:
    text = _text(form, "temperature") or "0"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        refuse("temperature", "it must be a number from 0 to 1")
    return value


def _audio_format(form: FormData) -> AudioFormat:
    """An extension: what audio without a header is, as the switches record it."""
    encoding = _one_of(form, "encoding", [str(known) for known in Encoding], Encoding.AUTO)
    rate_hz = _whole(form, "sample_rate_hertz")
    return AudioFormat(Encoding(encoding), rate_hz, _whole(form, "channels"))


def _whole(form: FormData, name: str) -> int:
    text = _text(form, name) or "0"
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        refuse(name, "it must be a whole number")
    return int(text)


def _hotwords(form: FormData) -> tuple[str, ...]:
    """An extension: words to listen for, repeated or separated by commas or line breaks."""
    given = (re.split(r"[,，、;；\n]", text) for text in _texts(form, "hotwords"))
    words = tuple(dict.fromkeys(word.strip() for part in given for word in part if word.strip()))
    if len(words) > MOST_TERMS or any(len(word) > LONGEST_TERM for word in words):
        hint = f"at most {MOST_TERMS} of at most {LONGEST_TERM} characters each"
        refuse("hotwords", "too many or too long", hint)
    return words


def _check_chunking(form: FormData) -> None:
    """Accepted for OpenAI's clients: the box always cuts at pauses. Nonsense is still refused."""
    values = _texts(form, "chunking_strategy")
    if not values or values in (["auto"], [""]):
        return
    try:
        strategy = json.loads(values[0])
    except ValueError:
        strategy = None
    if not isinstance(strategy, dict) or strategy.get("type") != "server_vad":
        refuse("chunking_strategy", "unknown value", "use auto or server_vad")
