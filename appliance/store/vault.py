"""Audio of calls, sealed chunk by chunk under each call's key.

A file is frames: a 4-byte length and that many sealed bytes. Each chunk is bound to its call, its
place and whether it is the last, so that none can be moved, left out or cut off unseen. A file
without a last chunk is of a live call that broke off, or damaged.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import threading
import uuid
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from appliance.errors import NotFound, StoreDamaged, StoreUnavailable
from appliance.files import make_private, sync_folder, write_new
from appliance.security.ciphers import NONCE_BYTES, TAG_BYTES, Cipher, Tampered

CHUNK_BYTES = 256 * 1024
HEAD = struct.Struct("!I")
KEPT, ARRIVING = ".audio", ".arriving"  # suffixes; the second before a gateway's id
MARK = "of"  # the file that names a vault's folder
LONGEST = CHUNK_BYTES + NONCE_BYTES + TAG_BYTES


def audio_key(call_id: str) -> str:
    """The key of a call's audio, which may go before its words do."""
    return f"{call_id}:audio"


def _about(call_id: str, number: int, last: bool) -> bytes:
    return f"{call_id}:{number}:{int(last)}".encode()


class Writer:
    """Seals what is written; `finish` makes it whole, `flush` durable as far as it came."""

    def __init__(
        self, path: Path, call_id: str, cipher: Cipher, key: bytes, arriving: Path | None = None
    ) -> None:
        """`arriving`: where it is written until it is whole."""
        self._path, self._call_id, self._cipher, self._key = path, call_id, cipher, key
        self._written = arriving or path
        self._file: BinaryIO | None = None
        self._waiting = bytearray()
        self._number = 0
        # A call that is cancelled may still be flushing in a thread when it is ended in another.
        self._lock = threading.Lock()
        self.bytes_taken = 0

    async def write(self, data: bytes) -> None:
        """Take `data`; raises StoreUnavailable when the disk does not."""
        with self._lock:
            self._waiting += data
        self.bytes_taken += len(data)
        if len(self._waiting) > CHUNK_BYTES:
            await asyncio.to_thread(self._write_whole)

    async def flush(self) -> None:
        """All that was written is on the disk when this returns."""
        await asyncio.to_thread(self._flush)

    async def finish(self) -> None:
        await asyncio.to_thread(self._finish)

    def close(self) -> None:
        """Without `finish` the file stays as one that broke off."""
        if self._file:
            self._file.close()
            self._file = None

    def _write_whole(self) -> None:
        with self._lock:
            self._seal_whole()

    def _seal_whole(self) -> None:
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]

    def _flush(self) -> None:
        with self._lock:
            if self._waiting:
                self._seal(bytes(self._waiting), last=False)
                self._waiting.clear()
            self._sync()

    def _finish(self) -> None:
        with self._lock:
            self._seal_whole()
            self._seal(bytes(self._waiting), last=True)
            self._waiting.clear()
            self._sync()
            self.close()
            if self._written != self._path:
                with _disk("keep audio"):
                    self._written.rename(self._path)
                    sync_folder(self._path.parent)

    def _seal(self, plain: bytes, *, last: bool) -> None:
        sealed = self._cipher.seal(self._key, plain, _about(self._call_id, self._number, last))
        with _disk("keep audio"):
            if self._file is None:
                self._make_folder()
                self._file = self._written.open("xb", buffering=0)
            frame = memoryview(HEAD.pack(len(sealed)) + sealed)
            while frame:
                frame = frame[self._file.write(frame) :]
        self._number += 1

    def _sync(self) -> None:
        with _disk("keep audio"):
            if self._file:
                os.fsync(self._file.fileno())
            sync_folder(self._path.parent)

    def _make_folder(self) -> None:
        folder = self._path.parent
        if not folder.is_dir():
            make_private(folder)
            sync_folder(folder.parent)


