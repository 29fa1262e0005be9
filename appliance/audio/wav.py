"""WAV headers as the world writes them: streamed, padded, lying about their length."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from appliance.errors import InvalidAudio
from appliance.messages import AudioFormat, Encoding

LEAST_BYTES = 12  # by which a header is known
MAX_HEADER_BYTES = 1 << 20  # pictures and notes may stand before the samples
MOST_BYTES = 0xFFFFFFFF - 64  # that a header can tell of
# Sizes of those who write a WAV without seeking: none, or about as much as 31 or 32 bits can say.
NEARLY_ALL = 1 << 16
# Chunks that may stand behind the samples; what else comes there is sound.
KNOWN_CHUNKS = frozenset(
    b"LIST id3  ID3  bext iXML cue  fact smpl inst plst PEAK JUNK junk PAD  afsp _PMX axml chna "
    b"FLLR acid DISP CSET note labl ltxt umid minf elm1 regn Cr8r cart levl wavl slnt strc".split()
)
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


class HeaderReader:
    """Reads a header as it grows; each chunk is looked at once, however small the pieces."""

    def __init__(self) -> None:
        self._at = 12
        self._form: bytes | None = None
        self._long_data: int | None = None

    def read(self, head: bytes | bytearray) -> WavHeader | None:
        """The chunks up to the samples; None while more bytes are needed.

        Args:
            head: all that has come so far.

        Raises:
            InvalidAudio: it can never become a WAV we take.
        """
        while len(head) >= self._at + 8:
            at, body = self._at, self._at + 8
            name, size = bytes(head[at : at + 4]), int.from_bytes(head[at + 4 : body], "little")
            if name == b"data":
                return _header(self._form, body, size, self._long_data)
            if len(head) < body + min(size, 40):
                break
            if name == b"fmt ":
                self._form = bytes(head[body : body + min(size, 40)])
            elif name == b"ds64" and size >= 16:  # RF64 keeps sizes over 4 GiB here
                self._long_data = int.from_bytes(head[body + 8 : body + 16], "little")
            self._at = body + size + size % 2
            if self._at > MAX_HEADER_BYTES:
                raise _bad(f"no samples within the first {MAX_HEADER_BYTES} bytes")
        return None


def parse_header(head: bytes | bytearray) -> WavHeader | None:
    """The header at the beginning of `head`; None if it is not whole. Raises InvalidAudio."""
    return HeaderReader().read(head)


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
    return WavHeader(coding, tag, rate_hz, channels, data_at, None if _is_no_size(size) else size)


def _is_no_size(size: int) -> bool:
    """Whether it is what those write who do not know it yet."""
    return size == 0 or size > 0xFFFFFFFF - NEARLY_ALL or abs(size - (1 << 31)) < NEARLY_ALL


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
