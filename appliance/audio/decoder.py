"""Bytes of one call -> 16 kHz float32 per leg."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import numpy as np

from appliance.audio import wav
from appliance.audio.compressed import CompressedSource, Reserve
from appliance.audio.pcm import Frames, PcmSource
from appliance.audio.resample import Resampler, resampler
from appliance.audio.sniff import HEAD_BYTES, STREAMED, ContainerKind, is_raw_gsm, sniff
from appliance.audio.wav import Coding
from appliance.errors import InvalidAudio, InvalidRequest, TooLarge, Unsupported
from appliance.messages import AudioFormat, Encoding
from inference.tensors import Audio

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 8_000, 96_000
SNIFFED_BYTES = 4096  # of the head, to tell what it is
INLINE_FRAMES = 32_000  # more are resampled beside the event loop
BARE = {
    Encoding.PCM_S16LE: Coding.S16,
    Encoding.ALAW: Coding.ALAW,
    Encoding.MULAW: Coding.MULAW,
}
INTEGERS = (Coding.U8, Coding.S16, Coding.S24, Coding.S32)  # all called linear PCM
_HEADER = "read audio header"


class Source(Protocol):
    """Bytes -> frames at the source's rate. `rate_hz` and `channels` are 0 until known."""

    rate_hz: int
    channels: int

    @property
    def cut_short(self) -> bool: ...
    async def feed(self, data: bytes) -> Frames: ...
    def drain(self) -> AsyncIterator[Frames]: ...
    async def close(self) -> None: ...


class AudioDecoder:
    """Decodes what a caller sends, whatever it is and however it is cut.

    Feed it pieces of at most about 1 MiB and `close` it in the end, whatever happened: a child
    process may hang on it. Errors of every method are InvalidAudio, InvalidRequest, Unsupported
    or TooLarge, and end the decoding.

    Args:
        fmt: what the caller says; a header that contradicts it is an error.
        live: admit only what can be decoded while it arrives, and answer without delay.
        max_duration_s: decoded length above which TooLarge is raised.

    Attributes:
        legs: channels; 0 until known.
        rate_hz: of the source; 0 until known.
    """

    def __init__(
        self,
        fmt: AudioFormat,
        *,
        live: bool,
        max_duration_s: float,
        max_legs: int = 2,
        reserve: Reserve = contextlib.nullcontext,
    ) -> None:
        """`reserve` a place for a process, if it takes one; raises Overloaded."""
        if fmt.rate_hz or fmt.encoding in BARE:
            _check_rate(fmt.rate_hz, "read audio configuration")
        if fmt.channels:
            _check_channels(fmt.channels, max_legs, "read audio configuration")
        if live and fmt.encoding is Encoding.CONTAINER:
            raise _only_recorded("this encoding")
        self.legs = 0
        self.rate_hz = 0
        self._fmt, self._live = fmt, live
        self._max_duration_s, self._max_legs = max_duration_s, max_legs
        self._reserve = reserve
        self._head = bytearray()
        self._wav = wav.HeaderReader()
        self._source: Source | None = None
        self._resampler: Resampler | None = None
        self._frames = 0  # decoded so far

    async def feed(self, data: bytes) -> list[Audio]:
        """One new array [n] per leg, all of one length; [] while the header is incomplete."""
        if self._source is None:
            self._head += data
            self._source = self._identify(last=False)
            if self._source is None:
                return []
            data = self._after_header()
        return await self._accept(await self._source.feed(data))

    async def drain(self) -> AsyncIterator[list[Audio]]:
        """The tail in pieces of some seconds to minutes; of an M4A file that is all of it.

        Raises "empty audio" if no sample ever came.
        """
        if self._source is None:
            self._source = self._identify(last=True)
            if self._source is None:
                raise self._nothing()
            yield await self._accept(await self._source.feed(self._after_header()))
        async for frames in self._source.drain():
            yield await self._accept(frames)
        if not self._frames or self._resampler is None:
            raise _empty()
        yield _legs(self._resampler.flush())

    @property
    def cut_short(self) -> bool:
        """Whether a header promised more than came; known once drained."""
        return bool(self._source and self._source.cut_short)

    async def close(self) -> None:
        if self._source:
            await self._source.close()

    async def _accept(self, frames: Frames) -> list[Audio]:
        if self._source is None or not self._source.rate_hz:
            return []
        if self._resampler is None:
            self._resampler = self._settle(self._source)
        self._frames += len(frames)
        if self._frames > self._max_duration_s * self.rate_hz:
            raise TooLarge(
                "decode audio",
                f"it is longer than {self._max_duration_s:g} s",
                "split it, or ask the operator to raise limits.recording_hours",
            )
        if len(frames) > INLINE_FRAMES:
            return _legs(await asyncio.to_thread(self._resampler.feed, frames))
        return _legs(self._resampler.feed(frames))

    def _settle(self, source: Source) -> Resampler:
        """Check what the source has turned out to be."""
        _check_channels(source.channels, self._max_legs, _HEADER)
        _check_rate(source.rate_hz, _HEADER)
        codec = source.codec if isinstance(source, CompressedSource) else ""
        said_rate = 0 if codec == "opus" else self._fmt.rate_hz  # Opus always decodes to 48 kHz
        if (
            said_rate not in (0, source.rate_hz)
            or self._fmt.channels not in (0, source.channels)
            or (self._fmt.encoding is Encoding.OGG_OPUS and codec not in ("opus", "libopus"))
        ):
            raise _contradiction()
        self.rate_hz, self.legs = source.rate_hz, source.channels
        return resampler(source.rate_hz, source.channels)

    def _identify(self, *, last: bool) -> Source | None:
        """Open the source that the head calls for; None while the head is too short to tell."""
        if not self._head or (len(self._head) < HEAD_BYTES and not last):
            return None
        fmt = self._fmt
        bare = fmt.encoding in BARE or (fmt.encoding is Encoding.AUTO and fmt.rate_hz > 0)
        kind = sniff(bytes(self._head[:SNIFFED_BYTES]), sure=bare)
        if kind and bare and self._live and kind not in STREAMED:
            kind = None  # samples that look like a file which would be refused
        if not _agrees(fmt.encoding, kind):
            raise _contradiction()
        if kind is ContainerKind.WAV:
            return self._open_wav()
        if kind:
            return self._open_compressed(kind)
        if not bare and is_raw_gsm(bytes(self._head[:SNIFFED_BYTES])):
            raise InvalidAudio(
                _HEADER,
                "it looks like raw GSM 06.10, which has no header",
                "wrap it: sox call.gsm call.wav, or ffmpeg -f gsm -i call.gsm call.wav",
            )
        if not bare:
            raise InvalidAudio(
                _HEADER,
                "no known audio header, and no sample rate is given",
                "send a file with a header (WAV, FLAC, Ogg, MP3, AAC, M4A, AMR, WebM, AIFF, AU, "
                "CAF, W64, WMA), or give its encoding and sample rate",
            )
        return PcmSource(BARE.get(fmt.encoding, Coding.S16), fmt.rate_hz, fmt.channels or 1)

    def _open_wav(self) -> Source | None:
        header = self._wav.read(self._head)
        if header is None:
            return None
        if header.coding is None:
            return self._open_compressed(ContainerKind.WAV)
        _check_channels(header.channels, self._max_legs, _HEADER)
        said = BARE.get(self._fmt.encoding)
        if (
            said
            and said != header.coding
            and not (said is Coding.S16 and header.coding in INTEGERS)
        ):
            raise _contradiction()
        del self._head[: header.data_at]
        return PcmSource(
            header.coding, header.rate_hz, header.channels, header.data_bytes, live=self._live
        )

    def _open_compressed(self, kind: ContainerKind) -> Source:
        if self._live and (kind not in STREAMED or kind is ContainerKind.WAV):
            raise _only_recorded("compressed WAV" if kind is ContainerKind.WAV else kind.name)
        return CompressedSource(
            kind, live=self._live, max_duration_s=self._max_duration_s, reserve=self._reserve
        )

    def _after_header(self) -> bytes:
        data = bytes(self._head)
        self._head.clear()
        return data

    def _nothing(self) -> InvalidAudio:
        if not self._head:
            return _empty()
        return InvalidAudio(
            _HEADER, "the audio ends before its header does", "the file is cut off: send all of it"
        )


