"""A file sealed under a passphrase, in chunks: what is read was written, in that order, to its end.

Magic, salt, then chunks: length, nonce, ciphertext, tag (AES-256-GCM; the key by scrypt). Each
chunk is bound to its number and to whether it is the last.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from appliance.security.ciphers import Aes256Gcm, Tampered

MAGIC = b"lingting-sealed-1\n"
SALT_BYTES = 16
CHUNK_BYTES = 1 << 20
LONGEST_CHUNK = CHUNK_BYTES + 64
HEAD = struct.Struct("<I?")  # bytes that follow, whether it is the last
SCRYPT_COST = 1 << 15  # 32 MiB, some 0.1 s


class SealedWriter:
    """Write to it like a file; `close` writes the end, without which it does not open."""

    def __init__(self, file: IO[bytes], passphrase: bytes) -> None:
        self._file, self._cipher, self._number = file, Aes256Gcm(), 0
        salt = os.urandom(SALT_BYTES)
        self._key = _key(passphrase, salt)
        self._gathered = bytearray()
        file.write(MAGIC + salt)

    def write(self, data: bytes) -> int:
        self._gathered += data
        while len(self._gathered) >= CHUNK_BYTES:
            self._seal(bytes(self._gathered[:CHUNK_BYTES]), last=False)
            del self._gathered[:CHUNK_BYTES]
        return len(data)

    def close(self) -> None:
        self._seal(bytes(self._gathered), last=True)
        self._gathered.clear()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        sealed = self._cipher.seal(self._key, plain, _about(self._number, last))
        self._file.write(HEAD.pack(len(sealed), last) + sealed)
        self._number += 1


class SealedReader:
    """Read from it like a file, from start to end; raises Tampered."""

    def __init__(self, file: IO[bytes], passphrase: bytes) -> None:
        head = file.read(len(MAGIC) + SALT_BYTES)
        if not head.startswith(MAGIC) or len(head) != len(MAGIC) + SALT_BYTES:
            raise Tampered("it is not a sealed file")
        self._chunks = _chunks(file, _key(passphrase, head[len(MAGIC) :]))
        self._left = b""

    def read(self, size: int = -1) -> bytes:
        parts, wanted = [], size
        while wanted != 0:
            if not self._left:
                self._left = next(self._chunks, b"")
                if not self._left:
                    break
            part = self._left if wanted < 0 else self._left[:wanted]
            self._left = self._left[len(part) :]
            parts.append(part)
            wanted -= len(part) if wanted > 0 else 0
        return b"".join(parts)


def _chunks(file: IO[bytes], key: bytes) -> Iterator[bytes]:
    number, last, cipher = 0, False, Aes256Gcm()
    while not last:
        head = file.read(HEAD.size)
        if len(head) < HEAD.size:
            raise Tampered("it ends too early")
        length, last = HEAD.unpack(head)
        if length > LONGEST_CHUNK:
            raise Tampered("a chunk is too long")
        yield cipher.open(key, file.read(length), _about(number, last))
        number += 1


def _about(number: int, last: bool) -> bytes:
    return f"{number} {last}".encode()


def _key(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt, Aes256Gcm.key_bytes, SCRYPT_COST, 8, 1).derive(passphrase)
