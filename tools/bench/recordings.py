"""Recordings of the bench: how many seconds of audio a second the OpenAI door takes."""

from __future__ import annotations

import asyncio
import sys
import time
import wave
from io import BytesIO

from appliance.cli import remote
from appliance.errors import LingtingError
from appliance.load.host import Host
from appliance.load.live import CALL
from appliance.load.probe import Figures, ProcessWatch, batches, figures_of_use
from appliance.load.running import RunningBox
from appliance.messages import AudioFormat

FILE = CALL / "call.wav"
ALAW = 6  # WAVE format tag


def trial(host: Host, files: int, concurrency: int) -> Figures:
    """Send the demo call `files` times, some at once; keys as in docs/bench.md."""
    box = host.box(warm_up)
    content = FILE.read_bytes()
    legs, seconds = legs_and_seconds(content)
    before = host.pages()
    begun = time.monotonic()
    with ProcessWatch(box.process.pid) as watch:
        errors = asyncio.run(_send(box.url, content, files, concurrency))
    wall_s = time.monotonic() - begun
    after = host.pages()
    heard_s = (files - errors) * seconds
    return {
        "files": files,
        "concurrency": concurrency,
        "audio_s": round(files * seconds, 1),
        "wall_s": round(wall_s, 2),
        "audio_seconds_per_second": round(heard_s / wall_s, 2),
        "leg_seconds_per_second": round(heard_s * legs / wall_s, 2),
        "errors": errors,
        **batches(before[1], after[1]),
        **figures_of_use(watch),
    }


def warm_up(box: RunningBox) -> None:
    asyncio.run(_send(box.url, FILE.read_bytes(), 1, 1))


async def _send(url: str, content: bytes, files: int, concurrency: int) -> int:
    """How many failed."""
    places = asyncio.Semaphore(concurrency)
    question = remote.Request(url, AudioFormat(), "zh", ())

    async def one() -> bool:
        async with places:
            try:
                await remote.ask(question, BytesIO(content), lambda sent: None)
            except LingtingError as error:
                print(f"a recording failed: {error}", file=sys.stderr)
                return False
            return True

    return (await asyncio.gather(*(one() for _ in range(files)))).count(False)


def legs_and_seconds(content: bytes) -> tuple[int, float]:
    """By the header of an A-law file, which the standard library's reader refuses."""
    if int.from_bytes(content[20:22], "little") != ALAW:
        with wave.open(BytesIO(content)) as file:
            return file.getnchannels(), file.getnframes() / file.getframerate()
    legs = int.from_bytes(content[22:24], "little")
    byte_rate = int.from_bytes(content[28:32], "little")
    at = content.index(b"data") + 4
    return legs, int.from_bytes(content[at : at + 4], "little") / byte_rate
