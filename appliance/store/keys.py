"""A data key for every call, kept wrapped: whoever deletes the wrapped key has deleted the call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, insert, select

from appliance.errors import NotFound, StoreDamaged, StoreUnavailable
from appliance.security.ciphers import CIPHERS, Cipher, Tampered
from appliance.store.database import Database
from appliance.store.schema import keys

MASTER_BYTES = 32
REMEMBERED = 4096  # unwrapped keys in memory
LOOKED_AT = 16  # at the start: some may be damaged, not all


class KeyRing:
    """Makes, finds and shreds data keys.

    Args:
        database: its own, apart from what the keys open.
        master: the key-encryption key's source, MASTER_BYTES.
        cipher: for new calls; old ones keep theirs.
    """

    def __init__(self, database: Database, master: bytes, cipher: str) -> None:
        self._database, self._master, self._cipher = database, master, cipher
        self._known: OrderedDict[str, tuple[Cipher, bytes]] = OrderedDict()

    async def make(self, call_id: str) -> tuple[Cipher, bytes]:
        """A new key, on the disk when this returns."""
        cipher, key = self.draw()
        await self.keep(call_id, cipher, key)
        return cipher, key

    def draw(self) -> tuple[Cipher, bytes]:
        """A new key, in memory alone."""
        cipher = CIPHERS[self._cipher]
        return cipher, os.urandom(cipher.key_bytes)

    async def keep(self, call_id: str, cipher: Cipher, key: bytes) -> None:
        """On the disk when this returns."""
        wrapped = cipher.seal(self._wrapping(cipher), key, call_id.encode())
        row = {
            "call_id": call_id,
            "cipher": cipher.name,
            "wrapped": wrapped,
            "created_at": time.time(),
        }
        await self._database.write(lambda connection: connection.execute(insert(keys).values(row)))
        self._remember(call_id, cipher, key)

    async def check(self) -> None:
        """Raises StoreUnavailable if no key of the newest was wrapped with this master key."""
        newest = select(keys.c.call_id).order_by(keys.c.created_at.desc()).limit(LOOKED_AT)
        found = await self._database.read(lambda connection: connection.scalars(newest).all())
        for call_id in found:
            with contextlib.suppress(StoreDamaged):
                await self.get(call_id)
                return
        if found:
            cause, hint = "no key unwraps", "is [store] master_key the one they were made by?"
            raise StoreUnavailable("open the store", cause, hint)

    async def get(self, call_id: str) -> tuple[Cipher, bytes]:
        """Raises NotFound if it was shredded, StoreDamaged if it does not unwrap."""
        if call_id in self._known:
            self._known.move_to_end(call_id)
            return self._known[call_id]
        wanted = select(keys.c.cipher, keys.c.wrapped).where(keys.c.call_id == call_id)
        row = await self._database.read(lambda connection: connection.execute(wanted).first())
        if row is None:
            raise NotFound("open a call", "its key is gone: it was deleted")
        cipher = CIPHERS[row.cipher]
        try:
            key = cipher.open(self._wrapping(cipher), row.wrapped, call_id.encode())
        except Tampered as error:
            hint = "restore a backup, or delete the call"
            raise StoreDamaged("open a call", "its key is damaged", hint) from error
        return self._remember(call_id, cipher, key)

    def _remember(self, call_id: str, cipher: Cipher, key: bytes) -> tuple[Cipher, bytes]:
        self._known[call_id] = (cipher, key)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return cipher, key

    async def shred(self, call_ids: Sequence[str]) -> None:
        """What these keys sealed is gone when this returns."""
        for call_id in call_ids:
            self._known.pop(call_id, None)
        wanted = delete(keys).where(keys.c.call_id.in_(call_ids))
        await self._database.write(lambda connection: connection.execute(wanted))

    def _wrapping(self, cipher: Cipher) -> bytes:
        about = f"lingting wrapping key {cipher.name}".encode()
        return HKDF(SHA256(), cipher.key_bytes, salt=None, info=about).derive(self._master)


async def load_master(path: Path, *, new: bool) -> bytes:
    """The key in `path`; for a `new` store it is made, for its owner alone, if it is missing."""
    return await asyncio.to_thread(_load_master, path, new)


def _load_master(path: Path, new: bool) -> bytes:
    try:
        if new and not path.exists():
            _make_master(path)
        master = path.read_bytes()
    except FileNotFoundError as error:
        cause = f"{path} is missing, and what is kept was sealed with it"
        raise StoreUnavailable("load the master key", cause, "restore it from a backup") from error
    except OSError as error:
        raise StoreUnavailable("load the master key", str(error), "check [store] folder") from error
    if len(master) != MASTER_BYTES:
        raise StoreUnavailable(
            "load the master key", f"{path} holds {len(master)} bytes, not {MASTER_BYTES}"
        )
    return master


def _make_master(path: Path) -> None:
    """All of it or nothing, whenever the power goes; whoever makes it first has made it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(os.urandom(MASTER_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Its entries are on the disk when this returns."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
