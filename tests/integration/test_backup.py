"""Backups: made while the box serves, read again in full, worth nothing when altered or cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from appliance.errors import LingtingError, StoreDamaged, StoreUnavailable
from appliance.security.ciphers import Tampered
from appliance.security.sealed_file import CHUNK_BYTES, SealedReader, SealedWriter
from appliance.settings.keeping import StoreSettings
from appliance.store import backup
from tests.integration.gateway import alaw, gateway

PASSPHRASE = b"correct horse battery"


async def some_calls(folder: Path, count: int = 3) -> Path:
    """A store with finished recordings, one with audio kept, while a backup is made of it."""
    target = folder / "box.backup"
    async with gateway(folder, keep_audio_days=1) as box:
        async with httpx.AsyncClient(base_url=box.http) as client:
            form = {"encoding": "alaw", "sample_rate_hertz": "8000", "channels": "2"}
            for n in range(count):
                sent = await client.post(
                    "/api/v1/recordings",
                    data={**form, "call_id": f"call-{n}"},
                    files={"file": alaw(4)},
                )
                while (await client.get(sent.headers["location"])).json()["state"] != "finished":
                    await asyncio.sleep(0.05)
        store = box.settings.store
        master = {backup.MASTER: store.folder / "master.key"}
        await asyncio.to_thread(backup.create, store, master, target, PASSPHRASE, "0.1.0")
    return target


async def test_copies_that_a_killed_backup_left_are_removed(tmp_path: Path) -> None:
    left = tmp_path / f"{backup.COPIES}999999999-x"
    mine = tmp_path / f"{backup.COPIES}{os.getpid()}-y"
    for each in (left, mine):
        each.mkdir()
        (each / "lingting.db").write_bytes(b"calls")
    await some_calls(tmp_path, 1)
    assert not left.exists() and mine.exists()


async def test_every_call_can_be_read_again(tmp_path: Path) -> None:
    source = await some_calls(tmp_path)
    manifest = backup.unpack(source, PASSPHRASE, tmp_path / "again", tmp_path / "memory")
    found = await backup.examine(tmp_path / "again", tmp_path / "memory")
    keys = [path.name for path in (tmp_path / "memory").rglob("*") if path.is_file()]
    assert keys == ["master-key"] and not list((tmp_path / "again").rglob("*-key"))
    assert (found.calls, found.readable, found.audio) == (3, 3, 3)
    assert manifest.version == "0.1.0"


async def test_nothing_in_it_can_be_read_without_the_passphrase(tmp_path: Path) -> None:
    source = await some_calls(tmp_path, 1)
    data = source.read_bytes()
    for secret in (b"call-0", (tmp_path / "store" / "master.key").read_bytes(), b"SQLite format"):
        assert secret not in data
    with pytest.raises(StoreDamaged, match="passphrase"):
        backup.unpack(source, b"another passphrase", tmp_path / "no", tmp_path / "memory")


async def test_a_damaged_or_cut_backup_is_told(tmp_path: Path) -> None:
    source = await some_calls(tmp_path, 1)
    whole = source.read_bytes()
    for number, data in enumerate((whole[:-1], whole[: len(whole) // 2], b"", b"junk" * 50)):
        source.write_bytes(data)
        with pytest.raises(LingtingError):
            backup.unpack(source, PASSPHRASE, tmp_path / f"cut{number}", tmp_path / "memory")
    altered = bytearray(whole)
    altered[len(whole) // 2] ^= 1
    source.write_bytes(altered)
    with pytest.raises(StoreDamaged):
        backup.unpack(source, PASSPHRASE, tmp_path / "altered", tmp_path / "memory")


def test_chunks_cannot_be_left_out_or_swapped(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    with path.open("wb") as file:
        writer = SealedWriter(file, PASSPHRASE)
        writer.write(os.urandom(3 * CHUNK_BYTES + 10))
        writer.close()
    data, head = path.read_bytes(), 18 + 16
    size = 5 + CHUNK_BYTES + 28
    first, second = data[head : head + size], data[head + size : head + 2 * size]
    rest = data[head + 2 * size :]
    for bad in (data[:head] + second + first + rest, data[:head] + first + rest):
        path.write_bytes(bad)
        with path.open("rb") as file, pytest.raises(Tampered):
            SealedReader(file, PASSPHRASE).read()


def test_a_servers_databases_are_left_to_it(tmp_path: Path) -> None:
    settings = StoreSettings(folder=tmp_path, url="postgresql+psycopg://u@localhost/x")
    with pytest.raises(StoreUnavailable, match="pg_dump"):
        backup.create(settings, {}, tmp_path / "b", PASSPHRASE, "0")


async def test_a_test_of_a_backup_is_put_on_record(tmp_path: Path) -> None:
    source = await some_calls(tmp_path)
    (tmp_path / "passphrase").write_bytes(PASSPHRASE + b"\n")
    settings = {**os.environ, "LINGTING_STORE__FOLDER": str(tmp_path / "store")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "appliance", "backup", *words]
        command += ["--passphrase-file", str(tmp_path / "passphrase")]
        return subprocess.run(command, env=settings, capture_output=True, text=True)

    done = await asyncio.to_thread(run, "test", str(source))
    assert done.returncode == 0 and "3 of 3 calls can be read" in done.stdout, done.stderr
    source.write_bytes(source.read_bytes()[:-9])
    assert (await asyncio.to_thread(run, "test", str(source))).returncode == 3
    lines = (tmp_path / "restore-tests.jsonl").read_text().splitlines()
    assert [json.loads(line)["ok"] for line in lines] == [True, False]
    again = await asyncio.to_thread(run, "create", str(tmp_path / "second"))
    assert again.returncode == 0, again.stderr
    assert (await asyncio.to_thread(run, "test", str(tmp_path / "second"))).returncode == 0


async def test_calls_deleted_while_it_is_made_are_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the copies of the two databases; and audio that is gone when it is its turn."""
    await some_calls(tmp_path)
    store, size = StoreSettings(folder=tmp_path / "store"), backup._size
    with contextlib.closing(sqlite3.connect(tmp_path / "store" / "keys.db")) as keys:
        keys.execute("DELETE FROM keys WHERE call_id = (SELECT min(call_id) FROM keys)")
        keys.commit()
    audio = sorted((tmp_path / "store" / "audio").rglob("*.audio"))

    def vanishing(path: Path) -> int:
        if path == audio[0]:
            path.unlink()
        return size(path)

    monkeypatch.setattr(backup, "_size", vanishing)
    link = tmp_path / "etc"
    link.mkdir()
    (link / "names").symlink_to("/etc/hostname")
    folders = {backup.MASTER: tmp_path / "store" / "master.key", "etc": link}
    backup.create(store, folders, tmp_path / "two", PASSPHRASE, "0.1.0")
    backup.unpack(tmp_path / "two", PASSPHRASE, tmp_path / "again", tmp_path / "memory")
    found = await backup.examine(tmp_path / "again", tmp_path / "memory")
    keys = [path.name for path in (tmp_path / "memory").rglob("*") if path.is_file()]
    assert keys == ["master-key"] and not list((tmp_path / "again").rglob("*-key"))
    assert (found.calls, found.readable) == (2, 2)
