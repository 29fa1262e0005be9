"""`lingting backup`: all that is kept, sealed in one file; and proof that it can be read again."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from appliance.errors import LingtingError, SettingsError
from appliance.security import audit
from appliance.settings import Settings, load_settings
from appliance.store import backup
from appliance.store.backup import BackupManifest, Restored

app = typer.Typer(help="Back up all that is kept, and test the backup.", no_args_is_help=True)
PassphraseFile = Annotated[Path, typer.Option(help="File whose first line is the passphrase.")]
ETC, MEMORY = Path("/etc/lingting"), Path("/dev/shm")
LEAST_PASSPHRASE = 12  # characters


@app.command()
def create(
    output: Annotated[Path, typer.Argument(help="The file to write, e.g. on a mounted disk.")],
    passphrase_file: PassphraseFile,
) -> None:
    """Back up calls, keys, audio, audit log and configuration; the box goes on serving."""
    settings = load_settings()
    folders = {"audit": audit_folder(settings), "etc": ETC}
    secrets = os.environ.get("CREDENTIALS_DIRECTORY")
    if secrets:
        folders["credentials"] = Path(secrets)
    else:
        folders[backup.MASTER] = settings.store.master_key or settings.store.folder / "master.key"
    bar = Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with bar:
        task = bar.add_task("backup", total=None)
        manifest = backup.create(
            *(settings.store, folders, output, _passphrase(passphrase_file)),
            importlib.metadata.version("lingting"),
            lambda so_far: bar.update(task, completed=so_far),
        )
        bar.update(task, total=manifest.bytes, completed=manifest.bytes)
    made = {"at": _told(manifest.made_at), "backup": output.name, "bytes": manifest.bytes}
    _append(settings, backup.BACKUPS, {**made, "ok": True})
    typer.echo(f"{output}: {output.stat().st_size >> 10} KiB; test it: lingting backup test")


@app.command()
def test(
    source: Annotated[Path, typer.Argument(help="The backup.")],
    passphrase_file: PassphraseFile,
    into: Annotated[
        Path | None, typer.Option(help="Leave it unpacked in this empty folder, to restore it.")
    ] = None,
    secrets_into: Annotated[
        Path | None, typer.Option(help="With --into: leave the keys here, in memory.")
    ] = None,
) -> None:
    """Unpack a backup aside, read every call in it, and put the result on record.

    Exit codes: 0 all could be read, 1 not all.
    """
    if (into is None) is not (secrets_into is None):
        raise typer.BadParameter("--into and --secrets-into go together")
    settings, begun = load_settings(), time.time()
    passphrase = _passphrase(passphrase_file)
    if not source.is_file():
        raise SettingsError("test a backup", f"there is no file {source}", "name the backup")
    with contextlib.ExitStack() as stack:
        folder, secrets = (
            given or Path(stack.enter_context(tempfile.TemporaryDirectory("-restore", dir=where)))
            for given, where in ((into, None), (secrets_into, MEMORY))
        )
        for place in (folder, secrets):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            manifest = backup.unpack(source, passphrase, folder, secrets)
            found = asyncio.run(backup.examine(folder, secrets))
        except LingtingError as error:
            _put_on_record(settings, source, begun, None, None, str(error))
            raise
    _put_on_record(settings, source, begun, manifest, found)
    typer.echo(
        f"{source}: {found.readable} of {found.calls} calls can be read, {found.audio} with audio; "
        f"made {time.strftime('%Y-%m-%d %H:%M', time.localtime(manifest.made_at))} "
        f"by {manifest.version}"
    )
    if found.readable < found.calls:
        raise typer.Exit(1)


def _put_on_record(
    settings: Settings,
    source: Path,
    begun: float,
    manifest: BackupManifest | None,
    found: Restored | None,
    error: str = "",
) -> None:
    """A restore that was never tried is no backup: auditors ask for this list."""
    line = {
        "at": _told(begun),
        "seconds": round(time.time() - begun, 1),
        "backup": source.name,
        "made_at": manifest.made_at if manifest else None,
        **(asdict(found) if found else {}),
        "ok": found is not None and found.readable == found.calls,
        "error": error,
    }
    _append(settings, backup.RESTORE_TESTS, line)
    outcome = "done" if line["ok"] else "failed"
    log = audit.AuditLog(audit_folder(settings), settings.audit.hash)
    log.append(audit.AuditEntry("root", "backup.test", source.name, outcome, detail=error[:200]))


def _told(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(at))


def _append(settings: Settings, name: str, line: dict[str, Any]) -> None:
    path = settings.store.folder.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def audit_folder(settings: Settings) -> Path:
    return settings.audit.folder or settings.store.folder / "audit"


def _passphrase(path: Path) -> bytes:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError("read the passphrase", f"{path}: {error.strerror}") from error
    if not lines or len(lines[0]) < LEAST_PASSPHRASE:
        cause = f"{path} holds less than {LEAST_PASSPHRASE} characters"
        raise SettingsError(
            "read the passphrase", cause, "openssl rand -base64 24 makes a good one"
        )
    return lines[0].encode()
