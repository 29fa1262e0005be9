"""Backups from the administrator's side: made while the box serves, tried, and put back."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from installer import data, layout, steps, units
from installer.system import run
from installer.words import InstallError, Text, say

CREDENTIALS = ("master-key", "audit-key", "tls-key")
ASIDE = layout.STATE / "restored"
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
    shutil.rmtree(ASIDE, ignore_errors=True)
    told = run(
        *(layout.lingting(layout.CURRENT), "backup", "test", str(source.resolve())),
        *("--passphrase-file", str(passphrase_file.resolve()), "--into", str(ASIDE)),
        env={"LINGTING_CONFIG": str(layout.CONFIG)},
        doing=Text("检验备份", "test the backup"),
    )
    say(told.strip())
    before = layout.DATA / time.strftime("store.before-%Y%m%dT%H%M%S")
    kept = {name: data.opened(name) for name in CREDENTIALS if data.credential(name).exists()}
    units.stop()
    try:
        layout.STORE.rename(before)
        _put_in_place()
        units.restart()
        steps.call_the_box()
    except (InstallError, OSError) as error:
        units.stop()
        shutil.rmtree(layout.STORE, ignore_errors=True)
        before.rename(layout.STORE)
        for name, secret in kept.items():
            data.seal(name, secret)
        units.restart()
        raise InstallError(
            Text(f"恢复失败，已放回原数据：{error}", f"not restored, all is as before: {error}"),
            code=5,
        ) from error
    shutil.rmtree(ASIDE, ignore_errors=True)
    data.note("backup.restore", source.name)
    say(Text(f"原数据保留在 {before}", f"what was there before is in {before}"))


def _put_in_place() -> None:
    """The keys first: without them the rest is noise."""
    for name in ("master-key", "audit-key"):
        path = ASIDE / "credentials" / name
        if path.exists():
            data.seal(name, path.read_bytes())
    layout.STORE.mkdir(mode=0o700)
    for name in DATABASES:
        if (ASIDE / name).exists():
            shutil.move(ASIDE / name, layout.STORE / name)
    if not any(layout.AUDIT.glob("*.jsonl")):  # the log of this machine is never set back
        shutil.copytree(ASIDE / "audit", layout.AUDIT, dirs_exist_ok=True)
    for folder in (layout.STORE, layout.AUDIT):
        run("chown", "-R", f"{layout.USER}:{layout.GROUP}", str(folder))
