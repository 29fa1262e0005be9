"""How well a bundle hears people: anybody's recordings with their text, as the box hears them."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soxr

from appliance.audio.g711 import ALAW, encode
from appliance.audio.listed import COLUMNS, READING, decode, read_rows
from appliance.call.box import Box
from appliance.call.conversation import transcribe
from appliance.engine.protocol import SpeechEngine
from appliance.errors import LingtingError, SettingsError
from appliance.messages import BOX_LANGUAGE, AudioFormat, CallConfig, Encoding
from appliance.settings import Settings
from inference.cer import interval, normalise, score
from inference.tensors import SAMPLE_RATE_HZ, Audio, Hypothesis, Priority, Window

MARGINS_S = (0.0, 1.28, 2.56, 5.0, 10.0, 30.0)  # 30: padded as the weights were trained
TOGETHER = 8  # windows asked at once
ALAW_HZ = 8000

Say = Callable[[str], None]


class SpeechPath(enum.StrEnum):
    CPU = "cpu"
    TRITON = "triton"


def one_engine(settings: Settings, bundle: Path | None, path: SpeechPath) -> Settings:
    """Only the engine asked for, on ports of its own, over the bundle asked for."""
    models: dict[str, object] = {"diarization": None, "emotion": None, "asr_standby": None}
    models |= {"asr": bundle} if bundle else {}
    triton: dict[str, object] = {"mode": "off"}
    if path is SpeechPath.TRITON:
        triton = {"mode": "child", "address": "127.0.0.1:0"}
    cpu = {"workers": 0} if path is SpeechPath.TRITON else {"socket": None}
    return settings.model_copy(
        update={
            "models": settings.models.model_copy(update=models),
            "triton": settings.triton.model_copy(update=triton),
            "cpu": settings.cpu.model_copy(update=cpu),
        }
    )


@dataclass(frozen=True, slots=True)
class Clip:
    path: Path
    text: str  # what is said; empty where nobody speaks
    speaker: str
    audio: Audio

    @property
    def seconds(self) -> float:
        return len(self.audio) / SAMPLE_RATE_HZ


@dataclass(slots=True)
class HeardClip:
    """What was heard of the same clips in one way."""

    pairs: list[tuple[str, str]] = field(default_factory=list)  # said, heard
    seconds: float = 0.0  # it took

    @property
    def rate(self) -> float:
        return score(self.pairs).rate

    def interval(self, speakers: Sequence[str]) -> tuple[float, float] | None:
        """Bounds of the error rate, see `inference.cer.interval`."""
        return interval(self.pairs, speakers)


async def read_list(path: Path, say: Say) -> list[Clip]:
    """Clips of a TSV list with a head line: file, text and, if known, speaker.

    Files lie beside the list, in any format the box takes. Raises SettingsError naming the line.
    """
    clips = []
    rows = read_rows(path)
    for number, row in enumerate(rows, 2):
        say(f"reading {number - 1} of {len(rows)}")
        if missing := [name for name in COLUMNS if row.get(name) is None]:
            cause = f"{path}, line {number} has no {missing[0]}"
            raise SettingsError(READING, cause, "end it with a tab if nobody speaks")
        file_path = path.parent / row["file"]
        try:
            audio = await decode(file_path)
        except OSError as error:
            cause = f"{path}, line {number}: {file_path}: {error.strerror or error}"
            raise SettingsError(READING, cause, "correct it, or take the line out") from error
        except LingtingError as error:
            cause = f"{path}, line {number}: {file_path.name}: {error.cause}"
            hint = "it must be a recording with a header, such as WAV, FLAC or MP3"
            raise SettingsError(READING, cause, hint) from error
        clips.append(Clip(file_path, row["text"], row.get("speaker") or "-", audio))
    return clips


async def through_the_box(box: Box, clips: Sequence[Clip], telephone: bool, say: Say) -> HeardClip:
    """As a recording of its own each: speech found, cut into utterances, heard, joined."""
    heard, begun = HeardClip(), time.monotonic()
    for number, clip in enumerate(clips, 1):
        say(f"{'8 kHz A-law, ' if telephone else ''}{number} of {len(clips)}")
        config = CallConfig(
            audio=_alaw_format() if telephone else _pcm_format(),
            language=BOX_LANGUAGE,
            interim=False,
            live=False,
            itn=False,
            word_times=False,
            door="cli",
        )
        content = to_alaw(clip.audio) if telephone else to_pcm(clip.audio)
        transcript = await transcribe(box, config, _once(content))
        heard.pairs.append((clip.text, "".join(final.text for final in transcript.finals)))
    heard.seconds = time.monotonic() - begun
    return heard


async def by_margin(
    engine: SpeechEngine, clips: Sequence[Clip], asked: Window, telephone: bool, say: Say
) -> HeardClip:
    """One window a clip, with as much silence behind it as `asked`, else as it asks."""
    heard, begun = HeardClip(), time.monotonic()
    places = asyncio.Semaphore(TOGETHER)

    async def ask(clip: Clip) -> Hypothesis:
        audio = through_alaw(clip.audio) if telephone else clip.audio
        async with places:
            return await engine.ask(replace(asked, audio=audio), Priority.RECORDING, None)

    answers = await asyncio.gather(*(ask(clip) for clip in clips))
    heard.pairs = [(c.text, a.text) for c, a in zip(clips, answers, strict=True)]
    heard.seconds = time.monotonic() - begun
    place = "8 kHz A-law" if telephone else "16 kHz"
    say(f"margin {asked.margin_s:g} s, {place}: {heard.rate:.1%}")
    return heard


def figures(clips: Sequence[Clip], wide: HeardClip, narrow: HeardClip) -> dict[str, float | None]:
    """One flat object; keys as in docs/cli.md. Without any speech there is no error rate."""
    spoken = [pair for pair in wide.pairs if normalise(pair[0])]
    silent = [pair for pair in (*wide.pairs, *narrow.pairs) if not normalise(pair[0])]
    names = ("cer", "cer_low", "cer_high", "cer_alaw")
    low, high = wide.interval([clip.speaker for clip in clips]) or (None, None)
    rates = (wide.rate, low, high, narrow.rate)
    seconds = sum(clip.seconds for clip in clips)
    return {
        **{n: _rounded(rate if spoken else None) for n, rate in zip(names, rates, strict=True)},
        "n": len(clips),
        "speakers": len({clip.speaker for clip in clips}),
        "seconds": round(seconds, 1),
        "rtf": round(wide.seconds / max(seconds, 1e-6), 4),
        "empty": sum(not normalise(heard) for _, heard in spoken),
        "invented": sum(len(normalise(heard)) for _, heard in silent),
    }


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 4)


def by_speaker(clips: Sequence[Clip], heard: HeardClip) -> dict[str, tuple[int, float]]:
    """Clips and error rate of each speaker."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    for clip, pair in zip(clips, heard.pairs, strict=True):
        pairs.setdefault(clip.speaker, []).append(pair)
    return {name: (len(some), score(some).rate) for name, some in sorted(pairs.items())}


def to_pcm(audio: Audio) -> bytes:
    return (np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes()


def to_alaw(audio: Audio) -> bytes:
    """What a telephone makes of it: 8 kHz, 8 bits."""
    return encode(soxr.resample(audio, SAMPLE_RATE_HZ, ALAW_HZ), ALAW)


def through_alaw(audio: Audio) -> Audio:
    codes = np.frombuffer(to_alaw(audio), np.uint8)
    wide: Audio = soxr.resample(ALAW[codes], ALAW_HZ, SAMPLE_RATE_HZ).astype(np.float32)
    return wide


def _pcm_format() -> AudioFormat:
    return AudioFormat(Encoding.PCM_S16LE, SAMPLE_RATE_HZ, 1)


def _alaw_format() -> AudioFormat:
    return AudioFormat(Encoding.ALAW, ALAW_HZ, 1)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 64 << 10):
        yield content[at : at + (64 << 10)]
