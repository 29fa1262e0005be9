"""What the decoding child says to its parent: messages of `HEAD` (kind, length) and a body."""

from __future__ import annotations

import struct

HEAD = struct.Struct("<cI")
FORMAT = struct.Struct("<II16s")  # rate in Hz, channels, codec name
HUNGRY = struct.Struct("<Q")  # bytes of input read
PROMISED = struct.Struct("<d")  # s

SCRATCH_KEY = "SCRATCH_KEY"  # in the child's environment: its input is a scratch file; in hex

KIND_FORMAT = b"F"  # FORMAT: once, before any samples
KIND_SAMPLES = b"S"  # s16le, interleaved, at the source's rate
KIND_HUNGRY = b"H"  # HUNGRY: all that follows from the input so far has been written
KIND_PROMISED = b"P"  # PROMISED: the length by its header, before any samples
KIND_ERROR = b"E"  # why decoding failed, UTF-8
