"""Riva's messages <-> ours. Pure functions; everything a client can get wrong is refused here.

The messages come from NVIDIA's own wheel: a second, self-generated copy would clash with it in
one process. Importing them runs `riva.client`, which is cheap and, unlike
`riva.client.proto.health_pb2` (never import that here), leaves grpc.health.v1 alone.

Fields taken but without effect yet are named to the caller (`ignored`): profanity_filter and
diarization_config. `speaker_tag` therefore stays 0; legs are told apart by `channel_tag`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from riva.client.proto import riva_asr_pb2 as asr
from riva.client.proto import riva_audio_pb2 as audio

from appliance.api.grpc.errors import DOOR, RivaRefusal
from appliance.errors import EngineUnavailable, InvalidRequest, NotFound, TooLarge, Unsupported
from appliance.messages import (
    SAMPLE_RATE_HZ,
    AudioFormat,
    CallConfig,
    Encoding,
    Endpointing,
    Event,
    Final,
    Partial,
    SpokenWord,
    Transcript,
)
from inference.tensors import ModelCard

DOING = "read the recognition config"
RATES_HZ = range(8_000, 96_001)
MOST_CHANNELS = 2  # a call has two legs
MOST_PHRASES = 1_000
LONGEST_PHRASE = 100  # characters
LONGEST_CALL_ID = 128
ALMOST_STABLE = 0.99  # Riva keeps 1.0 for the early sign that an utterance has ended
INT32_MAX = 2**31 - 1

ENCODINGS = {
    audio.ENCODING_UNSPECIFIED: Encoding.AUTO,
    audio.LINEAR_PCM: Encoding.PCM_S16LE,
    audio.ALAW: Encoding.ALAW,
    audio.MULAW: Encoding.MULAW,
    audio.FLAC: Encoding.FLAC,
    audio.OGGOPUS: Encoding.OGG_OPUS,
}

DETECT = ("", "multi", "auto")  # language codes that leave it to the model
PRIMARY = {"cmn": "zh"}  # ISO 639-3 names that callers use for what models call otherwise
TAGS = {"zh": "zh-CN", "en": "en-US", "ja": "ja-JP", "ko": "ko-KR", "yue": "yue-HK"}

ENDPOINTING = {  # Riva's name -> ours; histories in ms, thresholds 0..1
    "start_history": "start_history_ms",
    "start_threshold": "start_threshold",
    "stop_history": "stop_history_ms",
    "stop_threshold": "stop_threshold",
    "stop_history_eou": "stop_history_eou_ms",
    "stop_threshold_eou": "stop_threshold_eou",
}
METADATA_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


# ---- wire -> messages


def call_config(
    config: Any,
    cards: Sequence[ModelCard],
    *,
    live: bool,
    interim: bool = False,
    call_id: str = "",
) -> CallConfig:
    """A RecognitionConfig as we understand it; raises InvalidRequest, Unsupported, NotFound."""
    card, language = choose_model(config, cards, live=live)
    return CallConfig(
        audio=audio_format(config),
        separate_legs=config.enable_separate_recognition_per_channel,
        language=language,
        task=_task(config, card),
        interim=interim,
        live=live,
        itn=not config.verbatim_transcripts,
        punctuation=config.enable_automatic_punctuation,
        word_times=config.enable_word_time_offsets,
        hotwords=hotwords(config.speech_contexts),
        endpointing=endpointing(config),
        call_id=call_id,
        door=DOOR,
    )


def audio_format(config: Any) -> AudioFormat:
    """Encoding, rate and channels; 0 leaves rate or channels to the header."""
    if config.encoding not in ENCODINGS:
        raise InvalidRequest(
            DOING, f"unknown encoding {config.encoding}", _encodings(), param="encoding"
        )
    rate_hz, channels = config.sample_rate_hertz, config.audio_channel_count
    if rate_hz != 0 and rate_hz not in RATES_HZ:
        raise RivaRefusal(
            f"sample_rate_hertz must be between {RATES_HZ[0]} and {RATES_HZ[-1]}",
            "SAMPLE_RATE_OUT_OF_RANGE",
            param="sample_rate_hertz",
        )
    if not 0 <= channels <= MOST_CHANNELS:
        raise InvalidRequest(
            DOING,
            f"audio_channel_count is {channels}",
            "a call has one or two channels",
            param="audio_channel_count",
        )
    return AudioFormat(ENCODINGS[config.encoding], rate_hz, channels)


def _encodings() -> str:
    return "use one of " + ", ".join(audio.AudioEncoding.Name(value) for value in ENCODINGS)


def choose_model(
    config: Any, cards: Sequence[ModelCard], *, live: bool
) -> tuple[ModelCard, str | None]:
    """The model that will answer and its language (None: detect)."""
    if not cards:
        raise EngineUnavailable(DOING, "no model is loaded yet", "try again later")
    code = config.language_code.strip()
    primary = code.lower().replace("_", "-").split("-")[0]
    language = None if code.lower() in DETECT else PRIMARY.get(primary, primary)
    for card in cards:
        named = config.model in ("", card.name, model_name(card))
        if named and (language is None or language in card.languages):
            return card, language
    refused = [
        *([f"model={config.model[:80]}"] if config.model else []),
        f"language_code={code[:80]}",
        f"sample_rate={config.sample_rate_hertz}",
        f"type={'online' if live else 'offline'};",
    ]
    raise RivaRefusal(
        f"Error: Unavailable model requested given these parameters: {'; '.join(refused)}",
        "MODEL_UNAVAILABLE",
        param="model" if config.model else "language_code",
    )


def _task(config: Any, card: ModelCard) -> str:
    """NVIDIA's Whisper services take it in custom_configuration, as `task:translate`."""
    task: str = config.custom_configuration.get("task", "transcribe")
    if task not in ("transcribe", "translate"):
        raise InvalidRequest(
            DOING,
            f"unknown task {task[:80]!r}",
            "use transcribe or translate",
            param="custom_configuration",
        )
    if task not in card.tasks:
        raise Unsupported(DOING, f"model {card.name} cannot {task}", param="custom_configuration")
    return task


