"""Audio files made on the spot, and the ways a network cuts them."""

from __future__ import annotations

import asyncio
import io
import itertools
import shutil
import struct
import subprocess
import wave

import av
import numpy as np
import soxr

from appliance.audio.decoder import AudioDecoder
from appliance.messages import AudioFormat

LIMIT_S = 20.0  # no case may hang


def tone(rate_hz: int, channels: int = 1, seconds: float = 2.0) -> np.ndarray:
    """[n, channels] int16; leg k sounds at 440 * (k + 1) Hz."""
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    legs = [np.sin(2 * np.pi * 440 * (leg + 1) * t) for leg in range(channels)]
    return (np.stack(legs, axis=1) * 8000).astype(np.int16)


def pitch_hz(audio: np.ndarray) -> float:
    """The strongest frequency of 16 kHz audio."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(spectrum.argmax() * 16000 / len(audio))


def encode(container: str, codec: str, rate_hz: int, samples: np.ndarray, **options: str) -> bytes:
    file = io.BytesIO()
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(file, "w", format=container, options=options) as out:
        stream = out.add_stream(codec, rate=rate_hz)
        stream.layout = layout
        if codec.startswith("wma"):  # it has no rate of its own
            stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate_hz
        convert = av.AudioResampler(stream.codec_context.format.name, layout, rate_hz)
        fifo = av.AudioFifo()
        for converted in convert.resample(frame):
            converted.pts = None
            fifo.write(converted)
        while piece := fifo.read(stream.codec_context.frame_size or 1024, partial=True):
            out.mux(stream.encode(piece))
        out.mux([packet for packet in stream.encode(None) if packet.size])
    return file.getvalue()


def wav_header(
    tag: int = 1,
    channels: int = 1,
    rate_hz: int = 16000,
    bits: int = 16,
    size: int = 0xFFFFFFFF,
    before: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * frame, frame, bits) + extra
    form = b"fmt " + struct.pack("<I", len(form)) + form
    return b"RIFF\xff\xff\xff\xffWAVE" + before + form + b"data" + struct.pack("<I", size)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


async def decode(
    pieces: list[bytes] | bytes, fmt: AudioFormat | None = None, *, live: bool = False, **limits
) -> list[np.ndarray]:
    """All audio of a call, per leg."""
    if isinstance(pieces, bytes):
        pieces = [pieces[at : at + 3001] for at in range(0, len(pieces), 3001)]
    decoder = AudioDecoder(fmt or AudioFormat(), live=live, **{"max_duration_s": 3600, **limits})
    parts = []
    try:
        async with asyncio.timeout(LIMIT_S):
            for piece in pieces:
                parts.append(await decoder.feed(piece))
            parts.append(await tail_of(decoder))
    finally:
        await decoder.close()
    assert decoder.legs == len(parts[-1])
    assert all(len({len(leg) for leg in part}) <= 1 for part in parts)
    return [np.concatenate(leg) for leg in zip(*filter(None, parts), strict=True)]


def speech(text: str = "您好，我要反映小区门口的路灯坏了，晚上出行很不方便。") -> np.ndarray:
    """[n] float32 at 16 kHz, by espeak-ng."""
    program = shutil.which("espeak-ng") or "espeak-ng"
    spoken = subprocess.run(
        [program, "-v", "cmn", "--stdout", text], capture_output=True, check=True
    )
    with wave.open(io.BytesIO(spoken.stdout)) as file:
        samples = np.frombuffer(file.readframes(1 << 30), "<i2").astype(np.float32) / 32768
        return soxr.resample(samples, file.getframerate(), 16000).astype(np.float32)


async def tail_of(decoder: AudioDecoder) -> list[np.ndarray]:
    """What `drain` brings, at once."""
    pieces = [piece async for piece in decoder.drain() if piece]
    return [np.concatenate(leg) for leg in zip(*pieces, strict=True)]
