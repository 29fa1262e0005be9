"""The child process: it decodes, answers at once when live, obeys limits and never outlives us."""

import asyncio
import contextlib
import io
import os
import signal
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.audio.compressed import PIECE_BYTES, CompressedSource
from appliance.audio.decoder import AudioDecoder
from appliance.audio.flac import Framer
from appliance.audio.sniff import ContainerKind
from appliance.errors import InvalidAudio, TooLarge
from appliance.messages import AudioFormat, Encoding
from tests.unit.audio_files import LIMIT_S, cut, decode, encode, pitch_hz, tail_of, tone

FORMATS = {
    "flac": ("flac", "flac", 16000),
    "flac in ogg": ("ogg", "flac", 16000),
    "opus": ("ogg", "libopus", 48000),
    "mp3": ("mp3", "libmp3lame", 44100),
    "mp3 8 kHz": ("mp3", "libmp3lame", 8000),
    "m4a": ("mp4", "aac", 44100),
    "aac": ("adts", "aac", 16000),
    "webm": ("webm", "libopus", 48000),
    "amr": ("amr", "libopencore_amrnb", 8000),
    "adpcm wav": ("wav", "adpcm_ima_wav", 8000),
    "ms adpcm wav": ("wav", "adpcm_ms", 8000),
    "aiff": ("aiff", "pcm_s16be", 16000),
    "au": ("au", "pcm_mulaw", 8000),
    "caf": ("caf", "pcm_s16be", 16000),
    "w64": ("w64", "pcm_s16le", 16000),
    "wma": ("asf", "wmav2", 44100),
}
FLAC_FRAME = 1152  # samples, as ffmpeg encodes 16 kHz
STREAMED = {"flac", "flac in ogg", "opus"}


def child_of(decoder: AudioDecoder) -> psutil.Process:
    source = decoder._source
    assert isinstance(source, CompressedSource)
    assert source._process
    return psutil.Process(source._process.pid)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("live", [False, True])
async def test_formats(name, channels, live):
    container, codec, rate_hz = FORMATS[name]
    if (live and name not in STREAMED) or (name == "amr" and channels == 2):
        return
    data = encode(container, codec, rate_hz, tone(rate_hz, channels))
    legs = await decode(data, live=live)
    assert len(legs) == channels
    for index, leg in enumerate(legs):
        assert 1.99 <= len(leg) / 16000 <= 2.2
        assert abs(pitch_hz(leg) - 440 * (index + 1)) < 3


def without_padding(flac: bytes) -> bytes:
    """Only STREAMINFO, as a live encoder sends it."""
    at = 4
    while not flac[at] & 0x80:
        at += 4 + int.from_bytes(flac[at + 1 : at + 4])
    at += 4 + int.from_bytes(flac[at + 1 : at + 4])
    return b"fLaC\x80" + flac[5:42] + flac[at:]


async def heard_after_each(pieces: list[bytes]) -> list[float]:
    """Seconds of audio known after each piece of a live stream."""
    decoder = AudioDecoder(AudioFormat(), live=True, max_duration_s=60)
    heard, total = [], 0
    async with asyncio.timeout(LIMIT_S):
        for piece in pieces:
            legs = await decoder.feed(piece)
            total += len(legs[0]) if legs else 0
            heard.append(total / 16000)
    await decoder.close()
    return heard


async def test_live_flac_waits_for_one_frame_not_ten():
    frame_s = FLAC_FRAME / 16000
    data = without_padding(encode("flac", "flac", 16000, tone(16000, seconds=4)))
    framer = Framer()
    frames = [*framer.push(data), framer.rest()]
    head = data[: len(data) - sum(map(len, frames))]
    heard = await heard_after_each([head, *frames])
    # The frame that has just come waits for the next one's header.
    assert heard == pytest.approx([max(k - 1, 0) * frame_s for k in range(len(heard))], abs=1e-3)


async def test_live_opus_comes_with_its_page():
    data = encode("ogg", "libopus", 48000, tone(48000, seconds=4), page_duration="200000")
    starts = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    heard = await heard_after_each(cut(data, starts)[1:])
    page = np.diff(heard[2:])  # two pages of headers come first
    assert heard[:2] == [0, 0]
    assert heard[2] > 0.15
    assert page[:-1].max() <= 0.25
    # All of the stream but the resampler's few milliseconds is known without ending it.
    assert heard[-1] > 3.9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 100_000), max_size=30))
