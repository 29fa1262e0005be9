"""A PostgreSQL of the tests' own, gone when they are over."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT_USES = "postgres"  # initdb refuses to run as root


def find_programs() -> Path | None:
    """Where initdb and pg_ctl are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A server on a socket in a temporary folder; gives its URL."""
    programs = find_programs()
    assert programs
    folder = Path(tempfile.mkdtemp(prefix="lingting-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, ROOT_USES)
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    _run(programs / "initdb", "-D", data, "-A", "trust", "-U", "lingting")
    _run(programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql+psycopg://lingting@/postgres?host={folder}"
    finally:
        _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _run(*command: object) -> None:
    who = ("runuser", "-u", ROOT_USES, "--") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*who, *map(str, command)], cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
