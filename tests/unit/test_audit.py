"""The audit log: whole when it is whole, and every way of tampering shows."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.errors import AuditUnavailable
from appliance.security import audit
from appliance.security.audit import AuditEntry, AuditLog, verify

KEY = bytes(range(32))


@pytest.fixture(params=["sm3", "sha256"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> AuditLog:
    made = AuditLog(tmp_path / "audit", request.param, KEY)
    for n in range(6):
        made.append(AuditEntry("alice", "call.read", f"call_{n}"))
        if n % 2:
            made.sign_head()
    return made


def lines(log: AuditLog) -> tuple[Path, list[str]]:
    path = next(log.folder.glob("audit-*.jsonl"))
    return path, path.read_text(encoding="utf-8").splitlines(keepends=True)


def test_a_whole_log_is_whole(log: AuditLog) -> None:
    verdict = verify(log.folder)
    assert (verdict.ok, verdict.records, verdict.heads, verdict.unsigned) == (True, 6, 3, 0)


@pytest.mark.parametrize("field", ["actor", "act", "object", "outcome", "at", "peer", "detail"])
def test_an_altered_field_shows(log: AuditLog, field: str) -> None:
    path, told = lines(log)
    record = json.loads(told[2])
    record[field] += "x"
    told[2] = json.dumps(record) + "\n"
    path.write_text("".join(told), encoding="utf-8")
    verdict = verify(log.folder)
    assert not verdict.ok and verdict.records == 2
    assert "record 3 was altered" in verdict.fault


def test_a_record_rewritten_with_its_hash_shows_at_the_next(log: AuditLog) -> None:
    path, told = lines(log)
    record = json.loads(told[2])
    algorithm = record.pop("algorithm")
    record.pop("hash")
    record["actor"] = "mallory"
    record |= {"hash": audit.digest(algorithm, record), "algorithm": algorithm}
    told[2] = json.dumps(record) + "\n"
    path.write_text("".join(told), encoding="utf-8")
    assert "record 4 does not follow" in verify(log.folder).fault


@pytest.mark.parametrize("drop", [0, 3])
def test_a_removed_record_shows(log: AuditLog, drop: int) -> None:
    path, told = lines(log)
    path.write_text("".join(told[:drop] + told[drop + 1 :]), encoding="utf-8")
    assert f"record {drop + 1} is missing" in verify(log.folder).fault


def test_an_inserted_record_shows(log: AuditLog) -> None:
    path, told = lines(log)
    path.write_text("".join([*told[:3], told[2], *told[3:]]), encoding="utf-8")
    assert not verify(log.folder).ok


def test_a_cut_off_end_shows_by_its_head(log: AuditLog) -> None:
    path, told = lines(log)
    path.write_text("".join(told[:4]), encoding="utf-8")
    verdict = verify(log.folder)
    assert not verdict.ok and "record 6" in verdict.fault


def test_an_end_cut_off_with_its_heads_shows_by_a_head_kept_elsewhere(log: AuditLog) -> None:
    path, told = lines(log)
    heads = log.folder / audit.HEADS
    kept = json.loads(heads.read_text(encoding="utf-8").splitlines()[-1])
    path.write_text("".join(told[:4]), encoding="utf-8")
    heads.write_text("\n".join(heads.read_text().splitlines()[:2]) + "\n", encoding="utf-8")
    assert verify(log.folder).ok  # alone it cannot know
    assert not verify(log.folder, kept).ok


def test_a_whole_file_removed_shows(log: AuditLog) -> None:
    next(log.folder.glob("audit-*.jsonl")).unlink()
    assert not verify(log.folder).ok


def test_a_false_head_shows(log: AuditLog, tmp_path: Path) -> None:
    other = AuditLog(tmp_path / "other", "sm3", bytes(32))
    other.append(AuditEntry("mallory", "x"))
    other.sign_head()
    shutil.copy(other.folder / audit.HEADS, log.folder / audit.HEADS)
    assert "false signature" in verify(log.folder).fault


def test_a_torn_last_line_is_cut_off_and_the_chain_goes_on(log: AuditLog) -> None:
    path, _ = lines(log)
    with path.open("ab") as file:
        file.write(b'{"seq":7,"at":"20')  # a power cut
    log.append(AuditEntry("bob", "call.delete", "call_9"))
    verdict = verify(log.folder)
    assert verdict.ok and verdict.records == 7


def _append(folder: str) -> None:
    log = AuditLog(Path(folder))
    for n in range(20):
        log.append(AuditEntry(f"process {os.getpid()}", "x", str(n)))


def test_several_processes_make_one_chain(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_append, [str(tmp_path)] * 4))
    verdict = verify(tmp_path)
    assert verdict.ok and verdict.records == 80


def test_a_full_disk_is_told(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit, "_append", full)
    with pytest.raises(AuditUnavailable, match="No space left"):
        log.append(AuditEntry("alice", "x"))


def test_it_can_be_taken_elsewhere(log: AuditLog, tmp_path: Path) -> None:
    path = tmp_path / "audit.tar"
    path.write_bytes(b"".join(audit.export(log.folder)))
    shutil.unpack_archive(path, tmp_path / "elsewhere", filter="data")
    assert verify(tmp_path / "elsewhere") == verify(log.folder)


def test_a_clock_that_jumps_leaves_the_chain_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years ahead, then years back: records stay in their order."""
    log, moments = AuditLog(tmp_path, "sm3", KEY), iter((2026, 2031, 2019, 2026, 2031))

    class AuditClock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(next(moments), 3, 1, tzinfo=UTC)

    monkeypatch.setattr(audit, "datetime", AuditClock)
    written = [log.append(AuditEntry("box", "box.start")).seq for _ in range(5)]
    assert written == [1, 2, 3, 4, 5]
    verdict = verify(tmp_path)
    assert verdict.ok and verdict.records == 5, verdict.fault


