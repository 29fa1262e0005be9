"""What is said over /v1/realtime, as NIM has it and as OpenAI has it: messages <-> a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.api.boosts import boosted
from appliance.api.calls import choose_language
from appliance.api.render import separator
from appliance.errors import InvalidRequest
from appliance.messages import AudioFormat, Encoding, Endpointing, Final, Partial
from inference.tensors import MOST_SPEAKERS

DOING = "read the session"
ENCODINGS = {
    "none": Encoding.AUTO,
    "pcm16": Encoding.PCM_S16LE,
    "g711_alaw": Encoding.ALAW,
    "g711_ulaw": Encoding.MULAW,
    "audio/pcm": Encoding.PCM_S16LE,
    "audio/pcma": Encoding.ALAW,
    "audio/pcmu": Encoding.MULAW,
}
OPENAI_PCM_HZ, G711_HZ = 24_000, 8_000
UNENDING = Endpointing(stop_history_ms=10_000, stop_history_eou_ms=10_000)  # the client commits
TRANSCRIPTION = "conversation.item.input_audio_transcription"


@dataclass
class Dialect:
    """What both have in common."""

    said: list[Final] = field(default_factory=list)
    commits = True  # a commit ends an utterance

    def config(self, session: Mapping[str, Any], card: Any) -> dict[str, Any]:
        """Fields of a CallConfig; raises InvalidRequest."""
        raise NotImplementedError

    def answers(self, event: object) -> Iterator[dict[str, Any]]:
        raise NotImplementedError

    def last(self) -> Iterator[dict[str, Any]]:
        """Once all was told."""
        yield from ()


def item(event: Partial | Final) -> dict[str, Any]:
    return {"item_id": f"item_{event.leg}_{event.utterance}", "content_index": 0}


def encoding_of(name: object) -> Encoding:
    if not isinstance(name, str) or name not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise InvalidRequest(DOING, f"no audio format is called {name!r}", f"use one of {known}")
    return ENCODINGS[name]


class Nim(Dialect):
    """Partials replace each other; the last event holds the whole text."""

    commits = False

    @staticmethod
    def defaults() -> dict[str, Any]:
        return {
            "modalities": ["text"],
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"language": "", "model": "", "prompt": ""},
            "input_audio_params": {"sample_rate_hz": 16_000, "num_channels": 1},
            "recognition_config": {
                "max_alternatives": 1,
                "enable_automatic_punctuation": True,
                "enable_word_time_offsets": True,
                "enable_verbatim_transcripts": False,
            },
            "speaker_diarization": {"enable_speaker_diarization": False, "max_speaker_count": 0},
            "word_boosting": {"enable_word_boosting": False, "word_boosting_list": []},
            "endpointing_config": {},
        }

    def config(self, session: Mapping[str, Any], card: Any) -> dict[str, Any]:
        told = {**self.defaults(), **session}
        audio, text = told["input_audio_params"], told["input_audio_transcription"]
        wanted, apart = told["recognition_config"], told["speaker_diarization"]
        encoding = encoding_of(told["input_audio_format"])
        headerless = encoding is not Encoding.AUTO
        rate, legs = int(audio.get("sample_rate_hz", 0)), int(audio.get("num_channels", 0))
        listed = told["word_boosting"].get("word_boosting_list", [])
        terms = boosted((map(str, e.get("phrases", [])), float(e.get("boost", 0))) for e in listed)
        return {
            "audio": AudioFormat(encoding, *((rate, legs) if headerless else (0, 0))),
            "language": choose_language(str(text.get("language") or ""), card),
            "prompt": str(text.get("prompt") or ""),
            "punctuation": bool(wanted.get("enable_automatic_punctuation", True)),
            "word_times": True,
            "itn": not wanted.get("enable_verbatim_transcripts", False),
            "diarize": bool(apart.get("enable_speaker_diarization", False)),
            "most_speakers": _within(
                "max_speaker_count", apart.get("max_speaker_count") or 0, MOST_SPEAKERS
            ),
            "hotwords": tuple(terms),
            "boosts": tuple(terms.values()),
            "endpointing": _endpointing(told["endpointing_config"]),
        }

    def answers(self, event: object) -> Iterator[dict[str, Any]]:
        if isinstance(event, Partial) and event.text:
            yield {"type": f"{TRANSCRIPTION}.delta", **item(event), "delta": event.text}
        elif isinstance(event, Final):  # an empty one takes its partials back
            self.said += [event] if event.text else []
            yield self._completed(event.text, [event], last=False)

    def last(self) -> Iterator[dict[str, Any]]:
        text, before = "", None
        for final in self.said:
            text, before = text + separator(before, final) + final.text, final
        yield self._completed(text, self.said, last=True)

    def _completed(self, text: str, finals: list[Final], *, last: bool) -> dict[str, Any]:
        words = [
            {
                "word": word.text,
                "start_time": word.start_ms,
                "end_time": word.end_ms,
                "confidence": word.confidence,
                "speaker_tag": final.leg + 1,
            }
            for final in finals
            for word in final.words
        ]
        about = item(finals[-1]) if finals else {"item_id": "item_0_0", "content_index": 0}
        told = {"transcript": text, "is_last_result": last, "words_info": {"words": words}}
        return {"type": f"{TRANSCRIPTION}.completed", **about, **told}


@dataclass
class OpenAi(Dialect):
    """Deltas only ever add; what they add is what two hypotheses agreed on."""

    told: dict[str, str] = field(default_factory=dict)  # by item, as far as it was told
    previous: str | None = None  # item

    def config(self, session: Mapping[str, Any], card: Any) -> dict[str, Any]:
        given = (session.get("audio") or {}).get("input") or {}
        text = given.get("transcription") or session.get("input_audio_transcription") or {}
        form = given.get("format") or {"type": session.get("input_audio_format", "audio/pcm")}
        encoding = encoding_of(form.get("type"))
        rate = int(form.get("rate") or OPENAI_PCM_HZ)
        turns = given.get("turn_detection", session.get("turn_detection", {}))
        return {
            "audio": AudioFormat(encoding, rate if encoding is Encoding.PCM_S16LE else G711_HZ, 1),
            "language": choose_language(str(text.get("language") or ""), card),
            "prompt": str(text.get("prompt") or ""),
            "endpointing": UNENDING if turns is None else _silence(turns),
        }

    def answers(self, event: object) -> Iterator[dict[str, Any]]:
        if not isinstance(event, Partial | Final):
            return
        about = item(event)
        name = about["item_id"]
        if not event.text and (isinstance(event, Partial) or name not in self.told):
            return
        if name not in self.told:
            self.told[name] = ""
            started = {"audio_start_ms": event.start_ms, "item_id": name}
            yield {"type": "input_audio_buffer.speech_started", **started}
        stable = event.stable if isinstance(event, Partial) else event.text
        if stable.startswith(self.told[name]) and len(stable) > len(self.told[name]):
            more, self.told[name] = stable[len(self.told[name]) :], stable
            yield {"type": f"{TRANSCRIPTION}.delta", **about, "delta": more}
        if isinstance(event, Final):
            yield from self._ended(event, about)

    def _ended(self, event: Final, about: dict[str, Any]) -> Iterator[dict[str, Any]]:
        name = about["item_id"]
        stopped = {"audio_end_ms": event.end_ms, "item_id": name}
        yield {"type": "input_audio_buffer.speech_stopped", **stopped}
        before = {"previous_item_id": self.previous, "item_id": name}
        yield {"type": "input_audio_buffer.committed", **before}
        self.previous = name
        usage = {"type": "duration", "seconds": (event.end_ms - event.start_ms) / 1000}
        yield {
            "type": f"{TRANSCRIPTION}.completed",
            **about,
            "transcript": event.text,
            "usage": usage,
        }
        del self.told[name]


def _endpointing(given: Mapping[str, Any]) -> Endpointing:
    """NIM's names are Riva's."""
    fields: dict[str, Any] = {}
    for name in ("start_history", "stop_history", "stop_history_eou"):
        if (value := given.get(name)) is not None:
            fields[f"{name}_ms"] = _within(name, value, 60_000)
    for name in ("start_threshold", "stop_threshold", "stop_threshold_eou"):
        if (value := given.get(name)) is not None:
            fields[name] = float(_within(name, value, 1))
    return Endpointing(**fields)


def _silence(turns: Mapping[str, Any]) -> Endpointing:
    """OpenAI's server_vad: how much silence ends an utterance."""
    silence_ms = turns.get("silence_duration_ms")
    if silence_ms is None:
        return Endpointing()
    return Endpointing(stop_history_ms=int(_within("silence_duration_ms", silence_ms, 60_000)))


def _within(name: str, value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise InvalidRequest(DOING, f"{name} is {value!r:.40}", f"0 to {most:g}", param=name)
    return int(value) if most > 1 else value