def _agrees(said: Encoding, kind: ContainerKind | None) -> bool:
    match said:
        case Encoding.AUTO:
            return True
        case Encoding.CONTAINER:
            return kind is not None
        case Encoding.WAV:
            return kind is ContainerKind.WAV
        case Encoding.FLAC:
            return kind is ContainerKind.FLAC
        case Encoding.OGG_OPUS:
            return kind is ContainerKind.OGG
        case _:
            return kind in (None, ContainerKind.WAV)


def _legs(frames: Frames) -> list[Audio]:
    return list(np.ascontiguousarray(frames.T))


def _check_rate(rate_hz: int, doing: str) -> None:
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise InvalidRequest(
            doing,
            f"sample_rate_hertz must be between {LOWEST_RATE_HZ} and {HIGHEST_RATE_HZ}",
            f"it is {rate_hz}" if rate_hz else "give it: a telephone's is 8000",
            param="sample_rate_hertz",
        )


def _check_channels(channels: int, most: int, doing: str) -> None:
    if not 1 <= channels <= most:
        raise InvalidAudio(
            doing,
            f"{channels} channels, where 1 to {most} are taken",
            "send one channel per speaker",
        )


def _contradiction() -> InvalidAudio:
    return InvalidAudio(
        _HEADER,
        "Error: config format doesn't match with header format",
        "leave encoding, rate and channels out where the audio has a header",
    )


def _only_recorded(what: str) -> Unsupported:
    return Unsupported(
        "open a live call",
        f"{what} cannot be decoded while it arrives",
        "send PCM, A-law, mu-law, WAV, FLAC or Ogg; or send it as a recording",
    )


def _empty() -> InvalidAudio:
    return InvalidAudio("decode audio", "empty audio", "check that the recording holds sound")
