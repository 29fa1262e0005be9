"""A PostgreSQL of the tests' own, gone when they are over."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT_USES = "postgres"  # initdb refuses to run as root


def find_programs() -> Path | None:
    """Where initdb and pg_ctl are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@dataclass(frozen=True)
class Postgres:
    """A server on a socket in a folder."""

    folder: Path

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://lingting@/postgres?host={self.folder}"

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self._control("-o", options, "-l", self.folder / "log", "-w", "start")

    def stop(self) -> None:
        """As by kill -9, but for the shared memory."""
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: object) -> None:
        programs = find_programs()
        assert programs
        _run(programs / "pg_ctl", "-D", self.folder / "data", *arguments)


@contextlib.contextmanager
def server() -> Iterator[Postgres]:
    """One that is running."""
    programs = find_programs()
    assert programs
    folder = Path(tempfile.mkdtemp(prefix="lingting-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, ROOT_USES)
    _run(programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "lingting")
    made = Postgres(folder)
    made.start()
    try:
        yield made
    finally:
        with contextlib.suppress(RuntimeError):  # it is stopped
            made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Its URL."""
    with server() as made:
        yield made.url


def _run(*command: object) -> None:
    who = ("runuser", "-u", ROOT_USES, "--") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*who, *map(str, command)], cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
