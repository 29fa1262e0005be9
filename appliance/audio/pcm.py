"""Uncompressed samples, cut anywhere by the network -> frames of float32."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import numpy as np
from numpy.typing import NDArray

from appliance.audio import g711, wav
from appliance.audio.wav import Coding
from appliance.errors import InvalidAudio

Frames = NDArray[np.float32]  # [n, channels], -1..1, at the source's rate


def samples(coding: Coding, data: bytes) -> NDArray[np.float32]:
    """Whole samples -> [n] in -1..1; raises InvalidAudio on values that are no sound."""
    match coding:
        case Coding.ALAW:
            return g711.ALAW[np.frombuffer(data, np.uint8)]
        case Coding.MULAW:
            return g711.MULAW[np.frombuffer(data, np.uint8)]
        case Coding.U8:
            return (
                np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)
            ) / np.float32(128)
        case Coding.S16:
            return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
        case Coding.S24:
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            return (padded.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
        case Coding.S32:
            return (np.frombuffer(data, "<i4") / 2.0**31).astype(np.float32)
        case Coding.F32 | Coding.F64:
            return _floats(np.frombuffer(data, "<f4" if coding is Coding.F32 else "<f8"))


def _floats(values: NDArray[np.floating]) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise InvalidAudio(
            "decode audio", "float samples are not finite (NaN or infinity)", "export it again"
        )
    return values.clip(-1, 1).astype(np.float32)


class PcmSource:
    """Samples of one coding, interleaved.

    Behind what a WAV's header promised there may come its last chunks, which are no sound; or the
    header of another WAV, of a client that wraps every message. In a live call what else comes is
    more sound, of a client that wrote the header before it knew how much there would be.

    Args:
        data_bytes: how many bytes are samples, by the header; None: all of them.
        live: what comes behind them may be sound.
    """

    def __init__(
        self,
        coding: Coding,
        rate_hz: int,
        channels: int,
        data_bytes: int | None = None,
        *,
        live: bool = False,
    ) -> None:
        self.rate_hz, self.channels = rate_hz, channels
        self._coding, self._live = coding, live
        self._left = data_bytes  # of the samples that were promised
        self.cut_short = False  # once drained: fewer samples came than were promised
        self._part = b""  # of a frame that a chunk border cut
        self._begun = False
        self._behind = b""  # what comes behind them, until it is clear what it is
        self._skip = 0  # bytes of a chunk that is no sound

    async def feed(self, data: bytes) -> Frames:
        """Raises InvalidAudio if another header says something else."""
        if self._begun and not self._skip and wav.looks_like_header(data):
            # What was held back was no sound, nor is a frame that its message did not end.
            self._left, self._behind, self._part = 0, b"", b""
        self._begun = True
        return self._framed(b"".join(self._sound(data)))

    def _sound(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._left is None or self._left > 0:
                sound, data = (data, b"") if self._left is None else _cut(data, self._left)
                self._left = None if self._left is None else self._left - len(sound)
                yield sound
            elif self._skip:
                skipped, data = _cut(data, self._skip)
                self._skip -= len(skipped)
            else:
                self._behind, data = self._behind + data, b""
                data = self._judge()

    def _judge(self) -> bytes:
        """Settle what has come behind the promised samples; what of it is to be gone on with."""
        if len(self._behind) <= wav.LEAST_BYTES:  # a byte more: an odd size is made even
            return b""
        if self._behind[:1] == b"\0" and _is_known(self._behind[1:]):
            self._behind = self._behind[1:]
        behind = self._behind
        if wav.looks_like_header(behind):
            header = wav.parse_header(behind)
            if header is None:
                return b""
            self._check(header)
            self._behind, self._left = b"", header.data_bytes
            return behind[header.data_at :]
        self._behind = b""
        if not self._live or behind[:4].rstrip() in wav.KNOWN_CHUNKS:
            size = int.from_bytes(behind[4:8], "little")
            self._skip = 8 + size + size % 2
        else:
            self._left = None
        return behind

    def _check(self, header: wav.WavHeader) -> None:
        if (header.coding, header.rate_hz, header.channels) != (
            self._coding,
            self.rate_hz,
            self.channels,
        ):
            cause = "another header in it tells of other samples than the first"
            raise InvalidAudio("decode audio", cause, "send each format as a call of its own")

    def _framed(self, data: bytes) -> Frames:
        data = self._part + data
        whole = len(data) - len(data) % (self.channels * self._coding.sample_bytes)
        self._part = data[whole:]
        return samples(self._coding, data[:whole]).reshape(-1, self.channels)

    async def drain(self) -> AsyncIterator[Frames]:
        """Of what is held back, what is sound: part of a frame is not."""
        self.cut_short = bool(self._left)
        if self._behind and not wav.looks_like_header(self._behind):
            behind, self._behind = self._behind, b""
            if self._live and behind != b"\0" and not _is_known(behind.lstrip(b"\0")):
                yield self._framed(behind)

    async def close(self) -> None:
        pass


def _is_known(data: bytes) -> bool:
    return wav.looks_like_header(data) or data[:4].rstrip() in wav.KNOWN_CHUNKS


def _cut(data: bytes, at: int) -> tuple[bytes, bytes]:
    return data[:at], data[at:]