def hotwords(contexts: Iterable[Any]) -> tuple[str, ...]:
    """Phrases to listen for, each once; a negative boost means the opposite, so it is left out."""
    phrases = dict.fromkeys(
        phrase.strip() for context in contexts if context.boost >= 0 for phrase in context.phrases
    )
    phrases.pop("", None)
    if len(phrases) > MOST_PHRASES:
        raise TooLarge(
            DOING, f"{len(phrases)} phrases", f"{MOST_PHRASES} at most", param="speech_contexts"
        )
    if any(len(phrase) > LONGEST_PHRASE for phrase in phrases):
        raise TooLarge(
            DOING,
            f"a phrase is longer than {LONGEST_PHRASE} characters",
            param="speech_contexts",
        )
    return tuple(phrases)


def endpointing(config: Any) -> Endpointing:
    """From endpointing_config; what it leaves open may come from custom_configuration."""
    given: dict[str, float] = {}
    for name, text in config.custom_configuration.items():
        if name in ENDPOINTING:
            given[name] = _number(name, text)
    for name in ENDPOINTING:
        if config.HasField("endpointing_config") and config.endpointing_config.HasField(name):
            given[name] = getattr(config.endpointing_config, name)
    for name, value in given.items():
        _check_endpointing(name, value)
    return Endpointing(
        **{  # type: ignore[arg-type]  # histories are whole ms
            ENDPOINTING[name]: int(value) if "history" in name else value
            for name, value in given.items()
        }
    )


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest(
            DOING, f"{name} is {text[:80]!r}", "it must be a number", param="custom_configuration"
        ) from None


def _check_endpointing(name: str, value: float) -> None:
    most = 60_000 if "history" in name else 1
    if not 0 <= value <= most:  # NaN, too
        raise InvalidRequest(
            DOING, f"{name} is {value}", f"between 0 and {most}", param="endpointing_config"
        )


def ignored(config: Any) -> tuple[str, ...]:
    """What the caller asked for and will not get; told in the metadata, safe to print there."""
    known = {"task", *ENDPOINTING}
    names = [
        name
        for name in sorted(config.custom_configuration)
        if name not in known and METADATA_KEY.fullmatch(name)
    ]
    if config.profanity_filter:
        names.append("profanity_filter")
    if config.diarization_config.enable_speaker_diarization:
        names.append("diarization_config")
    return tuple(names[:16])


