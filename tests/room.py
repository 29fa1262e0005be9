"""A box as it stands in a machine room: TLS, keys, certificates, three admins."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.daemon import Daemon, daemon, free_port

TIMEOUT_S = 60


@dataclass
class MachineRoom:
    """The box and the admins' files."""

    box: Daemon
    folder: Path
    mtls_port: int

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    def lingting(self, *words: str, role: str = "", fails: bool = False) -> str:
        """The command as an admin would type it; its output."""
        return lingting(self.folder, *words, *(self.showing(role) if role else ()), fails=fails)

    def showing(self, role: str) -> tuple[str, ...]:
        """What an admin of that role shows: both factors."""
        mine = self.folder / "admins" / role / role
        return (
            *("--server", f"https://127.0.0.1:{self.box.http_port}"),
            *("--key-file", f"{mine}.token", "--certificate", f"{mine}.pem"),
            *("--authority", str(self.pki / "ca.pem")),
        )

    def key(self, name: str, *words: str) -> str:
        made = self.lingting("access", "create", name, *words, role="security_admin")
        return made.splitlines()[0]


def lingting(folder: Path, *words: str, fails: bool = False) -> str:
    settings = {"LINGTING_LOCAL__FOLDER": str(folder / "run")}
    done = subprocess.run(
        [sys.executable, "-m", "appliance", *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode != 0) is fails, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@contextlib.contextmanager
def machine_room(folder: Path, **environment: str) -> Iterator[MachineRoom]:
    port = free_port()
    (folder / "run").mkdir()
    pki = folder / "pki"
    lingting(folder, "pki", "init", "--folder", str(pki))
    lingting(folder, "pki", "server", "127.0.0.1", "localhost", "--folder", str(pki))
    tls = {
        f"LINGTING_{door}__{name}": str(pki / file)
        for door in ("GRPC", "HTTP")
        for name, file in (
            ("TLS_CERTIFICATE", "server.pem"),
            ("TLS_KEY", "server.key"),
            ("TLS_CLIENT_CA", "ca.pem"),
        )
    }
    more = {
        "LINGTING_GRPC__MTLS_PORT": str(port),
        "LINGTING_LOCAL__FOLDER": str(folder / "run"),
        "LINGTING_ACCESS__KEYS": "always",
        "LINGTING_ACCESS__ADMIN_TWO_FACTORS": "true",
        "LINGTING_TRITON__MODE": "off",
        **environment,
    }
    with daemon(folder, **tls, **more) as box:
        box.authority = pki / "ca.pem"
        room = MachineRoom(box, folder, port)
        room.lingting("access", "init", "--folder", str(folder / "admins"), "--pki", str(pki))
        yield room