def test_half_a_head_is_cut_off(log: AuditLog) -> None:
    """A power cut or a full disk left it; it is no tampering."""
    with (log.folder / "heads.jsonl").open("a") as file:
        file.write('{"seq": 6, "ha')
    log.append(AuditEntry("alice", "call.read"))
    log.sign_head()
    verdict = verify(log.folder)
    assert verdict.ok and verdict.heads == 4, verdict.fault


def test_a_head_signed_while_the_log_is_read_or_exported_is_no_fault(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reading = audit.records

    def records_and_more(folder: Path) -> Iterator[dict[str, object]]:
        yield from list(reading(folder))
        log.append(AuditEntry("alice", "call.read"))
        log.sign_head()

    monkeypatch.setattr(audit, "records", records_and_more)
    assert verify(log.folder).ok
    monkeypatch.undo()
    parts = audit.export(log.folder)
    data = next(parts)  # the heads are in it
    log.append(AuditEntry("alice", "call.read"))
    log.sign_head()
    archive = tmp_path / "log.tar"
    archive.write_bytes(data + b"".join(parts))
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "copy", filter="data")
    assert verify(tmp_path / "copy").ok


def test_a_last_record_that_is_none_is_told(log: AuditLog) -> None:
    path, _ = lines(log)
    with path.open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(AuditUnavailable, match="cannot be read"):
        log.append(AuditEntry("alice", "call.read"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_logs_belongs_to_the_logs_owner(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    AuditLog(folder).append(AuditEntry("root", "backup.test"))
    assert {path.stat().st_uid for path in folder.iterdir()} == {12345}


async def test_a_check_that_is_called_off_as_it_ends_stays_called_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class JustEnded:
        async def communicate(self) -> None:
            raise asyncio.CancelledError

        def kill(self) -> None:
            raise ProcessLookupError

        async def wait(self) -> int:
            return 0

    async def started(*_: str, **__: int) -> JustEnded:
        return JustEnded()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
    with pytest.raises(asyncio.CancelledError):
        await audit.verify_apart(tmp_path)
