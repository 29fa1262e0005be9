"""The process that decodes compressed audio: foreign bytes meet ffmpeg here and nowhere else.

    python -m appliance.audio.child DEMUXER ROLE CPU_SECONDS PARENT_PID

Reads the file from stdin (a pipe, or a scratch file whose key is in the environment) and writes
messages to stdout (wire.py).
It may open no file and no connection, start no program and no process, and use only bounded memory
and time; it dies with its parent.
"""

from __future__ import annotations

import ctypes
import io
import math
import os
import resource
import select
import signal
import sys
from collections.abc import Iterator
from typing import Any

import av

# Loaded by PyAV when a file first needs them; then no file can be opened any more.
import av.audio.stream
import av.codec
import av.logging
import av.subtitles.codeccontext
import av.subtitles.stream
import av.video.codeccontext
import av.video.stream
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.packet import Packet

from appliance.audio import wire
from appliance.audio.flac import Framer
from appliance.security import seccomp
from appliance.security.scratch import Reader

MEMORY_BYTES = 1 << 30  # of address space; about 0.15 GB are libraries
WRITE_BYTES = 1 << 16
DENIED = seccomp.NETWORK | seccomp.PROGRAMS | seccomp.PROCESSES | seccomp.KERNEL | seccomp.FILES
TELL_LENGTH = {"wav", "mp4", "aiff", "au", "caf"}  # by their headers; others guess
LEAST_HOLE_S, LONGEST_HOLE_S = 0.1, 3600.0  # between stamps; less wavers, more is another clock
RECORDING_NICE = 10  # live calls come first
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> int:
    demuxer, role, cpu_seconds, parent = sys.argv[1:5]
    confine(int(cpu_seconds), int(parent), live=role == "live")
    output = Output()
    try:
        frames = flac_frames if demuxer == "flac" else container_frames
        for frame in frames(Input(output), demuxer):
            output.write(frame)
        output.flush()
    except BrokenPipeError:
        return 1
    except Exception as error:  # the parent tells the caller
        output.error(error)
        return 1
    return 0


def confine(cpu_seconds: int, parent: int, *, live: bool) -> None:
    """Give up every right that decoding does not need."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 8),
    ):
        resource.setrlimit(limit, (value, value))
    if not live:
        os.nice(RECORDING_NICE)
    seccomp.deny(DENIED)


class Output:
    """Messages to the parent; samples are gathered, because each message costs it a wake-up."""

    def __init__(self) -> None:
        self.codec = ""
        self._samples = bytearray()
        self._rate_hz = self._channels = 0
        self._layout = ""
        self._convert: AudioResampler | None = None
        self._converts = ("", "", 0)  # what it was made for
        self._due_s: float | None = None  # when the next frame begins, by its stamps

    def promised(self, seconds: float) -> None:
        """How long it is by its header."""
        if 0 < seconds < math.inf:
            self._send(wire.KIND_PROMISED, wire.PROMISED.pack(seconds))

    def write(self, frame: AudioFrame) -> None:
        if not self._rate_hz:
            self._open(frame)
        self._fill_hole(frame)
        for packed in self._converter(frame).resample(frame):
            size = packed.samples * packed.layout.nb_channels * 2
            self._samples += memoryview(packed.planes[0])[:size]
        if len(self._samples) >= WRITE_BYTES:
            self.flush()

    def _fill_hole(self, frame: AudioFrame) -> None:
        """Where stamps jump, nothing was recorded: silence keeps what follows in its time."""
        begins_s = frame.time
        if begins_s is None:
            return
        hole_s = begins_s - self._due_s if self._due_s is not None else 0.0
        self._due_s = begins_s + frame.samples / frame.sample_rate
        if not LEAST_HOLE_S < hole_s < LONGEST_HOLE_S:
            return
        left = int(hole_s * self._rate_hz) * self._channels * 2
        while left:
            size = min(left, WRITE_BYTES)
            self._samples += bytes(size)
            left -= size
            if len(self._samples) >= WRITE_BYTES:
                self.flush()

    def flush(self) -> None:
        if self._samples:
            self._send(wire.KIND_SAMPLES, self._samples)
            self._samples.clear()

    def hungry(self, consumed: int) -> None:
        self.flush()
        self._send(wire.KIND_HUNGRY, wire.HUNGRY.pack(consumed))

    def error(self, error: BaseException) -> None:
        self.flush()
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        self._send(wire.KIND_ERROR, reason[:300].encode())

    def _open(self, frame: AudioFrame) -> None:
        self._rate_hz, self._layout = frame.sample_rate, frame.layout.name
        self._channels = frame.layout.nb_channels
        codec = self.codec.encode()[:16]
        self._send(
            wire.KIND_FORMAT, wire.FORMAT.pack(self._rate_hz, frame.layout.nb_channels, codec)
        )

    def _converter(self, frame: AudioFrame) -> AudioResampler:
        """A stream may change its format on the way (Ogg chains do); what leaves here does not."""
        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._convert is None or key != self._converts:
            self._convert = AudioResampler("s16", self._layout, self._rate_hz)
            self._converts = key
        return self._convert

    @staticmethod
    def _send(kind: bytes, body: bytes | bytearray) -> None:
        view = memoryview(wire.HEAD.pack(kind, len(body)) + body)
        while view:
            view = view[os.write(1, view) :]


class Input:
    """Standard input as ffmpeg reads it: whatever is there, at once."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._consumed = 0
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def read(self, size: int) -> bytes:
        if not self._poll.poll(0):
            self.output.hungry(self._consumed)
        data = os.read(0, size)
        self._consumed += len(data)
        return data


