"""Audio altered at random is heard or refused, in bounded time, and leaves no process behind."""

from __future__ import annotations

import asyncio
import os
import random
import struct
from collections import Counter
from collections.abc import Callable

import numpy as np
import psutil
import pytest

from appliance.errors import LingtingError
from appliance.messages import AudioFormat, Encoding
from tests.unit.audio_files import LIMIT_S, decode, encode, tone, wav_header

EACH = 12  # of every corpus entry, at scale 1
LONGEST_S = 600  # of audio that a few seconds may turn into


def corpus() -> dict[str, bytes]:
    voice = tone(8000, 2, 2.0)
    made = {
        "wav pcm": wav_header(1, 2, 8000, 16) + voice.tobytes(),
        "wav alaw": wav_header(6, 2, 8000, 8) + bytes(voice.astype(np.uint8).ravel()),
        "wav float": wav_header(3, 1, 16000, 32) + (voice[:, 0] / 32768).astype("<f4").tobytes(),
    }
    formats = {
        "flac": ("flac", "flac", 16000),
        "opus": ("ogg", "libopus", 48000),
        "mp3": ("mp3", "libmp3lame", 44100),
        "m4a": ("mp4", "aac", 44100),
        "webm": ("webm", "libopus", 48000),
        "adpcm": ("wav", "adpcm_ima_wav", 8000),
    }
    for name, (container, codec, rate_hz) in formats.items():
        made[name] = encode(container, codec, rate_hz, tone(rate_hz, 1, 2.0))
    return made


CORPUS = corpus()
Mutation = Callable[[bytearray, random.Random], None]


def flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 40)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_the_head(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(min(len(data), 120))] = rng.randrange(256)


def cut_off(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def leave_out(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, 3000)]


def repeat(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    piece = data[at : at + rng.randint(1, 3000)]
    data[at:at] = piece * rng.randint(1, 6)


def noise(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at : at + 500] = rng.randbytes(rng.randint(1, 1500))


def huge_number(data: bytearray, rng: random.Random) -> None:
    """Where a length may stand."""
    at = rng.randrange(max(1, min(len(data), 200) - 4))
    number = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
    data[at : at + 4] = struct.pack(rng.choice("<>") + "I", number)


def another_head(data: bytearray, rng: random.Random) -> None:
    other = CORPUS[rng.choice(sorted(CORPUS))]
    data[: rng.randint(4, 200)] = other[: rng.randint(4, 200)]


MUTATIONS: list[Mutation] = [
    *(flip, flip_the_head, cut_off, leave_out, repeat, noise, huge_number, another_head)
]


def mutated(name: str, rng: random.Random) -> bytes:
    data = bytearray(CORPUS[name])
    for mutation in rng.choices(MUTATIONS, k=rng.randint(1, 3)):
        if data:
            mutation(data, rng)
    return bytes(data)


def children() -> set[int]:
    return {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("live", [False, True], ids=["recording", "live"])
@pytest.mark.parametrize("name", CORPUS)
async def test_altered_audio_is_heard_or_refused(
    name: str, live: bool, rng: random.Random, scale: int
) -> None:
    before, ends = children(), Counter[str]()
    for _ in range(EACH * scale):
        data = mutated(name, rng)
        try:
            legs = await decode(data, live=live, max_duration_s=LONGEST_S)
        except LingtingError as error:
            assert not error.retryable and error.cause and "Traceback" not in error.cause
            ends[type(error).__name__] += 1
        except (AssertionError, TimeoutError) as error:
            raise AssertionError(f"{data.hex()[:400]}: {error!r}") from error
        else:
            assert all(np.isfinite(leg).all() for leg in legs)
            ends["heard"] += 1
    print(name, dict(ends))
    async with asyncio.timeout(LIMIT_S):
        while children() - before:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("encoding", list(Encoding))
async def test_raw_audio_may_be_anything(
    encoding: Encoding, rng: random.Random, scale: int
) -> None:
    for _ in range(20 * scale):
        fmt = AudioFormat(encoding, rng.choice([8000, 16000, 44100]), rng.choice([1, 2]))
        pieces = [rng.randbytes(rng.randint(0, 700)) for _ in range(rng.randint(0, 20))]
        try:
            legs = await decode(pieces, fmt, live=rng.random() < 0.5)
        except LingtingError as error:
            assert not error.retryable
        else:
            assert all(np.isfinite(leg).all() for leg in legs)
