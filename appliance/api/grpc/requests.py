"""Riva's requests -> our words. Pure functions; all that a client can get wrong is refused here.

The messages come from NVIDIA's own wheel: a second, self-generated copy would clash with it in
one process. Importing them runs `riva.client`, which is cheap and, unlike
`riva.client.proto.health_pb2` (never import that here), leaves grpc.health.v1 alone.

Fields taken but without effect are named to the caller (`ignored`): profanity_filter, unknown
custom_configuration. `speaker_tag` is of one-leg calls; legs are told apart by `channel_tag`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from riva.client.proto import riva_audio_pb2 as audio

from appliance.api.boosts import boosted
from appliance.api.grpc.errors import DOOR, RivaRefusal
from appliance.errors import EngineUnavailable, InvalidRequest, TooLarge, Unsupported
from appliance.messages import (
    SANE_ID,
    AudioFormat,
    CallConfig,
    Encoding,
    Endpointing,
)
from appliance.terms.term import LONGEST_TERM, MOST_TERMS
from inference.tensors import MOST_SPEAKERS, ModelCard

DOING = "read the recognition config"
RATES_HZ = range(8_000, 96_001)
MOST_CHANNELS = 2  # a call has two legs

ENCODINGS = {
    audio.ENCODING_UNSPECIFIED: Encoding.AUTO,
    audio.LINEAR_PCM: Encoding.PCM_S16LE,
    audio.ALAW: Encoding.ALAW,
    audio.MULAW: Encoding.MULAW,
    audio.FLAC: Encoding.FLAC,
    audio.OGGOPUS: Encoding.OGG_OPUS,
}

DETECT = ("multi", "auto")  # language codes that leave it to the model
PRIMARY = {"cmn": "zh"}  # ISO 639-3 names that callers use for what models call otherwise

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
    terms = hotwords(config.speech_contexts)
    return CallConfig(
        audio=audio_format(config),
        separate_legs=config.enable_separate_recognition_per_channel,
        language=language,
        model=model_name(card) if config.model else "",
        task=_task(config, card),
        interim=interim,
        live=live,
        moods=live,
        itn=not config.verbatim_transcripts,
        punctuation=config.enable_automatic_punctuation,
        word_times=config.enable_word_time_offsets or wants_speakers(config),
        diarize=wants_speakers(config),
        most_speakers=most_speakers(config),
        hotwords=tuple(terms),
        boosts=tuple(terms.values()),
        endpointing=endpointing(config),
        call_id=call_id,
        door=DOOR,
    )


def wants_speakers(config: Any) -> bool:
    return bool(config.diarization_config.enable_speaker_diarization)


def most_speakers(config: Any) -> int:
    """0: as the box is set."""
    wanted = int(config.diarization_config.max_speaker_count)
    if not 0 <= wanted <= MOST_SPEAKERS:
        raise InvalidRequest(
            DOING,
            f"max_speaker_count is {wanted}",
            f"0 to {MOST_SPEAKERS}",
            param="max_speaker_count",
        )
    return wanted


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
        if named and (not language or language in card.languages):
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
        hint=_what_there_is(cards),
    )


def _what_there_is(cards: Sequence[ModelCard]) -> str:
    known = (f"{card.name} for {', '.join(card.languages) or 'any language'}" for card in cards)
    return f"there is {'; '.join(known)}" if cards else "no model is loaded"


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


def hotwords(contexts: Iterable[Any]) -> dict[str, float]:
    """Phrases to be heard right, each once, with what speaks for it in nats."""
    phrases = boosted((context.phrases, context.boost) for context in contexts)
    if len(phrases) > MOST_TERMS:
        raise TooLarge(
            DOING, f"{len(phrases)} phrases", f"{MOST_TERMS} at most", param="speech_contexts"
        )
    if any(len(phrase) > LONGEST_TERM for phrase in phrases):
        raise TooLarge(
            DOING, f"a phrase is longer than {LONGEST_TERM} characters", param="speech_contexts"
        )
    return phrases


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
    if config.audio_channel_count > 1 and not config.enable_separate_recognition_per_channel:
        names.append("audio_channel_count")  # of several only the first is heard
    return tuple(names[:16])


def call_id(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """The first x-call-id: behind TLS some clients send each header twice."""
    for key, value in metadata or ():
        if key == "x-call-id":
            if not SANE_ID.fullmatch(str(value)):
                hint = "letters, digits and ._:- , 128 at most"
                cause = "x-call-id is no name for a call"
                raise InvalidRequest("read the metadata", cause, hint, param="x-call-id")
            return str(value)
    return ""


def forces_endpoint(message: Any) -> bool:
    return bool(message.runtime_config.get("force_eou", "").lower() == "true")


def model_name(card: ModelCard) -> str:
    return f"{card.name} {card.version}"
