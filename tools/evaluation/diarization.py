"""`lingting eval diarization`: how well speakers are told apart, by the code that serves calls.

Diarization error rates with collar 0 and overlap counted, by pyannote.metrics. Every path hears the
same recordings: WAV files and the RTTM files of what is true.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from appliance.call.box import Box
from appliance.call.speakers import Count, Speakers
from appliance.call.timeline import overlap_ms
from appliance.engine.cpu import CpuEngine
from appliance.engine.protocol import SpeechEngine
from appliance.engine.triton import TritonEngine
from appliance.errors import SettingsError
from appliance.messages import Attribution, AudioFormat, CallConfig, Encoding, SpeakerTurn
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import (
    DIARIZATION_MODEL,
    MOST_SPEAKERS,
    SAMPLE_RATE_HZ,
    Audio,
    Clustering,
    Priority,
    Voices,
    VoiceWindow,
)
from tools.evaluation.data import Progress, read_wav, started

LIVE_PIECE_S = 0.2  # of audio, fed to a live call at once
NOTHING = np.zeros(0, np.float32)
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """One file and its truth."""

    name: str
    audio: Audio = field(repr=False)
    turns: tuple[SpeakerTurn, ...]

    @property
    def speakers(self) -> int:
        return len({turn.speaker for turn in self.turns})

    @property
    def kind(self) -> str:
        """What stands before the number of its name."""
        return self.name.rpartition("-")[0] or "all"


def load_recordings(folder: Path) -> list[LabelledRecording]:
    """Every `<name>.wav` (16 kHz mono) with a `<name>.rttm`; raises SettingsError without any."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        truth = path.with_suffix(".rttm")
        if truth.exists():
            found.append(LabelledRecording(path.stem, read_wav(path), tuple(read_rttm(truth))))
    if not found:
        raise SettingsError(
            "read recordings", f"{folder} holds no .wav with an .rttm", "give both, by one name"
        )
    return found


def read_rttm(path: Path) -> Iterable[SpeakerTurn]:
    numbers: dict[str, int] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            start_ms, length_ms = (round(float(fields[i]) * 1000) for i in (3, 4))
            speaker = numbers.setdefault(fields[7], len(numbers))
            yield SpeakerTurn(speaker, start_ms, start_ms + length_ms)


class Scores:
    """DER and JER of one way of telling speakers apart, over all recordings and by kind."""

    def __init__(self) -> None:
        from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

        self._new = DiarizationErrorRate
        self._der, self._jer = DiarizationErrorRate(), JaccardErrorRate()
        self._kinds: dict[str, Any] = {}

    def add(self, recording: LabelledRecording, turns: Sequence[SpeakerTurn]) -> None:
        from pyannote.core import Segment, Timeline

        whole = Timeline([Segment(0, len(recording.audio) / SAMPLE_RATE_HZ)])
        kind = self._kinds.setdefault(recording.kind, self._new())
        for metric in (self._der, self._jer, kind):
            metric(annotation(recording.turns), annotation(turns), uem=whole)

    @property
    def der(self) -> float:
        return round(float(abs(self._der)), 4)

    @property
    def jer(self) -> float:
        return round(float(abs(self._jer)), 4)

    def by_kind(self) -> dict[str, float]:
        return {kind: round(float(abs(metric)), 4) for kind, metric in self._kinds.items()}


def annotation(turns: Sequence[SpeakerTurn]) -> Any:
    """As pyannote.metrics takes it."""
    from pyannote.core import Annotation, Segment

    told = Annotation()
    for track, turn in enumerate(turns):
        told[Segment(turn.start_ms / 1000, turn.end_ms / 1000), track] = str(turn.speaker)
    return told


def one_speaker(recording: LabelledRecording) -> list[SpeakerTurn]:
    """The baseline: speech is known exactly, and all of it is one person's."""
    merged: list[SpeakerTurn] = []
    for turn in sorted(recording.turns, key=lambda turn: turn.start_ms):
        if merged and turn.start_ms <= merged[-1].end_ms:
            last = merged.pop()
            merged.append(SpeakerTurn(0, last.start_ms, max(last.end_ms, turn.end_ms)))
        else:
            merged.append(SpeakerTurn(0, turn.start_ms, turn.end_ms))
    return merged


async def settled(
    engine: SpeechEngine, settings: Settings, recording: LabelledRecording
) -> tuple[list[SpeakerTurn], list[SpeakerTurn], float]:
    """Turns with the number of speakers given, turns without, and seconds for the first."""
    given = Count(recording.speakers, recording.speakers)
    speakers = Speakers(engine, settings.speakers, given, live=False)
    begun = time.monotonic()
    await speakers.hear(recording.audio)
    with_count = await speakers.settle()
    seconds = time.monotonic() - begun
    without = await speakers.settle(Count(1, MOST_SPEAKERS))
    speakers.close()
    if speakers.failed:
        raise SettingsError("tell speakers apart", speakers.failed, "run `lingting doctor`")
    return with_count, without, seconds