class Tally:
    """Forgives a torn first frame and odd bytes at the end, not a file full of errors."""

    def __init__(self) -> None:
        self._good = self._bad = 0

    def decode(self, codec: AudioCodecContext, packet: Packet[Any] | None) -> list[AudioFrame]:
        try:
            frames = codec.decode(packet)
        except av.InvalidDataError:
            self._bad += 1
            if self._bad > 3 + self._good // 20:
                raise
            return []
        self._good += 1
        return frames


def flac_frames(source: Input, _: str) -> Iterator[AudioFrame]:
    framer, tally = Framer(), Tally()
    codec: AudioCodecContext | None = None
    source.output.codec = "flac"
    more = True
    while more:
        data = source.read(WRITE_BYTES)
        more = bool(data)
        for frame in framer.push(data) if more else filter(None, [framer.rest()]):
            if codec is None:
                codec = av.CodecContext.create("flac", "r")
                codec.extradata = framer.streaminfo
                source.output.promised(flac_seconds(framer.streaminfo))
                codec.thread_count = 1
            yield from tally.decode(codec, Packet(frame))


def flac_seconds(streaminfo: bytes) -> float:
    """By its header; 0: it says nothing."""
    packed = int.from_bytes(streaminfo[10:18])  # rate: 20 bits, channels 3, depth 5, samples 36
    return (packed & ((1 << 36) - 1)) / max(1, packed >> 44)


def container_frames(source: Input, demuxer: str) -> Iterator[AudioFrame]:
    key = os.environ.get(wire.SCRATCH_KEY)
    file = Reader(io.FileIO(0, closefd=False), bytes.fromhex(key)) if key else source
    # Look no further than the first packet. (fflags=nobuffer would throw away what was looked at.)
    options = {} if key else {"probesize": "32", "analyzeduration": "0"}
    with av.open(file, "r", format=demuxer, options=options) as container:
        if not container.streams.audio:
            raise ValueError("no audio in it")
        stream = container.streams.audio[0]
        codec, tally = stream.codec_context, Tally()
        codec.thread_count = 1
        source.output.codec = codec.name
        if stream.duration and stream.time_base and demuxer in TELL_LENGTH:
            source.output.promised(float(stream.duration * stream.time_base))
        for packet in container.demux(stream):
            yield from tally.decode(codec, packet)


if __name__ == "__main__":
    sys.exit(main())
