"""Uncompressed samples, cut anywhere by the network -> frames of float32."""

from __future__ import annotations

from collections.abc import AsyncIterator

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

    Args:
        data_bytes: how many bytes are samples; what follows (a WAV's last chunks) is ignored.
            None: all of them.
    """

    def __init__(
        self, coding: Coding, rate_hz: int, channels: int, data_bytes: int | None = None
    ) -> None:
        self.rate_hz, self.channels = rate_hz, channels
        self._coding = coding
        self._left = data_bytes
        self.cut_short = False  # once drained: fewer samples came than were promised
        self._part = b""  # of a frame that a chunk border cut
        self._begun = False

    async def feed(self, data: bytes) -> Frames:
        if self._begun and wav.looks_like_header(data):
            data = wav.without_header(data)  # of a client that wraps every message: no audio
        self._begun = True
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        data = self._part + data
        whole = len(data) - len(data) % (self.channels * self._coding.sample_bytes)
        self._part = data[whole:]
        return samples(self._coding, data[:whole]).reshape(-1, self.channels)

    async def drain(self) -> AsyncIterator[Frames]:
        """Nothing is held back but part of a frame, which is not a sample."""
        self.cut_short = bool(self._left)
        nothing: tuple[Frames, ...] = ()
        for frames in nothing:
            yield frames

    async def close(self) -> None:
        pass
