"""What evaluations over engines share: reading recordings, speaking the fixed ones."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import typer
from rich.console import Console

from appliance.engine.protocol import ManagedEngine
from appliance.errors import LingtingError, SettingsError
from inference.tensors import SAMPLE_RATE_HZ, Audio

Progress = Callable[[str], None]


def read_wav(path: Path) -> Audio:
    """16 kHz, mono, 16 bit; raises SettingsError for anything else."""
    try:
        with wave.open(str(path)) as file:
            shape = file.getframerate(), file.getnchannels(), file.getsampwidth()
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    except (OSError, EOFError, wave.Error) as error:
        raise SettingsError("read recordings", f"{path}: {error}") from error
    if shape != (SAMPLE_RATE_HZ, 1, 2):
        raise SettingsError(
            "read recordings", f"{path} must be 16 kHz, mono, 16 bit", "convert it with ffmpeg"
        )
    return (samples / 32768).astype(np.float32)


@contextlib.contextmanager
def spoken(module: str, progress: Progress) -> Iterator[Path]:
    """A folder with what `module --write` speaks; raises SettingsError without espeak-ng."""
    with tempfile.TemporaryDirectory(prefix="lingting-eval-") as folder:
        command = [sys.executable, "-m", module, "--write", folder]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as speaking:
            assert speaking.stdout and speaking.stderr
            for line in speaking.stdout:
                progress(line.strip())
            said = speaking.stderr.read().strip().splitlines()
        if speaking.returncode:
            cause = said[-1] if said else f"exit {speaking.returncode}"
            hint = "apt-get install espeak-ng; make .venv/.dev"
            raise SettingsError("speak the fixed recordings", cause, hint)
        yield Path(folder)


@contextlib.asynccontextmanager
async def started(engine: ManagedEngine) -> AsyncIterator[ManagedEngine]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


@contextlib.contextmanager
def recordings(data: Path | None, module: str, console: Console) -> Iterator[Path]:
    """The user's folder, or what `module` speaks."""
    if data:
        yield data
        return
    with (
        console.status("speaking the fixed recordings") as status,
        spoken(module, status.update) as folder,
    ):
        status.stop()
        yield folder


def failed(error: Exception, console: Console) -> typer.Exit:
    needs = (
        "" if isinstance(error, LingtingError) else "; it needs the dev profile: make .venv/.dev"
    )
    console.print(f"eval: {error}{needs}", style="red")
    return typer.Exit(3)
