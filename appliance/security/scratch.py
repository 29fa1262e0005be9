"""A file without a name for what is on its way through, unreadable on the disk."""

from __future__ import annotations

import os
import tempfile

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

KEY_BYTES, COUNTER_BYTES = 32, 16


class Scratch:
    """Written once from start to end, then read from the start, as often as wanted.

    Its key is never written anywhere: what a crash leaves on the disk nobody can read. AES-256-CTR,
    for the file is its writer's alone, and nobody acts on what it holds before it is in the vault.
    """

    def __init__(self) -> None:
        self._key = os.urandom(KEY_BYTES)
        self._file = tempfile.TemporaryFile(prefix="lingting-", buffering=0)  # noqa: SIM115
        self._sealing = self._stream()
        self._opening: CipherContext | None = None

    def write(self, data: bytes) -> int:
        """Raises OSError when the disk is full, ValueError once it has been read."""
        if self._opening:
            raise ValueError("a scratch file is written before it is read")
        left = memoryview(self._sealing.update(data))
        while left:
            left = left[self._file.write(left) :]
        return len(data)

    def seek(self, offset: int) -> int:
        """To the start, and nowhere else."""
        if offset:
            raise ValueError("a scratch file is read from its start")
        self._opening = self._stream()
        return self._file.seek(0)

    def read(self, size: int = -1) -> bytes:
        if self._opening is None:
            self.seek(0)
        assert self._opening
        return self._opening.update(self._file.read(size))

    def close(self) -> None:
        self._file.close()

    def _stream(self) -> CipherContext:
        """The key is this file's alone, and so the counter may start at nought."""
        return Cipher(AES(self._key), CTR(bytes(COUNTER_BYTES))).encryptor()
