"""WAV headers as the world writes them: streamed, padded, lying about their length."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from appliance.errors import InvalidAudio
from appliance.messages import AudioFormat, Encoding

MAX_HEADER_BYTES = 1 << 20  # pictures and notes may stand before the samples
MOST_BYTES = 0xFFFFFFFF - 64  # that a header can tell of
UNTIL_THE_END = (0, 0xFFFFFFFF)  # data sizes of those who write a WAV without seeking
FORMAT_PCM, FORMAT_FLOAT, FORMAT_ALAW, FORMAT_MULAW, FORMAT_EXTENSIBLE = 1, 3, 6, 7, 0xFFFE


class Coding(StrEnum):
    """How one uncompressed sample is written."""

    U8 = "u8"
    S16 = "s16le"
    S24 = "s24le"
    S32 = "s32le"
    F32 = "f32le"
    F64 = "f64le"
    ALAW = "alaw"
    MULAW = "mulaw"

    @property
    def sample_bytes(self) -> int:
        return _SAMPLE_BYTES[self]


_SAMPLE_BYTES = {
    Coding.U8: 1, Coding.S16: 2, Coding.S24: 3, Coding.S32: 4,
    Coding.F32: 4, Coding.F64: 8, Coding.ALAW: 1, Coding.MULAW: 1,
}  # fmt: skip
_CODINGS = {
    (FORMAT_PCM, 8): Coding.U8, (FORMAT_PCM, 16): Coding.S16,
    (FORMAT_PCM, 24): Coding.S24, (FORMAT_PCM, 32): Coding.S32,
    (FORMAT_FLOAT, 32): Coding.F32, (FORMAT_FLOAT, 64): Coding.F64,
    (FORMAT_ALAW, 8): Coding.ALAW, (FORMAT_MULAW, 8): Coding.MULAW,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a header says.

    Attributes:
        coding: None for a compressed one (GSM, ADPCM ...).
        data_at: offset of the first sample, bytes.
        data_bytes: length of the samples; None: until the end.
    """

    coding: Coding | None
    format_tag: int
    rate_hz: int
    channels: int
    data_at: int
    data_bytes: int | None


def looks_like_header(data: bytes) -> bool:
    return data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE"


def parse_header(head: bytes | bytearray) -> WavHeader | None:
    """Read the chunks up to the samples; None while more bytes are needed.

    Raises:
        InvalidAudio: it can never become a WAV we take.
    """
    at, form, long_data = 12, None, None
    while len(head) >= at + 8:
        name, size = bytes(head[at : at + 4]), int.from_bytes(head[at + 4 : at + 8], "little")
        body = at + 8
        if name == b"data":
            return _header(form, body, size, long_data)
        if len(head) < body + min(size, 40):
            break
        if name == b"fmt ":
            form = bytes(head[body : body + min(size, 40)])
        elif name == b"ds64" and size >= 16:  # RF64 keeps sizes over 4 GiB here
            long_data = int.from_bytes(head[body + 8 : body + 16], "little")
        at = body + size + size % 2
        if at > MAX_HEADER_BYTES:
            raise _bad(f"no samples within the first {MAX_HEADER_BYTES} bytes")
    return None


def without_header(data: bytes) -> bytes:
    """The samples of a message that begins with a whole header; nothing if it is not whole."""
    header = parse_header(data)
    return data[header.data_at :] if header else b""


def _header(form: bytes | None, data_at: int, size: int, long_data: int | None) -> WavHeader:
    if form is None or len(form) < 16:
        raise _bad("no format chunk before the samples")
    tag, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", form)
    if tag == FORMAT_EXTENSIBLE:
        if len(form) < 26:
            raise _bad("the extensible format chunk is cut off")
        tag = int.from_bytes(form[24:26], "little")
    coding = _CODINGS.get((tag, bits))
    if coding is None and tag in (FORMAT_PCM, FORMAT_FLOAT, FORMAT_ALAW, FORMAT_MULAW):
        raise _bad(f"{bits}-bit samples of format {tag} are not known")
    if coding and channels and frame_bytes != channels * coding.sample_bytes:
        raise _bad(f"{frame_bytes} bytes per frame contradict {channels} x {bits} bit")
    if long_data is not None and size == 0xFFFFFFFF:
        size = long_data
    return WavHeader(
        coding, tag, rate_hz, channels, data_at, None if size in UNTIL_THE_END else size
    )


def header(audio: AudioFormat, size: int) -> bytes:
    """Before `size` bytes of headerless audio; empty if that is none a header can tell of."""
    kinds = {Encoding.PCM_S16LE: (1, 2), Encoding.ALAW: (6, 1), Encoding.MULAW: (7, 1)}
    if audio.encoding not in kinds or not audio.rate_hz or not audio.channels:
        return b""
    tag, width = kinds[audio.encoding]
    frame = width * audio.channels
    rate = audio.rate_hz
    form = struct.pack("<HHIIHHH", tag, audio.channels, rate, rate * frame, frame, 8 * width, 0)
    size = min(size, MOST_BYTES)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(chunks) + size + size % 2) + chunks


def _bad(cause: str) -> InvalidAudio:
    return InvalidAudio("decode WAV header", cause, "export the file again as plain 16-bit PCM WAV")
