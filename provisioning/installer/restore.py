"""Backups from the administrator's side: made while the box serves, tried, and put back."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from installer import data, layout, steps, units
from installer.system import run, sync_folder, write
from installer.words import InstallError, Text, say

CREDENTIALS = ("master-key", "audit-key", "tls-key")
ASIDE, KEPT = layout.STATE / "restored", layout.STATE / "before-restore"
SECRETS = Path("/run/lingting-restored")  # its keys, in the open: in memory, never on the disk
UNDER_WAY = layout.STATE / "restoring.json"
DATABASES = ("lingting.db", "keys.db", "audio")


def backup(target: Path, passphrase_file: Path) -> str:
    """With the keys open to this one command alone, behind live calls; its last words."""
    sealed = [f"LoadCredentialEncrypted={name}:{data.credential(name)}" for name in CREDENTIALS]
    properties = [part for each in sealed for part in ("-p", each)]
    command = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect"]
    command += ["--slice=lingting-batch.slice", *properties]
    command += [f"--setenv=LINGTING_CONFIG={layout.CONFIG}", layout.lingting(layout.CURRENT)]
    command += ["backup", "create", str(target.resolve())]
    command += ["--passphrase-file", str(passphrase_file.resolve())]
    done = run(*command, doing=Text("备份", "back up"))
    data.note("backup.create", target.name)
    return done.strip().splitlines()[-1]


def restore(source: Path, passphrase_file: Path) -> None:
    """Put a backup back; what was there before stays beside it, and comes back if that fails."""
    _forget()
    try:
        _restore(source, passphrase_file)
    finally:
        _forget()


def _restore(source: Path, passphrase_file: Path) -> None:
    told = run(
        *(layout.lingting(layout.CURRENT), "backup", "test", str(source.resolve())),
        *("--passphrase-file", str(passphrase_file.resolve())),
        *("--into", str(ASIDE), "--secrets-into", str(SECRETS)),
        env={"LINGTING_CONFIG": str(layout.CONFIG)},
        doing=Text("检验备份", "test the backup"),
    )
    say(told.strip())
    stamp = time.strftime("%Y%m%dT%H%M%S")
    before = layout.DATA / f"store.before-{stamp}"
    _remember()
    write(UNDER_WAY, json.dumps({"before": str(before)}), 0o600)  # from here on `undo` is right
    units.mind_the_installer()
    try:
        units.stop()
        layout.STORE.rename(before)
        _put_in_place(stamp)
        units.restart()
        steps.call_the_box()
    except KeyboardInterrupt:
        undo()
        raise
    except (InstallError, OSError) as error:
        undo()
        raise InstallError(
            Text(f"恢复失败，已放回原数据：{error}", f"not restored, all is as before: {error}"),
            code=5,
        ) from error
    shutil.copytree(KEPT, before / "keys")  # sealed; without them what is kept there is noise
    os.sync()  # before the mark goes that would bring it back
    UNDER_WAY.unlink()
    sync_folder(layout.STATE)
    shutil.rmtree(KEPT)
    data.note("backup.restore", source.name)
    say(
        Text(
            f"已恢复并在服务；原数据连同其密钥保留在 {before}，确认无误后可删除",
            f"restored, and the box serves; what was there before is in {before} with its keys: "
            "delete it once you are sure",
        )
    )


def undo() -> None:
    """Back to what was there before a restore that failed or was cut off; may be done twice."""
    before = Path(json.loads(UNDER_WAY.read_text(encoding="utf-8"))["before"])
    units.stop()
    if before.exists() and layout.STORE.exists():  # what was said meanwhile is not thrown away
        keys = layout.STORE / "keys"
        keys.mkdir(exist_ok=True)
        for path in layout.CREDENTIALS.glob("*.cred"):
            shutil.copy2(path, keys)
        os.sync()
        layout.STORE.rename(before.with_name(f"{before.name}.undone"))
    for kept in KEPT.iterdir() if KEPT.is_dir() else ():
        place = layout.CREDENTIALS if kept.suffix == ".cred" else layout.PKI
        write(place / kept.name, kept.read_bytes(), kept.stat().st_mode & 0o777)
    if before.exists():
        before.rename(layout.STORE)
    units.restart()
    UNDER_WAY.unlink()
    shutil.rmtree(KEPT, ignore_errors=True)
    _forget()


def _forget() -> None:
    """What was unpacked of a backup."""
    for folder in (ASIDE, SECRETS):
        shutil.rmtree(folder, ignore_errors=True)


def _remember() -> None:
    """Copies of the files that a restore replaces, on the disk when this returns."""
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(mode=0o700)
    for path in (*layout.CREDENTIALS.glob("*.cred"), *layout.PKI.glob("*.*")):
        if path.is_file():
            write(KEPT / path.name, path.read_bytes(), path.stat().st_mode & 0o777)


def _put_in_place(stamp: str) -> None:
    """The keys first: without them the rest is noise. Callers go on trusting the old authority.

    Names, networks and settings are this machine's own; so is its audit log, with its key: the
    backup's is laid beside it, whole.
    """
    for name in ("master-key", "tls-key"):
        path = SECRETS / "credentials" / name
        if path.exists():
            data.seal(name, path.read_bytes())
    for path in (*ASIDE.glob("etc/pki/*.*"), *SECRETS.glob("etc/pki/*.*")):
        write(layout.PKI / path.name, path.read_bytes(), 0o644 if path.suffix == ".pem" else 0o600)
    if not (SECRETS / "etc" / "pki" / "ca.key").exists():  # another authority's would not fit
        (layout.PKI / "ca.key").unlink(missing_ok=True)
    layout.STORE.mkdir(mode=0o700)
    for name in DATABASES:
        if (ASIDE / name).exists():
            shutil.move(ASIDE / name, layout.STORE / name)
    beside = layout.DATA / f"audit.restored-{stamp}"
    if (ASIDE / "audit").exists():
        shutil.copytree(ASIDE / "audit", beside)
        run("chown", "-R", f"{layout.USER}:{layout.GROUP}", str(beside))
    run("chown", "-R", f"{layout.USER}:{layout.GROUP}", str(layout.STORE))
