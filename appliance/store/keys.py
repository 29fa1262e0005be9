"""A data key for every call, kept wrapped: whoever deletes the wrapped key has deleted the call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, insert, select

from appliance.errors import NotFound, StoreDamaged, StoreUnavailable
from appliance.files import make_private, write_new
from appliance.security.ciphers import CIPHERS, Cipher, Tampered
from appliance.store.database import Database
from appliance.store.schema import keys

MASTER_BYTES = 32
NAME_BYTES = 16
REMEMBERED = 4096  # unwrapped keys in memory
LOOKED_AT = 16  # at the start: some may be damaged, not all


class KeyRing:
    """Makes, finds and shreds data keys.

    Args:
        database: its own, apart from what the keys open.
        master: the key-encryption key's source, MASTER_BYTES.
        cipher: for new calls; old ones keep theirs.
        shredded: tells the other gateways, which may remember a key.
    """

    def __init__(
        self,
        database: Database,
        master: bytes,
        cipher: str,
        shredded: Callable[[Sequence[str]], None] = lambda names: None,
    ) -> None:
        self._database, self._master, self._cipher = database, master, cipher
        self._shredded = shredded
        self._unsettled = False  # shredded keys may be in the database's log
        self._known: OrderedDict[str, tuple[Cipher, bytes]] = OrderedDict()
        self._forgotten = 0  # times

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

    @property
    def name(self) -> str:
        """What the master key is known by; says nothing of it."""
        about = b"lingting name of a master key"
        return HKDF(SHA256(), NAME_BYTES, salt=None, info=about).derive(self._master).hex()

    @property
    def shared(self) -> bool:
        """Whether other gateways may read the keys, too."""
        return self._database.shared

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
        forgotten = self._forgotten
        row = await self._database.read(lambda connection: connection.execute(wanted).first())
        if row is None:
            raise NotFound("open a call", "its key is gone: it was deleted")
        cipher = CIPHERS[row.cipher]
        try:
            key = cipher.open(self._wrapping(cipher), row.wrapped, call_id.encode())
        except Tampered as error:
            hint = "restore a backup, or delete the call"
            raise StoreDamaged("open a call", "its key is damaged", hint) from error
        if forgotten == self._forgotten:  # else it may be the one that was shredded meanwhile
            self._remember(call_id, cipher, key)
        return cipher, key

    async def get_many(self, names: Sequence[str]) -> dict[str, tuple[Cipher, bytes]]:
        """Those that open, by name; read at once."""
        unknown = [name for name in names if name not in self._known]
        forgotten = self._forgotten
        wanted = select(keys).where(keys.c.call_id.in_(unknown))
        rows = await self._database.read(lambda c: c.execute(wanted).all()) if unknown else []
        found = {name: self._known[name] for name in names if name in self._known}
        for row in rows:
            cipher = CIPHERS[row.cipher]
            with contextlib.suppress(Tampered):
                key = cipher.open(self._wrapping(cipher), row.wrapped, row.call_id.encode())
                found[row.call_id] = cipher, key
                if forgotten == self._forgotten:
                    self._remember(row.call_id, cipher, key)
        return found

    def recogniser(self, about: str) -> bytes:
        """A key to recognise things by that must not be read: the same for all gateways."""
        info = f"lingting recognise {about}".encode()
        return HKDF(SHA256(), MASTER_BYTES, salt=None, info=info).derive(self._master)

    def _remember(self, call_id: str, cipher: Cipher, key: bytes) -> None:
        self._known[call_id] = (cipher, key)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def shred(self, call_ids: Sequence[str]) -> None:
        """What these keys sealed is gone when this returns."""
        wanted = delete(keys).where(keys.c.call_id.in_(call_ids))
        try:
            await self._database.write(lambda connection: connection.execute(wanted))
        finally:  # whatever is known of it: it may be done
            self.forget(call_ids)
            self._shredded(call_ids)
            self._unsettled = True
        await self.settle()

    async def settle(self) -> None:
        """See that shredded keys are in no log of the database either; again, while one is read."""
        if self._unsettled:
            self._unsettled = not await self._database.settle()

    def forget(self, call_ids: Sequence[str]) -> None:
        """Of what is remembered."""
        self._forgotten += 1
        for call_id in call_ids:
            self._known.pop(call_id, None)

    def forget_all(self) -> None:
        """Some may have been shredded without our being told."""
        self._forgotten += 1
        self._known.clear()

    def wrap(self, plain: bytes, about: str) -> bytes:
        """Sealed for whoever has the master key."""
        cipher = CIPHERS[self._cipher]
        return cipher.seal(self._wrapping(cipher), plain, about.encode())

    def unwrap(self, sealed: bytes, about: str) -> bytes:
        """What `wrap` sealed; raises Tampered."""
        cipher = CIPHERS[self._cipher]
        return cipher.open(self._wrapping(cipher), sealed, about.encode())

    def _wrapping(self, cipher: Cipher) -> bytes:
        about = f"lingting wrapping key {cipher.name}".encode()
        return HKDF(SHA256(), cipher.key_bytes, salt=None, info=about).derive(self._master)


async def load_master(path: Path, *, new: bool) -> bytes:
    """The key in `path`; for a `new` store it is made, for its owner alone, if it is missing."""
    return await asyncio.to_thread(_load_master, path, new)


def _load_master(path: Path, new: bool) -> bytes:
    try:
        if new and not path.exists():
            make_private(path.parent)
            with contextlib.suppress(FileExistsError):  # whoever makes it first has made it
                write_new(path, os.urandom(MASTER_BYTES))
        master = path.read_bytes()
    except FileNotFoundError as error:
        cause = f"{path} is missing, and what is kept was sealed with it"
        hint = "restore it from a backup; of several gateways each has the same one"
        raise StoreUnavailable("load the master key", cause, hint) from error
    except OSError as error:
        raise StoreUnavailable("load the master key", str(error), "check [store] folder") from error
    if len(master) != MASTER_BYTES:
        raise StoreUnavailable(
            "load the master key", f"{path} holds {len(master)} bytes, not {MASTER_BYTES}"
        )
    return master