def call_id(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """The first x-call-id: behind TLS some clients send each header twice."""
    for key, value in metadata or ():
        if key == "x-call-id":
            if len(value) > LONGEST_CALL_ID or not str(value).isprintable():
                raise InvalidRequest(
                    "read the metadata",
                    "x-call-id is not a printable name",
                    f"{LONGEST_CALL_ID} characters at most",
                    param="x-call-id",
                )
            return str(value)
    return ""


def forces_endpoint(message: Any) -> bool:
    return bool(message.runtime_config.get("force_eou", "").lower() == "true")


# ---- messages -> wire


class Streaming:
    """Our events as Riva's responses, for one stream.

    Riva's clients append finals to each other, so every result after the first final of a leg
    begins with a space.
    """

    def __init__(self, request_id: str, *, interim: bool) -> None:
        self._request_id, self._interim = request_id, interim
        self._audio_ms = 0
        self._continued: set[int] = set()  # legs that have had a final

    def response(self, event: Event) -> Any | None:
        """A StreamingRecognizeResponse, or None for what has no words."""
        if isinstance(event, Partial):
            result = self._partial(event) if self._interim else None
        elif isinstance(event, Final):
            result = self._final(event)
        else:
            self._audio_ms = max(self._audio_ms, event.audio_ms)
            return None
        if result is None:
            return None
        response = asr.StreamingRecognizeResponse(results=[result])
        if self._request_id:
            response.id.value = self._request_id
        return response

    def _partial(self, partial: Partial) -> Any | None:
        if not partial.text:
            return None
        return self._result(
            partial, [asr.SpeechRecognitionAlternative(transcript=partial.text)], stability(partial)
        )

    def _final(self, final: Final) -> Any | None:
        if not final.text:
            return None
        result = self._result(final, [alternative(final)], 1.0, is_final=True)
        self._continued.add(final.leg)
        return result

    def _result(
        self,
        event: Partial | Final,
        alternatives: list[Any],
        stability: float,
        *,
        is_final: bool = False,
    ) -> Any:
        self._audio_ms = max(self._audio_ms, event.end_ms)
        if event.leg in self._continued:
            alternatives[0].transcript = " " + alternatives[0].transcript
        return asr.StreamingRecognitionResult(
            alternatives=alternatives,
            is_final=is_final,
            stability=stability,
            channel_tag=event.leg + 1,
            audio_processed=self._audio_ms / 1000,
        )


def stability(partial: Partial) -> float:
    """The share that consecutive hypotheses agree on; 1 only as the early end of utterance."""
    if partial.end_of_utterance:
        return 1.0
    return min(len(partial.stable) / max(len(partial.text), 1), ALMOST_STABLE)


def alternative(final: Final) -> Any:
    tag = language_tag(final.language)
    return asr.SpeechRecognitionAlternative(
        transcript=final.text,
        confidence=final.confidence,
        words=[_word(word, tag) for word in final.words],
        language_code=[tag] if tag else [],
    )


def _word(word: SpokenWord, tag: str) -> Any:
    return asr.WordInfo(
        start_time=min(word.start_ms, INT32_MAX),
        end_time=min(word.end_ms, INT32_MAX),
        word=word.text,
        confidence=word.confidence,
        language_code=tag,
    )


def recognize_response(transcript: Transcript, request_id: str) -> Any:
    """One result per final, in the order of their starts; clients join them as they are."""
    response = asr.RecognizeResponse()
    for final in transcript.finals:
        if not final.text:
            continue
        result = response.results.add(
            alternatives=[alternative(final)],
            channel_tag=final.leg + 1,
            audio_processed=transcript.duration_ms / 1000,
        )
        if len(response.results) > 1:
            result.alternatives[0].transcript = " " + final.text
    if request_id:
        response.id.value = request_id
    return response


def config_response(cards: Sequence[ModelCard], wanted: str) -> Any:
    """What `--list-models` prints: each model once for streams and once for recordings."""
    found = [card for card in cards if wanted in ("", card.name, model_name(card))]
    if wanted and not found:
        raise NotFound("list models", f"no model {wanted[:80]!r}", param="model_name")
    response = asr.RivaSpeechRecognitionConfigResponse()
    for card in found:
        for kind in ("online", "offline"):
            response.model_config.add(model_name=card.name, parameters=_parameters(card, kind))
    return response


def _parameters(card: ModelCard, kind: str) -> dict[str, str]:
    return {
        "type": kind,
        "streaming": str(kind == "online"),
        "language_code": ",".join(language_tag(code) for code in card.languages),
        "sample_rate": str(SAMPLE_RATE_HZ),
        "sample_rate_hertz": str(SAMPLE_RATE_HZ),
        "version": card.version,
        "licence": card.licence,
        "device": card.device,
        "lingting_demo_weights": str(card.demo).lower(),
    }


def answer_metadata(model: str, *, demo: bool) -> tuple[tuple[str, str], ...]:
    """Which weights speak. Demo weights are labelled as such wherever their text is shown."""
    ascii_name = model.encode("ascii", "replace").decode()
    return ("lingting-model", ascii_name), ("lingting-demo-weights", str(demo).lower())


def ignored_metadata(config: Any) -> tuple[tuple[str, str], ...]:
    names = ignored(config)
    return (("lingting-ignored", ",".join(names)),) if names else ()


def model_name(card: ModelCard) -> str:
    return f"{card.name} {card.version}"


def language_tag(code: str) -> str:
    """ISO 639-1 -> the BCP-47 tag that Riva's clients know it by."""
    return TAGS.get(code, code)
