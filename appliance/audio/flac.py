"""FLAC cut into its frames as soon as they are whole.

ffmpeg's own parser waits for ten frame headers before it lets the first frame go: 2.5 s of a
usual 16 kHz stream. Here a frame goes as soon as the next one's header is seen.
Format: RFC 9639.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_FRAME_BYTES = 4 << 20
MAX_METADATA_BYTES = 16 << 20
STREAMINFO_BYTES = 34
LARGEST_HEADER = 16
MAX_LOST_FRAMES = 1000  # a gap in the numbering that is still believed to be this stream


def _crc8_table() -> bytes:
    table = bytearray()
    for value in range(256):
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
        table.append(value)
    return bytes(table)


_CRC8 = _crc8_table()


class Framer:
    """Push bytes, get whole frames. `streaminfo` is b"" until the metadata has passed."""

    def __init__(self) -> None:
        self.streaminfo = b""
        self._data = bytearray()
        self._searched = 0  # no header begins before this offset, but for the frame at 0
        self._sync = b""
        self._last: _Header | None = None  # of the frame at the front of `_data`

    def push(self, data: bytes) -> Iterator[bytes]:
        """Yield frames; raises ValueError when this is no FLAC."""
        self._data += data
        if not self._sync and not self._begin():
            return
        while frame := self._cut():
            yield frame

    def rest(self) -> bytes:
        """What is left when the stream has ended: its last frame."""
        rest = bytes(self._data) if self._sync else b""
        self._data.clear()
        return rest

    def _begin(self) -> bool:
        at, last = 4, False
        while not last:
            if len(self._data) < at + 4:
                return False
            last, size = bool(self._data[at] & 0x80), int.from_bytes(self._data[at + 1 : at + 4])
            if self._data[at] & 0x7F == 0 and len(self._data) >= at + 4 + STREAMINFO_BYTES:
                self.streaminfo = bytes(self._data[at + 4 : at + 4 + STREAMINFO_BYTES])
            at += 4 + size
            if at > MAX_METADATA_BYTES:
                raise ValueError("its metadata are too large")
        if len(self._data) < at + LARGEST_HEADER:
            return False
        self._last = _Header.read(self._data, at)
        if not self.streaminfo or self._last is None:
            raise ValueError("no frame follows its metadata")
        del self._data[:at]
        self._sync = bytes(self._data[:2])
        self._searched = 2
        return True

    def _cut(self) -> bytes:
        """The frame at the front if the header of its successor is here, else b""."""
        while (at := self._data.find(self._sync, self._searched)) >= 0:
            if len(self._data) < at + LARGEST_HEADER:
                self._searched = at
                return b""
            header = _Header.read(self._data, at)
            if header and self._last and header.follows(self._last):
                frame = bytes(self._data[:at])
                del self._data[:at]
                self._last, self._searched = header, 2
                return frame
            self._searched = at + 1
        self._searched = max(self._searched, len(self._data) - 1)
        if len(self._data) > MAX_FRAME_BYTES:
            raise ValueError("a frame does not end")
        return b""


@dataclass(frozen=True, slots=True)
class _Header:
    number: int  # of the frame, or of its first sample where sizes vary
    samples: int
    varies: bool

    def follows(self, other: _Header) -> bool:
        step = other.samples if self.varies else 1
        return 0 < self.number - other.number <= step * MAX_LOST_FRAMES

    @staticmethod
    def read(data: bytearray, at: int) -> _Header | None:
        """The header at `at`, or None if its check sum says that none is there."""
        if data[at] != 0xFF or data[at + 1] & 0xFE != 0xF8:
            return None
        size_code, rate_code = data[at + 2] >> 4, data[at + 2] & 15
        first = data[at + 4]
        more = 0 if first < 0x80 else 8 - (first ^ 0xFF).bit_length() - 1
        if size_code == 0 or rate_code == 15 or more < 0 or more > 6 or 0x80 <= first < 0xC0:
            return None
        number = first if not more else first & (0x3F >> more)
        for byte in data[at + 5 : at + 5 + more]:
            number = number << 6 | byte & 0x3F
        end = at + 5 + more
        size_bytes = {6: 1, 7: 2}.get(size_code, 0)
        samples = _block_samples(size_code, data[end : end + size_bytes])
        end += size_bytes + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
        crc = 0
        for byte in data[at:end]:
            crc = _CRC8[crc ^ byte]
        if crc != data[end]:
            return None
        return _Header(number, samples, bool(data[at + 1] & 1))


def _block_samples(code: int, extra: bytearray) -> int:
    if extra:
        return int.from_bytes(extra) + 1
    if code == 1:
        return 192
    return 576 << (code - 2) if code < 6 else 256 << (code - 8)