class Vault:
    """One file per call.

    Args:
        folder: one for all gateways that share a database.
        gateway: the id of this one.
    """

    def __init__(self, folder: Path, gateway: str) -> None:
        self._folder, self._gateway = folder, gateway

    def mark(self) -> str:
        """What names the folder, for whoever finds it under another path; written once."""
        make_private(self._folder)
        path = self._folder / MARK
        with contextlib.suppress(FileExistsError):
            write_new(path, uuid.uuid4().hex.encode())
        return path.read_text().strip()

    def path(self, call_id: str) -> Path:
        return self._folder / call_id[-2:] / f"{call_id}{KEPT}"

    def _arriving(self, call_id: str, gateway: str) -> Path:
        return self.path(call_id).with_suffix(f"{ARRIVING}-{gateway}")

    def writer(self, call_id: str, cipher: Cipher, key: bytes, *, arriving: bool = False) -> Writer:
        """`arriving`: what breaks off before it is whole never was; see `broken_off`."""
        at_first = self._arriving(call_id, self._gateway) if arriving else None
        return Writer(self.path(call_id), call_id, cipher, key, at_first)

    async def read(
        self, call_id: str, cipher: Cipher, key: bytes, *, whole: bool
    ) -> AsyncIterator[bytes]:
        """The audio; unless it has to be `whole`, as far as it goes.

        Raises:
            NotFound: none was kept.
            StoreDamaged: a chunk was altered, or the end is missing.
        """
        file = await asyncio.to_thread(_open, self.path(call_id))
        number, ended = 0, False
        try:
            while not ended and (sealed := await asyncio.to_thread(_frame, file)):
                plain, ended = _unsealed(sealed, call_id, number, cipher, key)
                number += 1
                if plain:
                    yield plain
            if whole and not ended:
                raise StoreDamaged("read a call's audio", f"it breaks off after chunk {number}")
        finally:
            file.close()

    def length(self, call_id: str, cipher: Cipher, key: bytes) -> int:
        """Bytes of audio, reckoned from the frames' sizes; raises NotFound."""
        overhead, total = len(cipher.seal(key, b"", b"")), 0
        with _open(self.path(call_id)) as file:
            size = os.fstat(file.fileno()).st_size
            while len(head := file.read(HEAD.size)) == HEAD.size:
                (sealed,) = HEAD.unpack(head)
                if file.seek(sealed, os.SEEK_CUR) > size:  # a crash cut it short
                    break
                total += max(0, sealed - overhead)
        return total

    def size(self, call_id: str) -> int:
        """Of the sealed file, bytes; raises NotFound."""
        try:
            return self.path(call_id).stat().st_size
        except FileNotFoundError as error:
            raise NotFound("read a call's audio", "none is kept") from error

    def older_than(self, moment: float) -> list[str]:
        """Calls whose audio was last written before `moment`, s since 1970."""
        found = []
        for path in self._folder.glob(f"*/*{KEPT}"):
            with contextlib.suppress(FileNotFoundError):  # another gateway has just deleted it
                if path.stat().st_mtime < moment:
                    found.append(path.stem)
        return found

    def broken_off(self, living: Collection[str]) -> list[str]:
        """Calls that were arriving when their gateway stopped: all but those of the `living`."""
        return [path.stem for path in self._broken_off(living)]

    def _broken_off(self, living: Collection[str]) -> list[Path]:
        def gateway(path: Path) -> str:
            return path.suffix.removeprefix(ARRIVING).removeprefix("-")

        found = self._folder.glob(f"*/*{ARRIVING}*")
        return [path for path in found if gateway(path) not in living]

    def remove_broken_off(self, living: Collection[str]) -> None:
        """Only these files: a recording that was accepted meanwhile is another. They have no key on
        the disk."""
        for path in self._broken_off(living):
            path.unlink(missing_ok=True)

    async def delete(self, call_id: str) -> None:
        """Safe to call twice."""
        await asyncio.to_thread(self._delete, self.path(call_id))

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for arriving in path.parent.glob(f"{path.stem}{ARRIVING}*"):
            arriving.unlink(missing_ok=True)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFound("read a call's audio", "none is kept") from error


def _frame(file: BinaryIO) -> bytes:
    """The next frame's body; b"" at the end, or where a crash cut a frame short."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return b""
    (length,) = HEAD.unpack(head)
    body = file.read(length) if length <= LONGEST else b""
    return body if len(body) == length else b""


def _unsealed(
    sealed: bytes, call_id: str, number: int, cipher: Cipher, key: bytes
) -> tuple[bytes, bool]:
    for last in (False, True):
        with contextlib.suppress(Tampered):
            return cipher.open(key, sealed, _about(call_id, number, last)), last
    raise StoreDamaged("read a call's audio", f"chunk {number} was altered")


@contextlib.contextmanager
def _disk(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(doing, error.strerror or str(error), "is the disk full?") from error