def test_flac_frames_are_the_same_however_cut(places):
    data = FLAC_NOISE
    framer = Framer()
    frames = [frame for piece in cut(data, places) for frame in framer.push(piece)]
    frames.append(framer.rest())
    assert data.endswith(b"".join(frames))
    assert len(frames) == -(-32000 // FLAC_FRAME)


FLAC_NOISE = encode(
    "flac", "flac", 16000, np.random.default_rng(0).integers(-9000, 9000, (32000, 1), np.int16)
)  # noise: the pattern of a header occurs inside frames


async def test_damage_in_the_middle_names_the_reason():
    data = bytearray(encode("ogg", "libopus", 48000, tone(48000)))
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=60)
    try:
        with pytest.raises(InvalidAudio) as caught:
            await decoder.feed(b"OggS" + bytes(data[5:40]))
            await tail_of(decoder)
    finally:
        await decoder.close()
    assert caught.value.cause
    assert "damaged" in caught.value.hint


async def test_a_child_killed_from_outside_is_an_error_not_a_hang():
    decoder = AudioDecoder(AudioFormat(), live=True, max_duration_s=60)
    await decoder.feed(FLAC_NOISE[:20_000])
    child_of(decoder).kill()
    with pytest.raises(InvalidAudio, match="processor time or memory"):
        async with asyncio.timeout(LIMIT_S):
            await decoder.feed(FLAC_NOISE[20_000:])
            await tail_of(decoder)
    await decoder.close()


async def test_close_leaves_no_child_whatever_it_does():
    decoder = AudioDecoder(AudioFormat(), live=True, max_duration_s=60)
    await decoder.feed(FLAC_NOISE[:20_000])
    child = child_of(decoder)
    child.suspend()
    writing = asyncio.create_task(decoder.feed(FLAC_NOISE[20_000:]))
    await asyncio.sleep(0.05)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    await decoder.close()
    await decoder.close()
    assert not child.is_running()


async def test_the_child_is_confined():
    decoder = AudioDecoder(AudioFormat(), live=True, max_duration_s=3600)
    await decoder.feed(FLAC_NOISE[:20_000])
    child = child_of(decoder)
    assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_AS)[1] <= 1 << 30
    assert 0 < child.rlimit(psutil.RLIMIT_CPU)[1] < 200
    assert set(child.environ()) <= {"PYTHONPATH", "LC_ALL"}
    await decoder.close()


async def test_recordings_make_way_for_calls():
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=3600)
    async with asyncio.timeout(LIMIT_S):
        while not decoder.legs:
            await decoder.feed(FLAC_NOISE[:60_000])
            await asyncio.sleep(0.01)
    assert child_of(decoder).nice() >= 10
    await decoder.close()


