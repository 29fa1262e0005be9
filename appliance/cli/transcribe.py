"""`lingting transcribe`: recordings to text, by this machine or by a running box."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from appliance.api.calls import choose_language
from appliance.api.http.openai_request import find_model
from appliance.cli import remote
from appliance.cli.outputs import STDIN, OutputFailed, Outputs
from appliance.errors import (
    BundleError,
    EngineUnavailable,
    InvalidAudio,
    InvalidRequest,
    LingtingError,
    SettingsError,
)
from appliance.messages import DEMO_NOTICE, AudioFormat, CallConfig, Encoding, Transcript
from appliance.messages import AudioProgress as Heard
from appliance.models.serving import serving_settings
from appliance.settings import Settings

if TYPE_CHECKING:
    from appliance.call.box import Box
from appliance.call.conversation import Conversation

ALL_GOOD, SOME_FAILED, WRONG_USE, NO_BOX, INTERRUPTED = 0, 1, 2, 3, 130
CHUNK_BYTES = 64 << 10

Tell = Callable[[float, float | None], None]  # seconds of audio done, and in all if known


class Raw(StrEnum):
    """Encodings that nothing in the bytes tells."""

    pcm_s16le = Encoding.PCM_S16LE
    alaw = Encoding.ALAW
    mulaw = Encoding.MULAW


class Format(StrEnum):
    txt = "txt"
    json = "json"
    srt = "srt"
    vtt = "vtt"


def transcribe(
    files: Annotated[
        list[str], typer.Argument(metavar="FILES...", help="recordings; - reads standard input")
    ],
    format: Annotated[Format, typer.Option("--format", "-f", help="what to write")] = Format.txt,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="one file each; else standard output")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="write over files in the output folder")
    ] = False,
    language: Annotated[
        str, typer.Option("--language", "-l", help="zh, en ...; auto detects it")
    ] = "",
    hotword: Annotated[
        list[str] | None, typer.Option("--hotword", help="a word to listen for; repeatable")
    ] = None,
    encoding: Annotated[
        Raw | None, typer.Option("--encoding", help="of raw audio without a header")
    ] = None,
    sample_rate: Annotated[
        int, typer.Option("--sample-rate", min=0, help="of raw audio, Hz; 0: the header says it")
    ] = 0,
    channels: Annotated[
        int, typer.Option("--channels", min=0, max=2, help="of raw audio; 0: the header says it")
    ] = 0,
    server: Annotated[
        str, typer.Option("--server", help="a running box, e.g. http://127.0.0.1:9000")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress bar")] = False,
) -> None:
    """Write down what recordings say.

    One bad file does not stop the others. Exit codes: 0 all good, 1 some file failed,
    2 wrong usage or settings, 3 no engine or no box to ask, 130 interrupted.
    """
    audio = AudioFormat(Encoding(encoding or Encoding.AUTO), sample_rate, channels)
    where = Where(format.value, output_dir, force)
    job = TranscribeJob(tuple(files), where, audio, language, tuple(hotword or ()), server)
    shown = Display(Console(stderr=True), quiet)
    try:
        code = asyncio.run(run(job, shown))
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class Where:
    """What is written, and where to."""

    format: str
    folder: Path | None
    force: bool


@dataclass(frozen=True, slots=True)
class TranscribeJob:
    files: tuple[str, ...]
    where: Where
    audio: AudioFormat
    language: str
    hotwords: tuple[str, ...]
    server: str


async def run(job: TranscribeJob, shown: Display) -> int:
    """The exit code."""
    try:
        check(job)
        question: remote.Request | None = None
        if job.server:
            question = remote.Request(job.server, job.audio, job.language, job.hotwords)
        where = job.where
        outputs = Outputs(job.files, where.format, where.folder, force=where.force)
        if question:
            return await write_down(job, RemoteEar(question), outputs, shown)
        async with contextlib.AsyncExitStack() as stack:
            box = await start_box(serving_settings(), stack, shown)
            ear = LocalEar(box, local_config(box, job))
            return await write_down(job, ear, outputs, shown)
    except (SettingsError, InvalidRequest) as error:
        shown.complain(str(error))
        return WRONG_USE
    except OutputFailed as error:
        shown.complain(str(error))
        return SOME_FAILED
    except (EngineUnavailable, BundleError) as error:
        shown.complain(str(error))
        return NO_BOX


def check(job: TranscribeJob) -> None:
    doing = "read the command line"
    if job.files.count(STDIN) > 1:
        raise InvalidRequest(doing, "standard input can be read only once", "name - once")
    if job.audio.encoding is not Encoding.AUTO and not job.audio.rate_hz:
        hint = "add --sample-rate, e.g. 8000 for a telephone's"
        raise InvalidRequest(doing, f"--encoding {job.audio.encoding} without a sample rate", hint)
    several, format = len(job.files) > 1, job.where.format
    if several and job.where.folder is None and format in ("srt", "vtt"):
        hint = "give --output-dir"
        raise InvalidRequest(doing, f"several {format} files cannot share one output", hint)


async def start_box(settings: Settings, stack: contextlib.AsyncExitStack, shown: Display) -> Box:
    """An engine that answers its canary wrong would keep us waiting for ever."""
    limit_s = settings.cpu.start_timeout_s
    try:
        with shown.waiting("starting the engine"):
            async with asyncio.timeout(limit_s):
                return await stack.enter_async_context(local_box(settings))
    except TimeoutError as error:
        cause = f"no engine has proved itself in {limit_s:g} s"
        raise EngineUnavailable("start the engine", cause, "run `lingting doctor`") from error


def local_box(settings: Settings) -> AbstractAsyncContextManager[Box]:
    from appliance.cli.local import open_local_box  # the models' libraries load slowly

    return open_local_box(settings)


def local_config(box: Box, job: TranscribeJob) -> CallConfig:
    return CallConfig(
        audio=job.audio,
        language=choose_language(job.language, find_model(box.models(), "")),
        interim=False,
        live=False,
        hotwords=job.hotwords,
        door="cli",
    )


async def write_down(job: TranscribeJob, ear: Transcriber, outputs: Outputs, shown: Display) -> int:
    """Every file in turn; raises EngineUnavailable when going on makes no sense."""
    failed = 0
    for name, path in zip(job.files, outputs.paths, strict=True):
        try:
            with shown.bar(name) as tell:
                transcript = await ear.hear(name, tell)
            shown.notice(name, transcript)
            outputs.write(name, path, transcript)
            if path is not None:
                shown.say(f"{name} -> {path}")
        except (EngineUnavailable, BundleError, OutputFailed):
            raise
        except (LingtingError, OSError) as error:
            failed += 1
            reason = error.strerror if isinstance(error, OSError) else None
            shown.complain(f"{name}: {reason or error}")
    if len(job.files) > 1:
        shown.say(f"{len(job.files) - failed} of {len(job.files)} files transcribed")
    return SOME_FAILED if failed else ALL_GOOD


class Transcriber(Protocol):
    """Who listens."""

    async def hear(self, name: str, tell: Tell) -> Transcript: ...


class LocalEar:
    def __init__(self, box: Box, config: CallConfig) -> None:
        self._box, self._config = box, config

    async def hear(self, name: str, tell: Tell) -> Transcript:
        with open_source(name) as file:
            total_s = wave_seconds(file)
            tell(0.0, total_s)
            async with Conversation(self._box, self._config, read_chunks(file)) as talk:
                async for told in talk.told():
                    if isinstance(told.event, Heard):
                        tell(told.event.audio_ms / 1000, total_s)
                return talk.call.transcript()


class RemoteEar:
    def __init__(self, question: remote.Request) -> None:
        self._question = question

    async def hear(self, name: str, tell: Tell) -> Transcript:
        with open_source(name) as source, seekable(source) as file:
            total_s = wave_seconds(file)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if not size:
                raise InvalidAudio("read the file", "it is empty")

            def sent(count: int) -> None:
                # All sent is not all heard: without a total the bar swings until the answer.
                tell((total_s or 0.0) * count / size, None)

            return await remote.ask(self._question, file, sent)


@contextmanager
def open_source(name: str) -> Iterator[BinaryIO]:
    if name == STDIN:
        yield sys.stdin.buffer
        return
    if Path(name).is_dir():
        hint = f"name its files, e.g. {Path(name) / '*.wav'}"
        raise InvalidRequest("open the file", "it is a folder", hint)
    with Path(name).open("rb") as file:
        yield file


@contextmanager
def seekable(source: BinaryIO) -> Iterator[BinaryIO]:
    """The source itself, or a copy on disk of what a pipe brings: its size must be known."""
    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile() as copy:
        while data := source.read(CHUNK_BYTES):
            copy.write(data)
        copy.seek(0)
        yield copy


async def read_chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    """In a thread: a pipe may keep us waiting."""
    while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield data


def wave_seconds(file: BinaryIO) -> float | None:
    """Length by the WAV header, for the progress bar only; None if it does not say."""
    if not file.seekable():
        return None
    head = file.read(4096)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    byte_rate, place = 0, 12
    while place + 8 <= len(head):
        kind, length = (
            head[place : place + 4],
            int.from_bytes(head[place + 4 : place + 8], "little"),
        )
        if kind == b"fmt ":
            byte_rate = int.from_bytes(head[place + 16 : place + 20], "little")
        if kind == b"data":
            return min(length, size - place - 8) / byte_rate if byte_rate else None
        place += 8 + length + length % 2
    return None


class Display:
    """What the reader sees on standard error."""

    def __init__(self, console: Console, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._noticed = False

    @contextmanager
    def bar(self, name: str) -> Iterator[Tell]:
        if self._quiet or not self._console.is_terminal:
            yield lambda done_s, total_s: None
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f} s"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(name, total=None)
            yield lambda done_s, total_s: progress.update(task, completed=done_s, total=total_s)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        if self._quiet or not self._console.is_terminal:
            yield
            return
        with self._console.status(text):
            yield

    def notice(self, name: str, transcript: Transcript) -> None:
        """Once: what these weights are not for. And that a recording is not whole."""
        if transcript.cut_short:
            self.complain(f"{name}: it is cut short: its header promises more than there is")
        notice = DEMO_NOTICE if transcript.demo else transcript.notice
        if notice and not self._noticed:
            self._noticed = True
            self.say(f"{transcript.model}: {notice}")

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def complain(self, text: str) -> None:
        self._console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
