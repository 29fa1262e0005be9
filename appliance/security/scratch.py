"""A file without a name for what is on its way through, unreadable on the disk."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from appliance.errors import Overloaded

KEY_BYTES, BLOCK_BYTES = 32, 16


class Scratch:
    """Written once from start to end, then read, anywhere.

    Its key is never written anywhere: what a crash leaves on the disk nobody can read. AES-256-CTR,
    for the file is its writer's alone, and nobody acts on what it holds before it is in the vault.
    """

    def __init__(self) -> None:
        """Raises Overloaded when the disk is full."""
        self.key = os.urandom(KEY_BYTES)
        with _disk():
            self.file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._sealing = _stream(self.key, 0)
        self._reader: Reader | None = None

    def write(self, data: bytes) -> int:
        """Raises Overloaded when the disk is full; then what came before can still be read.
        Raises ValueError once it has been read.
        """
        if self._reader:
            raise ValueError("a scratch file is written before it is read")
        left = memoryview(self._sealing.update(data))
        with _disk():
            while left:
                left = left[self.file.write(left) :]
        return len(data)

    def seek(self, offset: int) -> int:
        self._reader = self._reader or Reader(self.file, self.key)
        return self._reader.seek(offset)

    def read(self, size: int = -1) -> bytes:
        self._reader = self._reader or Reader(self.file, self.key)
        return self._reader.read(size)

    def close(self) -> None:
        self.file.close()


class Reader:
    """A scratch file as who has its key reads it, from its start."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        self._file, self._key = file, key
        self.seek(0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = self._file.seek(offset, whence)
        self._opening = _stream(self._key, at)
        return at

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        return self._opening.update(self._file.read(size))


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = f"{tempfile.gettempdir()}: {error.strerror or error}"
        raise Overloaded(
            "hold what comes in", cause, "free space there", retry_after_s=60
        ) from error


def _stream(key: bytes, at: int) -> CipherContext:
    """From byte `at` on. The key is one file's alone, and so the counter may start at nought."""
    block, inside = divmod(at, BLOCK_BYTES)
    stream = Cipher(AES(key), CTR(block.to_bytes(BLOCK_BYTES, "big"))).encryptor()
    stream.update(bytes(inside))
    return stream
