"""Everything that is kept, opened together: databases, keys, vault."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO

from sqlalchemy import select

from appliance.errors import LingtingError, NotFound, StoreUnavailable
from appliance.files import make_private, write_new
from appliance.metrics import Metrics
from appliance.settings.keeping import StoreSettings
from appliance.store.asked import AskedQuestions
from appliance.store.calls import Calls
from appliance.store.claims import Claims
from appliance.store.database import Database
from appliance.store.gateways import Gateways
from appliance.store.inspections import Inspections
from appliance.store.jobs import Jobs
from appliance.store.keys import KeyRing, load_master
from appliance.store.knowledge import KnowledgeEntries
from appliance.store.notices import Notices
from appliance.store.orders import Orders
from appliance.store.schema import keys
from appliance.store.term_lists import TermLists
from appliance.store.vault import Vault, audio_key
from appliance.store.warnings import Warnings

MIB = 1024 * 1024
SHREDDED, SHREDDED_AT_ONCE = "shredded", 50  # a notice, and keys in it
KEEP_AUDIO = "[store] keep_audio_days says how long it is"


class Store:
    """`start` before use. A gateway owns its folder; databases on a server several may share."""

    ring: KeyRing
    calls: Calls
    orders: Orders
    asked: AskedQuestions
    inspections: Inspections
    warnings: Warnings
    vault: Vault
    gateways: Gateways

    def __init__(self, settings: StoreSettings, metrics: Metrics) -> None:
        self.settings = settings
        urls = locations(settings)
        self.database = Database(urls["main"], metrics)
        self._keys = Database(urls["keys"], metrics, "keys")
        self.notices = Notices(urls["main"])
        self.jobs = Jobs(self.database)
        self.claims = Claims(self.database)
        self.term_lists = TermLists(self.database)
        self.knowledge = KnowledgeEntries(self.database)
        self._lock: IO[bytes] | None = None

    async def start(self) -> None:
        """Raises StoreUnavailable, also if another gateway has the folder."""
        me = self.jobs.owner = await asyncio.to_thread(self._take_folder)
        settings = self.settings
        await self._keys.start()
        await self.database.start()
        new = await self._keys.read(lambda connection: connection.scalar(select(keys)) is None)
        path = settings.master_key or settings.folder / "master.key"
        master = await load_master(path, new=new)
        self.ring = KeyRing(self._keys, master, settings.cipher, self._tell_shredded)
        self.notices.on(SHREDDED, lambda fields: self.ring.forget(fields["keys"]))
        self.notices.when_missed(self.ring.forget_all)
        await self.ring.check()
        self.calls = Calls(self.database, self.ring, me)
        self.orders = Orders(self.database, self.ring)
        self.asked = AskedQuestions(self.database, self.ring)
        self.inspections = Inspections(self.database, self.ring)
        self.warnings = Warnings(self.database, self.ring)
        self.vault = Vault(settings.audio_folder or settings.folder / "audio", me)
        self.gateways = Gateways(self.database, me, version("lingting"))
        await self.notices.start(me)

    def _tell_shredded(self, names: Sequence[str]) -> None:
        for at in range(0, len(names), SHREDDED_AT_ONCE):
            self.notices.tell(SHREDDED, keys=list(names[at : at + SHREDDED_AT_ONCE]))

    def _take_folder(self) -> str:
        """Lock it for this process; returns the gateway's id, which stays in the folder."""
        folder = self.settings.folder
        try:
            make_private(folder)
            self._lock = (folder / "lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileExistsError):
                write_new(folder / "gateway", uuid.uuid4().hex.encode())
            return (folder / "gateway").read_text().strip()
        except BlockingIOError as error:
            raise StoreUnavailable(
                "open the store",
                f"another gateway uses {folder}",
                "stop it, or set [store] folder to another place",
            ) from error
        except OSError as error:
            raise StoreUnavailable("open the store", str(error), "check [store] folder") from error

    async def audio(self, call_id: str, *, whole: bool = True) -> AsyncIterator[bytes]:
        """A call's audio, opened; raises NotFound if none is kept, StoreDamaged."""
        try:
            cipher, key = await self.ring.get(audio_key(call_id))
        except NotFound as error:
            cause = "none was kept, or no longer"
            raise NotFound("read a call's audio", cause, KEEP_AUDIO) from error
        async for chunk in self.vault.read(call_id, cipher, key, whole=whole):
            yield chunk

    async def audio_length(self, call_id: str) -> int:
        """Bytes; raises NotFound if none is kept."""
        cipher, key = await self.ring.get(audio_key(call_id))
        return await asyncio.to_thread(self.vault.length, call_id, cipher, key)

    async def drop_audio(self, call_ids: Sequence[str]) -> None:
        """Shred calls' audio and leave their words."""
        if call_ids:
            await self.ring.shred([audio_key(call_id) for call_id in call_ids])
        for call_id in call_ids:
            await self.vault.delete(call_id)

    async def forget(self, call_id: str) -> None:
        """A call that has come to nothing: what there may be of its keys and its audio."""
        with contextlib.suppress(LingtingError):
            await self.ring.shred([call_id, audio_key(call_id)])
        with contextlib.suppress(OSError):
            await self.vault.delete(call_id)

    def has_room(self) -> bool:
        """Whether there is disk to spare for more than words."""
        folder = self.settings.audio_folder or self.settings.folder
        return free_bytes(folder) >= self.settings.reserve_mib * MIB

    async def close(self) -> None:
        await self.notices.close()
        await self.database.close()
        await self._keys.close()
        if self._lock:
            self._lock.close()
            self._lock = None


def free_bytes(folder: Path) -> int:
    """On the disk of `folder`, for who is not root."""
    return shutil.disk_usage(folder).free if folder.exists() else 0


def locations(settings: StoreSettings) -> dict[str, str]:
    """The URL of each database, by branch of the schema."""
    return {
        "main": settings.url or _sqlite(settings.folder, "lingting.db"),
        "keys": settings.keys_url or _sqlite(settings.folder, "keys.db"),
    }


def _sqlite(folder: Path, name: str) -> str:
    return f"sqlite:///{os.fspath(folder.resolve() / name)}"
