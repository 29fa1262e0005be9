"""The audit log: a chain of records, each holding the hash of the one before, with signed heads.

One JSON object a line in `audit-YYYY-MM.jsonl`. Altering, removing or inserting a record breaks the
chain; cutting off the end leaves a signed head (`heads.jsonl`) that the chain no longer reaches.
Whoever keeps a head elsewhere (the journal has each) also notices when both are cut together.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.errors import AuditUnavailable
from appliance.files import make_private, sync_folder, write_new

HEADS, PUBLIC_KEY, LOCK = "heads.jsonl", "key.pub", "lock"
START = "0" * 64  # what the first record follows
KEY_BYTES = 32
TAIL_BYTES = 1 << 16  # longer than a record


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One privileged act."""

    actor: str  # who: the name on the credential
    act: str  # e.g. "credential.create"
    object: str = ""  # what it was done to: an id, never contents
    outcome: str = "done"  # or "refused", "failed"
    role: str = ""
    peer: str = ""  # address it came from
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry in its place."""

    seq: int  # from 1
    at: str  # RFC 3339, UTC
    entry: AuditEntry
    previous: str  # hash, hex
    hash: str = ""

    def body(self) -> dict[str, Any]:
        return {"seq": self.seq, "at": self.at, **asdict(self.entry), "previous": self.previous}


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What `verify` found."""

    ok: bool
    records: int
    heads: int
    head: str  # hash of the last record
    fault: str = ""  # where the chain breaks, in words
    unsigned: int = 0  # records after the last signed head