PARENT = """
import asyncio, sys
from appliance.audio.decoder import AudioDecoder
from appliance.messages import AudioFormat
async def main():
    decoder = AudioDecoder(AudioFormat(), live=True, max_duration_s=60)
    await decoder.feed(sys.stdin.buffer.read())
    print(decoder._source._process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_the_child_dies_with_a_killed_gateway():
    gateway = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert gateway.stdin
    assert gateway.stdout
    gateway.stdin.write(FLAC_NOISE[:20_000])
    gateway.stdin.close()
    child = psutil.Process(int(await gateway.stdout.readline()))
    os.kill(gateway.pid, signal.SIGKILL)
    await gateway.wait()
    deadline = time.monotonic() + 5
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "an orphan is left"
        await asyncio.sleep(0.02)


def silent_flac(seconds: int) -> bytes:
    """A few bytes per minute of sound."""
    samples = np.zeros((96_000 * seconds, 1), np.int16)
    return encode("flac", "flac", 96000, samples)


async def test_a_bomb_is_handed_out_in_pieces_and_stopped_at_the_limit():
    data = silent_flac(120)
    assert len(data) < 120 * 96_000 * 2 / 200
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=100)
    most = PIECE_BYTES / 2 / 96_000 * 16_000 * 1.1
    heard = 0
    with pytest.raises(TooLarge):
        async with asyncio.timeout(LIMIT_S):
            (*legs,) = await decoder.feed(data)
            heard += sum(map(len, legs))
            async for (leg,) in decoder.drain():
                assert len(leg) <= most
                heard += len(leg)
    assert heard <= 100 * 16_000
    await decoder.close()


async def test_the_reader_waits_when_nobody_takes():
    source = CompressedSource(ContainerKind.FLAC, live=False, max_duration_s=3600)
    await source.feed(silent_flac(120))
    await asyncio.sleep(0.5)
    assert source._held <= 2 << 20
    await source.close()


async def test_a_spooled_file_has_a_limit(monkeypatch):
    monkeypatch.setattr("appliance.audio.compressed.SPOOL_LEAST_BYTES", 10_000)
    data = encode("mp4", "aac", 44100, tone(44100))
    with pytest.raises(TooLarge, match="more than"):
        await decode(data, AudioFormat(Encoding.CONTAINER), max_duration_s=0.1)


async def test_a_long_mp3_in_bounded_memory():
    short = encode("mp3", "libmp3lame", 8000, tone(8000, seconds=60))
    warm = AudioDecoder(AudioFormat(), live=False, max_duration_s=3600)
    await warm.feed(short)  # what the first of any length takes is not of the length
    _ = [legs async for legs in warm.drain()]
    await warm.close()
    data = encode("mp3", "libmp3lame", 8000, tone(8000, seconds=600))
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=3600)
    process = psutil.Process()
    before = process.memory_info().rss
    heard = most = 0
    for at in range(0, len(data), 1 << 16):
        legs = await decoder.feed(data[at : at + (1 << 16)])
        heard += len(legs[0]) if legs else 0
        most = max(most, process.memory_info().rss - before)
    async for (leg,) in decoder.drain():
        heard += len(leg)
        most = max(most, process.memory_info().rss - before)
    await decoder.close()
    assert abs(heard / 16000 - 600) < 1
    assert most < 40 << 20


async def test_nothing_of_ffmpeg_is_loaded_here():
    code = "import sys, appliance.audio.decoder, appliance.audio.vad; print('av' in sys.modules)"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    out, _ = await process.communicate()
    assert out.strip() == b"False"


# --- what breaks off, and what was never recorded

WHOLE_S = 4.0


async def length_of(data: bytes) -> tuple[float, bool]:
    """Seconds that are decoded, and whether the file is told to be cut short."""
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=60)
    try:
        parts = [await decoder.feed(data), await tail_of(decoder)]
    finally:
        await decoder.close()
    return sum(len(part[0]) for part in parts if part) / 16000, decoder.cut_short


def index_first(m4a: bytes, folder: Path) -> bytes:
    """As servers of films write it, so that it plays as far as it has come."""
    written = folder / "first.m4a"
    with (
        av.open(io.BytesIO(m4a)) as source,
        av.open(written, "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return written.read_bytes()


def with_length(flac: bytes, samples: int) -> bytes:
    """Its header tells how long it is."""
    packed = int.from_bytes(flac[18:26]) & ~((1 << 36) - 1) | samples
    return flac[:18] + packed.to_bytes(8) + flac[26:]


@pytest.mark.parametrize("name", ["adpcm wav", "flac", "m4a", "aiff", "au"])
async def test_a_file_that_breaks_off_is_told(name: str, tmp_path: Path) -> None:
    container, codec, rate_hz = FORMATS[name]
    data = encode(container, codec, rate_hz, tone(rate_hz, 1, WHOLE_S))
    if name == "m4a":
        data = index_first(data, tmp_path)
    elif name == "flac":
        data = with_length(data, int(WHOLE_S * rate_hz))
    seconds, cut_short = await length_of(data)
    assert seconds == pytest.approx(WHOLE_S, abs=0.2) and not cut_short
    seconds, cut_short = await length_of(data[: len(data) * 6 // 10])
    assert WHOLE_S / 3 < seconds < WHOLE_S * 0.8 and cut_short


async def test_a_hole_in_the_stamps_is_silence() -> None:
    """A recorder that paused: what was said after it was said so much later."""
    rate_hz, pause_s = 48_000, 3.0
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("libopus", rate=rate_hz)
        stream.layout = "mono"
        samples = tone(rate_hz, 1, 2.0)
        for number, at in enumerate(range(0, len(samples), 960)):
            piece = samples[at : at + 960]
            frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
            frame.pts = at + (int(pause_s * rate_hz) if number >= 50 else 0)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    seconds, _ = await length_of(file.getvalue())
    assert seconds == pytest.approx(2.0 + pause_s, abs=0.1)


async def test_raw_gsm_is_named() -> None:
    frames = b"".join(bytes([0xD0 | n % 16]) + bytes(32) for n in range(100))
    with pytest.raises(InvalidAudio, match=r"raw GSM 06\.10"):
        await decode(frames)
