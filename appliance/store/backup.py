"""Backups of all that is kept, while the box serves; and whether one can be read again.

A backup is one sealed tar: databases, audio, audit log, configuration, keys. Whoever has its
passphrase has every call in it, and nobody else has any.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from sqlalchemy import select

from appliance.errors import LingtingError, NotFound, StoreDamaged, StoreUnavailable
from appliance.files import drafting
from appliance.metrics import Metrics
from appliance.security.ciphers import Tampered
from appliance.security.sealed_file import SealedReader, SealedWriter
from appliance.security.untar import untar
from appliance.settings.keeping import StoreSettings
from appliance.store.schema import calls
from appliance.store.store import Store

MANIFEST, MASTER = "manifest.json", "credentials/master-key"
COPIES = ".lingting-backup-"  # of the databases, while a backup is made
DATABASES = ("lingting.db", "keys.db")  # in this order: a call's key is made before its row
FORMAT = 1
BACKUPS, RESTORE_TESTS = "backups.jsonl", "restore-tests.jsonl"  # records, beside the store
Tell = Callable[[int], None]  # bytes so far


@dataclass(frozen=True, slots=True)
class BackupManifest:
    format: int
    version: str
    made_at: float  # s since 1970
    bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a backup was found to hold."""

    calls: int
    readable: int
    audio: int


def create(
    settings: StoreSettings,
    folders: Mapping[str, Path],
    target: Path,
    passphrase: bytes,
    version: str,
    tell: Tell = lambda so_far: None,
) -> BackupManifest:
    """Write `target`, whole or not at all; the box may run.

    Args:
        folders: more to take along, by their name in the backup.

    Raises:
        StoreUnavailable: a database is a server's, or something could not be read or written.
    """
    if settings.url or settings.keys_url:
        hint = "back up the server's databases by its own means (pg_dump), and the rest from here"
        raise StoreUnavailable("make a backup", "the databases are a server's", hint)
    try:
        _remove_leftovers(target.parent)
        prefix = f"{COPIES}{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as folder:
            copies = _copy_databases(settings.folder, Path(folder))
            everything = {
                **copies,
                **_files("audio", settings.audio_folder or settings.folder / "audio"),
            }
            for name, place in folders.items():
                everything |= _files(name, place)
            size = sum(_size(path) for path in everything.values())
            manifest = BackupManifest(FORMAT, version, time.time(), size)
            with drafting(target) as file:
                _write(file, passphrase, manifest, everything, tell)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable("make a backup", str(error), "is there room for it?") from error
    return manifest


def _remove_leftovers(folder: Path) -> None:
    """Copies of a backup that was killed."""
    for left in folder.glob(f"{COPIES}*"):
        pid = left.name.removeprefix(COPIES).partition("-")[0]
        if not (pid.isdecimal() and Path("/proc", pid).exists()):
            shutil.rmtree(left, ignore_errors=True)


def _copy_databases(source: Path, target: Path) -> dict[str, Path]:
    """Consistent copies, without stopping who writes."""
    copies = {}
    for name in DATABASES:
        path = source / name
        if path.exists():
            copy = target / name
            with (
                contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as old,
                contextlib.closing(sqlite3.connect(copy)) as new,
            ):
                old.backup(new)
            copies[name] = copy
    return copies


def _files(name: str, place: Path) -> dict[str, Path]:
    """Every file below a folder, by its name in the backup."""
    if place.is_file():
        return {name: place}
    found = (path for path in sorted(place.rglob("*")) if path.is_file())
    return {f"{name}/{path.relative_to(place)}": path for path in found}


def _size(path: Path) -> int:
    """Bytes; none of what was deleted meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _write(
    file: IO[bytes],
    passphrase: bytes,
    manifest: BackupManifest,
    everything: Mapping[str, Path],
    tell: Tell,
) -> None:
    writer, so_far = SealedWriter(file, passphrase), 0
    with tarfile.open(fileobj=cast(IO[bytes], writer), mode="w|", dereference=True) as archive:
        text = json.dumps(asdict(manifest)).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
        for name, path in everything.items():
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile: its key is too
                archive.add(path, name)
                so_far += path.stat().st_size
                tell(so_far)
    writer.close()


def is_secret(name: PurePosixPath) -> bool:
    """Whether a file of a backup opens the others: it must not come onto a disk in the open."""
    return name.parts[0] == PurePosixPath(MASTER).parts[0] or name.suffix == ".key"


def unpack(backup: Path, passphrase: bytes, target: Path, secrets: Path) -> BackupManifest:
    """Into a folder, keys into another, which should be in memory.

    Raises StoreDamaged if it is not whole or the passphrase is another's.
    """
    try:
        with backup.open("rb") as file:
            reader = SealedReader(file, passphrase)
            with tarfile.open(fileobj=cast(IO[bytes], reader), mode="r|") as archive:
                untar(archive, lambda name: secrets if is_secret(name) else target)
            while reader.read(1 << 20):  # to its end: a cut off one must not pass
                pass
        raw = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise StoreDamaged("open a backup", f"its format {raw['format']} is not known")
        return BackupManifest(**raw)
    except (Tampered, tarfile.TarError, ValueError, KeyError) as error:
        raise StoreDamaged(
            "open a backup", f"{backup}: {error}", "is the passphrase the one it was made with?"
        ) from error
    except OSError as error:
        raise StoreUnavailable("open a backup", str(error)) from error


async def examine(unpacked: Path, secrets: Path) -> Restored:
    """Open what was unpacked and read every call of it; raises StoreUnavailable, StoreDamaged."""
    settings = StoreSettings(folder=unpacked, master_key=secrets / MASTER)
    store = Store(settings, Metrics())
    await store.start()
    try:
        ids = await store.database.read(lambda c: list(c.scalars(select(calls.c.id))))
        readable = audio = deleted = 0
        for call_id in ids:
            try:
                await store.calls.config(call_id)
                await store.calls.record(call_id)
                readable += 1
            except NotFound:  # its key was shredded while the backup was made
                deleted += 1
            except LingtingError:
                continue
            with contextlib.suppress(LingtingError):
                async for _ in store.audio(call_id, whole=False):
                    pass
                audio += 1
        return Restored(len(ids) - deleted, readable, audio)
    finally:
        await store.close()
