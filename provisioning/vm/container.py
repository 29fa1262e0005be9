"""A machine in seconds: a clean Debian 12 under systemd-nspawn, with systemd as its first process.

systemd, its sandboxes, credentials, cgroups and nftables are the real ones; the kernel is the
host's. Needs root and systemd-container.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BOOT_TIMEOUT_S = 180.0
POLL_S = 0.1
INSIDE = "host0"  # its network device


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    output: str  # stdout and stderr


class Container:
    """`boot` it, `run` commands in it, pull its plug by `cut`, `boot` it again."""

    def __init__(self, root: Path, shared: Mapping[Path, str]) -> None:
        """`shared`: folders of the host -> where the container sees them, read-only."""
        self.root, self._shared = root, dict(shared)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = root.parent / f"{root.name}.log"
        self.leader = 0  # its first process, as the host numbers it

    def boot(self) -> None:
        """Until systemd has come up; raises RuntimeError."""
        binds = [f"--bind-ro={host}:{inside}" for host, inside in self._shared.items()]
        command = ["systemd-nspawn", "--quiet", "--boot", "--private-network", "--register=no"]
        command += ["--keep-unit", "--console=pipe", "--uuid", str(uuid.uuid4())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-D", str(self.root), *binds],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the container did not boot:\n{self._log.read_text()[-2000:]}")
            time.sleep(POLL_S)

    def _is_up(self) -> bool:
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(OSError, ValueError, IndexError):
            self.leader = int(children.read_text().split()[0])
            state = self.run("systemctl", "is-system-running", timeout_s=10).output.strip()
            return state in ("running", "degraded")
        return False

    def run(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 600,
        stdin: str = "",
    ) -> Result:
        """As root in the container."""
        done = subprocess.run(
            self.inside(*command),
            env=self._environment(env),
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
        )
        return Result(done.returncode, done.stdout.decode(errors="replace"))

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Like `run`, without waiting."""
        return subprocess.Popen(
            self.inside(*command),
            env=self._environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def inside(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self.leader), "-a", *command]

    @staticmethod
    def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "LANG": "C.UTF-8", "HOME": "/root", **(env or {})}

    def cut(self) -> None:
        """Every process in it ends at once, as by a power cut; what was written stays."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.leader, signal.SIGKILL)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def plug_in(self, namespace: str, inside: str, outside: str) -> None:
        """A cable to a network namespace of the host; addresses with their prefix length."""
        name = f"c{self.leader}"
        peer = f"peer name {INSIDE} netns {self.leader}"
        for command in (
            f"ip link add {name} netns {namespace} type veth {peer}",
            f"ip -n {namespace} address add {outside} dev {name}",
            f"ip -n {namespace} link set {name} up",
            f"ip -n {namespace} link set lo up",
        ):
            subprocess.run(command.split(), check=True)
        for command in (f"address add {inside} dev {INSIDE}", f"link set {INSIDE} up"):
            assert self.run("ip", *command.split()).code == 0


@contextlib.contextmanager
def container(archive: Path, shared: Mapping[Path, str]) -> Iterator[Container]:
    """One that has booted from an archive of root.py; gone in the end."""
    folder = Path(tempfile.mkdtemp(prefix="lingting-machine-"))
    made = Container(folder / "root", shared)
    try:
        made.root.mkdir()
        tar = ["tar", "--numeric-owner", "-C", str(made.root), "-xf", str(archive)]
        subprocess.run(tar, check=True)
        (made.root / "etc" / "hostname").write_text("box\n")
        made.boot()
        yield made
    finally:
        made.cut()
        shutil.rmtree(folder, ignore_errors=True)