async def oracle(engine: SpeechEngine, recording: LabelledRecording) -> list[SpeakerTurn]:
    """What a clustering that knows every voice would make of what the segmentation heard."""
    card = engine.card(DIARIZATION_MODEL)
    hop, length = (round(s * SAMPLE_RATE_HZ) for s in (card.hop_s, card.window_s))
    count = max(1, -(-(len(recording.audio) - length) // hop) + 1)
    asks = (VoiceWindow(recording.audio[i * hop : i * hop + length]) for i in range(count))
    heard = [await engine.ask(ask, Priority.RECORDING, TIMEOUT_S) for ask in asks]
    known = [
        _told(voices, recording, i * card.hop_s, card.window_s) for i, voices in enumerate(heard)
    ]
    question = Clustering(
        NOTHING,
        voices=tuple(known),
        length_s=len(recording.audio) / SAMPLE_RATE_HZ,
        least=recording.speakers,
        most=recording.speakers,
    )
    answer = await engine.ask(question, Priority.RECORDING, TIMEOUT_S)
    return [
        SpeakerTurn(t.speaker, int(t.start_s * 1000), int(t.end_s * 1000)) for t in answer.turns
    ]


def _told(voices: Voices, recording: LabelledRecording, start_s: float, window_s: float) -> Voices:
    """The window's voices with their speakers' numbers for embeddings."""
    frame_ms = window_s * 1000 / len(voices.active)
    prints = np.full((voices.active.shape[1], recording.speakers), np.nan, np.float32)
    for voice, active in enumerate(voices.active.T):
        shared = np.zeros(recording.speakers)
        for frame in np.flatnonzero(active):
            at = start_s * 1000 + frame * frame_ms
            for turn in recording.turns:
                shared[turn.speaker] += overlap_ms(int(at), int(at + frame_ms), turn)
        if active.any():
            prints[voice] = np.eye(recording.speakers)[shared.argmax()]
    return Voices(voices.active, prints)


async def live(box: Box, recording: LabelledRecording) -> list[SpeakerTurn]:
    """What a live call tells as it goes on, never taking back a word."""
    pcm = AudioFormat(Encoding.PCM_S16LE, SAMPLE_RATE_HZ, 1)
    data = (np.clip(recording.audio, -1, 1) * 32767).astype("<i2").tobytes()
    piece = int(LIVE_PIECE_S * SAMPLE_RATE_HZ) * 2
    config = CallConfig(audio=pcm, diarize=True, interim=False)
    async with box.open_call(config) as call:
        reading = asyncio.create_task(_provisional(call.events()))
        for at in range(0, len(data), piece):
            await call.accept(data[at : at + piece])
            await call.catch_up()  # as long as it takes: a live caller is slower than we feed
        await call.finish()
        return await reading


async def _provisional(events: AsyncIterator[Any]) -> list[SpeakerTurn]:
    attributions = [e async for e in events if isinstance(e, Attribution) and not e.settled]
    return [turn for attribution in attributions for turn in attribution.turns]


@dataclass(slots=True)
class DiarizationReport:
    """All figures; `flat` is the JSON."""

    scores: dict[str, Scores] = field(default_factory=dict)
    rtf: dict[str, float] = field(default_factory=dict)

    def score(self, name: str) -> Scores:
        return self.scores.setdefault(name, Scores())

    def flat(self) -> dict[str, float | None]:
        """The figures of the JSON; null is what was not measured."""
        unmeasured = {"der_given": None, "der_auto": None}
        ders = {f"der_{name}": scores.der for name, scores in self.scores.items()}
        jers = {f"jer_{name}": scores.jer for name, scores in self.scores.items()}
        return {
            **unmeasured,
            **ders,
            **jers,
            **{f"rtf_{name}": rtf for name, rtf in self.rtf.items()},
        }


async def evaluate(
    settings: Settings, recordings: Sequence[LabelledRecording], progress: Progress
) -> DiarizationReport:
    """Every path over every recording. pyannote's is left out if it is not set up."""
    report = DiarizationReport()
    for recording in recordings:
        report.score("one_speaker").add(recording, one_speaker(recording))
    cpu = settings.cpu.model_copy(update={"workers": 1, "threads": 1})
    settings = settings.model_copy(update={"cpu": cpu})
    async with started(CpuEngine(settings)) as engine:
        await _settle_all(engine, settings, recordings, "cpu_", report, progress)
        for recording in recordings:
            report.score("oracle").add(recording, await oracle(engine, recording))
    if settings.triton.pyannote:
        async with started(TritonEngine(settings, Metrics())) as engine:
            await _settle_all(engine, settings, recordings, "", report, progress)
    await _live_all(settings, recordings, report, progress)
    return report


async def _settle_all(
    engine: SpeechEngine,
    settings: Settings,
    recordings: Sequence[LabelledRecording],
    path: str,
    report: DiarizationReport,
    progress: Progress,
) -> None:
    spent_s = 0.0
    for recording in recordings:
        progress(f"{path.rstrip('_') or 'pyannote'}: {recording.name}")
        given, auto, seconds = await settled(engine, settings, recording)
        report.score(f"{path}given").add(recording, given)
        report.score(f"{path}auto").add(recording, auto)
        spent_s += seconds
    heard_s = sum(len(recording.audio) for recording in recordings) / SAMPLE_RATE_HZ
    report.rtf[path.rstrip("_") or "pyannote"] = round(spent_s / heard_s, 4)


async def _live_all(
    settings: Settings,
    recordings: Sequence[LabelledRecording],
    report: DiarizationReport,
    progress: Progress,
) -> None:
    metrics = Metrics()
    patient = settings.speakers.model_copy(update={"provisional_s": TIMEOUT_S})
    box = Box(settings.model_copy(update={"speakers": patient}), CpuEngine(settings), metrics)
    await box.start()
    try:
        for recording in recordings:
            progress(f"live: {recording.name}")
            report.score("live").add(recording, await live(box, recording))
    finally:
        await box.close()
