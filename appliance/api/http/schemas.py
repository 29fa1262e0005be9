"""OpenAI's JSON for transcripts; what OpenAI has no field for goes under `lingting`."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from appliance.api.render import plain_text
from appliance.feed.record import Ledger
from appliance.messages import DEMO_NOTICE, CallConfig, Final, SpokenWord, Transcript

LEAST_PROBABILITY = 1e-6
# OpenAI's verbose_json names languages in English words.
LANGUAGES = {"zh": "chinese", "en": "english", "yue": "cantonese", "ja": "japanese", "ko": "korean"}


def marks(model: str, demo: bool) -> dict[str, str]:
    """Headers of every answer that shows text."""
    headers = {"x-lingting-model": quote(model, safe=" ._-+/:()")}
    return {**headers, "x-lingting-demo-weights": "true"} if demo else headers


def origin(model: str, demo: bool) -> dict[str, Any]:
    """Which weights heard this."""
    return {"model": model, "demo": demo, **({"notice": DEMO_NOTICE} if demo else {})}


def as_json(transcript: Transcript, *, logprobs: bool) -> dict[str, Any]:
    return {
        "text": plain_text(transcript),
        **({"logprobs": list(_logprobs(transcript.finals))} if logprobs else {}),
        "usage": _usage(transcript),
        "lingting": _extras(transcript),
    }


def as_verbose_json(
    transcript: Transcript, *, task: str, words: bool, segments: bool
) -> dict[str, Any]:
    language = "en" if task == "translate" else transcript.language
    body: dict[str, Any] = {
        "task": task,
        "language": LANGUAGES.get(language, language),
        "duration": transcript.duration_ms / 1000,
        "text": plain_text(transcript),
    }
    if segments:
        body["segments"] = [_segment(i, final) for i, final in enumerate(transcript.finals)]
    if words:
        said = [(word, final.leg) for final in transcript.finals for word in final.words]
        said.sort(key=lambda pair: pair[0].start_ms)
        body["words"] = [_word(word, leg) for word, leg in said]
    return {**body, "usage": _usage(transcript), "lingting": _extras(transcript)}


def as_diarized_json(transcript: Transcript, config: CallConfig) -> dict[str, Any]:
    """Speakers are A, B ... in the order of their first words; roles stand beside them."""
    ledger = Ledger()
    for final in transcript.finals:
        ledger.add(final)
    for attribution in transcript.attributions:
        ledger.add(attribution)
    said = ledger.utterances(config)
    letters: dict[int, str] = {}
    for utterance in said:
        letters.setdefault(utterance.speaker, chr(ord("A") + len(letters)))
    segments = [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{utterance.id.replace('.', '_')}",
            "start": utterance.start_ms / 1000,
            "end": utterance.end_ms / 1000,
            "text": utterance.text,
            "speaker": letters[utterance.speaker],
            "lingting": {"leg": utterance.leg, "role": utterance.role.value},
        }
        for utterance in said
    ]
    return {
        "task": "transcribe",
        "duration": transcript.duration_ms / 1000,
        "text": plain_text(transcript),
        "segments": segments,
        "usage": _usage(transcript),
        "lingting": _extras(transcript),
    }


def delta(final: Final, text: str, *, logprobs: bool) -> dict[str, Any]:
    """`text` is what to append to the text before."""
    return {
        "type": "transcript.text.delta",
        "delta": text,
        **({"logprobs": list(_logprobs([final]))} if logprobs else {}),
        "lingting": {
            "leg": final.leg,
            "start": final.start_ms / 1000,
            "end": final.end_ms / 1000,
            "demo": final.demo,
        },
    }


def done(transcript: Transcript, *, logprobs: bool) -> dict[str, Any]:
    return {
        "type": "transcript.text.done",
        "text": plain_text(transcript),
        **({"logprobs": list(_logprobs(transcript.finals))} if logprobs else {}),
        "lingting": _extras(transcript),
    }


def _extras(transcript: Transcript) -> dict[str, Any]:
    return {
        **origin(transcript.model, transcript.demo),
        "language": transcript.language,
        "legs": transcript.legs,
        **({"cut_short": True} if transcript.cut_short else {}),
        "engines": sorted({final.engine for final in transcript.finals if final.engine}),
    }


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration_ms / 1000)}


def _segment(number: int, final: Final) -> dict[str, Any]:
    raw = final.text.encode()
    return {
        "id": number,
        "seek": final.start_ms // 10,  # Whisper counts frames of 10 ms
        "start": final.start_ms / 1000,
        "end": final.end_ms / 1000,
        "text": final.text,
        "tokens": [],
        "temperature": round(final.temperature, 2),
        "avg_logprob": _log(final.confidence),
        "compression_ratio": round(len(raw) / len(zlib.compress(raw)), 4),
        "no_speech_prob": round(final.no_speech, 4),
        "leg": final.leg,
        "confidence": round(final.confidence, 4),
        "engine": final.engine,
    }


def _word(word: SpokenWord, leg: int) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": word.start_ms / 1000,
        "end": word.end_ms / 1000,
        "confidence": round(word.confidence, 4),
        "leg": leg,
    }


def _logprobs(finals: Iterable[Final]) -> Iterator[dict[str, Any]]:
    """Per word; the engine's confidence of a word is its tokens' mean probability."""
    for final in finals:
        for word in final.words:
            raw = list(word.text.encode())
            yield {"token": word.text, "bytes": raw, "logprob": _log(word.confidence)}


def _log(probability: float) -> float:
    return round(math.log(max(LEAST_PROBABILITY, probability)), 4)