class AuditLog:
    """Append-only; several processes may append.

    Args:
        algorithm: "sm3" (GB/T 32905) or "sha256".
        key: 32 bytes of Ed25519 that sign heads; without it none are signed here.
    """

    def __init__(self, folder: Path, algorithm: str = "sm3", key: bytes | None = None) -> None:
        self.folder, self._algorithm = folder, algorithm
        self._key = Ed25519PrivateKey.from_private_bytes(key) if key else None
        self._signed = 0  # seq of the last head signed here

    def append(self, entry: AuditEntry) -> AuditRecord:
        """On the disk when this returns; raises AuditUnavailable."""
        try:
            make_private(self.folder)
            with self._locked():
                last = self._last()
                moment = datetime.now(UTC)
                record = AuditRecord(
                    seq=last.seq + 1 if last else 1,
                    at=moment.isoformat(timespec="milliseconds"),
                    entry=entry,
                    previous=last.hash if last else START,
                )
                record = replace(record, hash=digest(self._algorithm, record.body()))
                _append(self._file(moment), self._line(record))
                return record
        except OSError as error:
            raise AuditUnavailable(
                "log a privileged act", str(error), "free the disk of [audit] folder"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            hint = "keep the folder aside for the audit admin; the log then begins anew"
            raise AuditUnavailable(
                "log a privileged act", f"its last record cannot be read: {error!r}", hint
            ) from error

    def _file(self, moment: datetime) -> Path:
        """This month's; never one before the newest, though a clock was set back."""
        newest = max((path.name for path in self.folder.glob("audit-*.jsonl")), default="")
        return self.folder / max(newest, f"audit-{moment:%Y-%m}.jsonl")

    def _line(self, record: AuditRecord) -> dict[str, Any]:
        return {**record.body(), "algorithm": self._algorithm, "hash": record.hash}

    def sign_head(self) -> dict[str, Any] | None:
        """Sign how far the chain has come; None if that is signed already, or there is no key."""
        if self._key is None or not self.folder.is_dir():
            return None
        try:
            with self._locked():
                last = self._last()
                if last is None or last.seq == self._signed:
                    return None
                _cut_off_half_a_line(self.folder / HEADS)
                head = {"seq": last.seq, "hash": last.hash, "at": datetime.now(UTC).isoformat()}
                signed = {**head, "signature": self._key.sign(canonical(head)).hex()}
                _append(self.folder / HEADS, signed)
                self._publish_key(self._key.public_key())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AuditUnavailable("sign the audit log", str(error) or repr(error)) from error
        self._signed = last.seq
        return signed

    def _publish_key(self, key: Ed25519PublicKey) -> None:
        path = self.folder / PUBLIC_KEY
        if not path.exists():
            raw = key.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            path.write_bytes(raw)

    def _last(self) -> AuditRecord | None:
        """The record at the end; half a line there, from a power cut, is cut off."""
        for path in sorted(self.folder.glob("audit-*.jsonl"), reverse=True):
            if lines := _cut_off_half_a_line(path):
                return read_record(json.loads(lines[-1]))
        return None

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        with (self.folder / LOCK).open("ab") as lock:
            _give_to_owner(lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock


def _cut_off_half_a_line(path: Path) -> list[bytes]:
    """Which a power cut or a full disk left at its end; returns the last whole lines."""
    if not path.exists():
        return []
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            file.truncate(start + whole)
    return tail[:whole].splitlines()


def _give_to_owner(file: IO[bytes]) -> None:
    """Root may log an act, too; what it makes belongs to whoever the log belongs to."""
    if os.geteuid() == 0:
        folder = Path(file.name).parent.stat()
        os.fchown(file.fileno(), folder.st_uid, folder.st_gid)


def read_record(line: dict[str, Any]) -> AuditRecord:
    """A line of the log; raises KeyError, TypeError."""
    entry = AuditEntry(**{name: line[name] for name in AuditEntry.__slots__})
    return AuditRecord(line["seq"], line["at"], entry, line["previous"], line["hash"])


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every line, in order; raises ValueError at one that is none."""
    for path in sorted(folder.glob("audit-*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise ValueError(f"{path.name}, line {number} is not a record") from error


def verify(folder: Path, known: dict[str, Any] | None = None) -> AuditVerdict:
    """Read the whole chain and every head.

    Args:
        known: a head that was kept elsewhere; the chain must still reach it.
    """
    count, last = 0, START
    try:
        heads = _heads(folder)  # before the records: one signed meanwhile is of a later one
        told = [*heads, *([known] if known else [])]
        due, seen = {head["seq"] for head in told}, dict[int, str]()
        for line in records(folder):
            fault = _fault(line, count, last)
            if fault:
                return AuditVerdict(False, count, 0, last, fault)
            count, last = count + 1, line["hash"]
            if count in due:
                seen[count] = last
        for head in told:
            if seen.get(head["seq"]) != head["hash"]:
                words = f"a head signed at {head['at']} is of record {head['seq']}"
                return AuditVerdict(False, count, len(heads), last, f"{words}, which is not there")
    except (ValueError, KeyError, TypeError) as error:
        return AuditVerdict(False, count, 0, last, str(error) or repr(error))
    signed = heads[-1]["seq"] if heads else 0
    return AuditVerdict(True, count, len(heads), last, unsigned=count - signed)


async def verify_apart(folder: Path) -> AuditVerdict:
    """`verify` in a process of its own: a long log takes no time from calls.

    Raises OSError if that process does not say what it found.
    """
    command = (sys.executable, "-m", "appliance.security.audit", str(folder))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise OSError(f"the reader of the audit log ended with code {process.returncode}")
    return AuditVerdict(**json.loads(said))


def begun(folder: Path) -> float:
    """When the log's first record was made, s since 1970; 0 without one. Raises ValueError."""
    first = next(records(folder), None)
    return datetime.fromisoformat(first["at"]).timestamp() if first else 0.0


def page(folder: Path, after: int, size: int) -> list[dict[str, Any]]:
    """Up to `size` records above number `after`; raises ValueError at a line that is none."""
    found = []
    for line in records(folder):
        if line["seq"] > after:
            found.append(line)
        if len(found) == size:
            break
    return found


def export(folder: Path) -> Iterator[bytes]:
    """A tar of the log, its heads and its key: all that `verify` needs elsewhere."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w|") as archive:
        heads = [*folder.glob(HEADS), *folder.glob(PUBLIC_KEY)]  # first, as `verify` reads them
        for path in (*heads, *sorted(folder.glob("audit-*.jsonl"))):
            archive.add(path, path.name)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _fault(line: dict[str, Any], count: int, last: str) -> str:
    """What is wrong with the record that should be number `count` + 1; empty if nothing is."""
    record = read_record(line)
    if record.seq != count + 1:
        return f"record {count + 1} is missing: {record.seq} follows {count}"
    if record.previous != last:
        return f"record {record.seq} does not follow the one before"
    if digest(line["algorithm"], record.body()) != record.hash:
        return f"record {record.seq} was altered"
    return ""


def _heads(folder: Path) -> list[dict[str, Any]]:
    """Every head; raises ValueError at one whose signature is not by the key."""
    path = folder / HEADS
    if not path.exists():
        return []
    key = serialization.load_pem_public_key((folder / PUBLIC_KEY).read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{PUBLIC_KEY} is not an Ed25519 key")
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        head = json.loads(line)
        signature = bytes.fromhex(head.pop("signature"))
        try:
            key.verify(signature, canonical(head))
        except InvalidSignature as error:
            raise ValueError(f"the head of record {head['seq']} has a false signature") from error
        found.append(head)
    return found


def digest(algorithm: str, body: dict[str, Any]) -> str:
    """Hex, of the canonical form."""
    if algorithm == "sm3":
        hashing = hashes.Hash(hashes.SM3())
        hashing.update(canonical(body))
        return hashing.finalize().hex()
    if algorithm == "sha256":
        return hashlib.sha256(canonical(body)).hexdigest()
    raise ValueError(f"{algorithm!r} is no hash of the audit log")


def canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _append(path: Path, line: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("ab") as file:
        os.fchmod(file.fileno(), 0o600)
        _give_to_owner(file)
        file.write(canonical(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def load_key(path: Path) -> bytes:
    """The signing key, made if it is not there; raises AuditUnavailable."""
    try:
        if not path.exists():
            make_private(path.parent)
            write_new(path, os.urandom(KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise AuditUnavailable("open the audit log's key", str(error)) from error
    if len(key) != KEY_BYTES:
        raise AuditUnavailable("open the audit log's key", f"{path} must hold {KEY_BYTES} bytes")
    return key


if __name__ == "__main__":
    with suppress(OSError):  # a sandbox may not let it
        os.nice(19)
    print(json.dumps(asdict(verify(Path(sys.argv[1])))))
