"""The machine's own programs: run them, and say in their words what went wrong."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from installer import layout
from installer.words import InstallError, Text

LAST_LINES = 6
ANOTHER = 4  # exit code: another installer runs


def run(
    *command: str,
    doing: Text | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout_s: float | None = None,
) -> str:
    """Its output; raises InstallError with its last words."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            capture_output=True,
            timeout=timeout_s,
            **given,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(_failed(doing, command[0], str(error))) from error
    output = (done.stdout + done.stderr).decode(errors="replace")
    log(f"$ {' '.join(command)}\n{output}")
    if done.returncode:
        words = "\n    ".join(output.strip().splitlines()[-LAST_LINES:])
        raise InstallError(_failed(doing, command[0], words))
    return done.stdout.decode(errors="replace")


def _failed(doing: Text | None, program: str, words: str) -> Text:
    name = Path(program).name
    zh, en = (doing.zh, doing.en) if doing else (f"运行 {name}", f"run {name}")
    return Text(f"{zh}：失败：{words}", f"{en}: failed: {words}")


def works(*command: str) -> bool:
    """Whether it ends well."""
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def output_of(*command: str) -> str:
    """What it prints, or nothing if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def log(text: str) -> None:
    """Into the installer's log, if it can be written."""
    try:
        with layout.LOG.open("a", encoding="utf-8") as file:
            file.write(text.rstrip() + "\n")
    except OSError:
        pass


def write(path: Path, text: str | bytes, mode: int = 0o644, group: str | None = None) -> None:
    """Whole or not at all, whatever happens meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    data = text.encode() if isinstance(text, str) else text
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if group:
        import grp

        os.chown(temporary, 0, grp.getgrnam(group).gr_gid)
    temporary.rename(path)
    sync_folder(path.parent)


def link(path: Path, target: Path | str) -> None:
    """Point a symbolic link somewhere else in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(patience_s: float = 10.0) -> Iterator[None]:
    """Only one installer at a time; raises InstallError.

    Args:
        patience_s: lingting-resume looks for a moment whether an installer has left it work.
    """
    layout.STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (layout.STATE / "lock").open("w") as lock:
        deadline = time.monotonic() + patience_s
        while not _is_locked(lock):
            if time.monotonic() > deadline:
                raise InstallError(
                    Text("另一个安装程序正在运行", "another installer is running"),
                    Text("等它结束后再试", "wait until it is done"),
                    code=ANOTHER,
                )
            time.sleep(0.1)
        yield


def _is_locked(lock: IO[str]) -> bool:
    """By us, from now on."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
