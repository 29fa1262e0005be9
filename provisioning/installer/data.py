"""What outlives every release: keys and the store, whose insides are the release's business."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from installer import layout
from installer.system import log, run, write
from installer.words import InstallError, Text

# Without a login of its own, which a sandboxed unit may not make.
AS_THE_BOX = (
    *("setpriv", f"--reuid={layout.USER}", f"--regid={layout.GROUP}", "--init-groups", "--"),
)


def credential(name: str) -> Path:
    return layout.CREDENTIALS / f"{name}.cred"


def seal_new(name: str, secret: bytes) -> None:
    """A credential that only this machine opens; one that is there already stays."""
    if not credential(name).exists():
        seal(name, secret)


def seal(name: str, secret: bytes) -> None:
    sealed = run_bytes("systemd-creds", "encrypt", f"--name={name}", "-", "-", stdin=secret)
    write(credential(name), sealed, 0o600)


def opened(name: str) -> bytes:
    """A credential's secret; only root on this machine gets it."""
    return run_bytes("systemd-creds", "decrypt", f"--name={name}", str(credential(name)), "-")


def run_bytes(*command: str, stdin: bytes | None = None) -> bytes:
    """Like `run`, for what must not go into a log."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(command, capture_output=True, **given)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        raise InstallError(Text(f"密封密钥：{words}", f"seal a key: {words}"))
    return done.stdout


def as_box(release: Path, *arguments: str, doing: Text | None = None) -> str:
    """The release's own `lingting`, as the account that owns the data."""
    settings = {"LINGTING_CONFIG": str(layout.CONFIG), "LINGTING_LOG__FORMAT": "text"}
    command = (*AS_THE_BOX, layout.lingting(release), *arguments)
    return run(*command, env=settings, doing=doing)


def revisions(release: Path) -> dict[str, str]:
    """Of the databases as they are, by branch; empty where there is none yet."""
    told = as_box(
        release, "store", "revisions", "--json", doing=Text("读取数据版本", "read the store")
    )
    return dict(json.loads(told)["found"])


def heads(release: Path) -> dict[str, str]:
    """The newest revisions that a release knows, by branch."""
    told = as_box(
        release, "store", "revisions", "--json", doing=Text("读取数据版本", "read the store")
    )
    return dict(json.loads(told)["known"])


def note(act: str, version: str, outcome: str = "done") -> None:
    """Into the audit log, through whichever release serves; the installer goes on without."""
    release = layout.current_release()
    if release is None:
        return
    try:
        actor = os.environ.get("SUDO_USER") or "root"
        as_box(release, "audit", "append", act, version, "--actor", actor, "--outcome", outcome)
    except InstallError as error:
        log(f"!! not in the audit log: {error}")


def rehearse_migration(release: Path) -> None:
    """On a copy: would the new release's migrations go through?"""
    as_box(release, "store", "rehearse", doing=Text("演练数据迁移", "rehearse the migration"))


def take_back(release: Path, schema: dict[str, str]) -> None:
    """The newer release undoes its own migrations; what calls wrote meanwhile stays."""
    if schema:
        wanted = [f"--to={branch}={revision}" for branch, revision in schema.items()]
        as_box(
            release,
            "store",
            "downgrade",
            *wanted,
            doing=Text("退回数据版本", "downgrade the store"),
        )
