"""`lingting adapt draft`: recorded calls as a list to adapt by, once somebody has put it right."""

from __future__ import annotations

import asyncio
import contextlib
import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from appliance.audio.listed import decode_legs
from appliance.call.parts import parts_of
from appliance.call.timeline import Timeline
from appliance.cli.outputs import target_names
from appliance.cli.transcribe import (
    Display,
    LocalEar,
    TranscribeJob,
    Where,
    local_config,
    start_box,
)
from appliance.errors import EngineUnavailable, LingtingError, SettingsError
from appliance.files import write_atomic
from appliance.messages import AudioFormat, Transcript
from appliance.models.serving import serving_settings
from inference.tensors import SAMPLE_RATE_HZ, Audio

DOING = "draft a list to adapt by"
LIST, CLIPS = "list.tsv", "clips"
HEAD = ("file", "text", "speaker", "confidence", "recording", "at")
SHORTEST_MS = 400
AROUND_MS = 200  # of what lies around an utterance


@dataclass(frozen=True, slots=True)
class DraftedClip:
    """One utterance, and what is heard in it."""

    audio: Audio  # [n], 16 kHz
    text: str
    speaker: str
    confidence: float  # 0..1
    at_ms: int  # of its recording

    def row(self, file: str, recording: str) -> tuple[str, ...]:
        """As HEAD names it."""
        minutes, seconds = divmod(self.at_ms / 1000, 60)
        at = f"{int(minutes)}:{seconds:04.1f}"
        cells = file, self.text, self.speaker, f"{self.confidence:.2f}", recording, at
        return tuple(" ".join(cell.split()) for cell in cells)  # neither tabs nor line ends


def draft(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recorded calls, in any format the box takes.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the list and its clips.")],
    speakers: Annotated[
        int, typer.Option(min=1, max=8, help="People on each channel, at most.")
    ] = 1,
    language: Annotated[str, typer.Option(help="ISO 639-1.")] = "zh",
) -> None:
    """Cut recorded calls into utterances and write down what is heard in each.

    Put the texts right in list.tsv, least confident lines first, and delete lines that nobody can
    understand: then it is what --data takes. As it is, it will do for --general.
    """
    if out.exists():
        raise SettingsError(DOING, f"{out} exists", "name a new folder")
    shown = Display(Console(stderr=True), quiet=False)
    rows, failed = asyncio.run(_drafted(recordings, out, speakers, language, shown))
    sheet = "".join("\t".join(row) + "\n" for row in (HEAD, *rows))  # as read_rows has it
    write_atomic(out / LIST, sheet.encode("utf-8-sig"))  # else spreadsheets take it for another
    told = "put their texts right, those of little confidence first"
    shown.say(f"{len(rows)} utterances in {out / LIST}: {told}")
    raise typer.Exit(1 if failed else 0)


async def _drafted(
    recordings: list[Path], out: Path, speakers: int, language: str, shown: Display
) -> tuple[list[tuple[str, ...]], int]:
    """(rows of the list, recordings that failed); their clips are written."""
    job = TranscribeJob((), Where("json", None, False), AudioFormat(), language, (), "")
    rows, failed = list[tuple[str, ...]](), 0
    async with contextlib.AsyncExitStack() as stack:
        box = await start_box(serving_settings(), stack, shown)
        (out / CLIPS).mkdir(parents=True)
        config = replace(local_config(box, job), itn=False)  # numbers as they are spoken
        if speakers > 1:
            config = replace(config, diarize=True, most_speakers=speakers)
        ear = LocalEar(box, config)
        names = target_names([str(path) for path in recordings], "wav")
        for path, name in zip(recordings, names, strict=True):
            call = "-".join(Path(name).stem.split())
            try:
                clips = await _clips(path, call, ear, shown)
            except EngineUnavailable:
                raise
            except (LingtingError, OSError) as error:
                failed += 1
                reason = error.strerror if isinstance(error, OSError) else None
                shown.complain(f"{path}: {reason or error}")
                continue
            for number, clip in enumerate(clips, 1):
                file = f"{CLIPS}/{call}-{number:03d}.wav"
                (out / file).write_bytes(_wav(clip.audio))
                rows.append(clip.row(file, path.name))
    return rows, failed


async def _clips(path: Path, call: str, ear: LocalEar, shown: Display) -> list[DraftedClip]:
    with shown.bar(str(path)) as tell:
        transcript = await ear.hear(str(path), tell)
    shown.notice(str(path), transcript)
    legs = await decode_legs(path)
    return list(_cut(transcript, legs, call))


def _cut(transcript: Transcript, legs: list[Audio], call: str) -> Iterator[DraftedClip]:
    """What each person said without another in between; a name for each of them."""
    shared = {each.leg: Timeline(each.turns) for each in transcript.attributions if each.turns}
    for final in transcript.finals:
        for part in parts_of(final, shared.get(final.leg)):
            if not part.text or part.end_ms - part.start_ms < SHORTEST_MS:
                continue
            begin, end = max(0, part.start_ms - AROUND_MS), part.end_ms + AROUND_MS
            audio = legs[final.leg][_samples(begin) : _samples(end)]
            who = f"{call}-{part.speaker + 1}"
            yield DraftedClip(audio, part.text, who, final.confidence, part.start_ms)


def _samples(ms: int) -> int:
    return ms * SAMPLE_RATE_HZ // 1000


def _wav(audio: Audio) -> bytes:
    """A 16-bit file."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())
    return sink.getvalue()
