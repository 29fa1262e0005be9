"""A `lingting serve` child of a command: starts on free ports, is ready, is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from appliance.engine.process import leash
from appliance.errors import EngineUnavailable
from appliance.settings import load_settings

SERVE = ("-m", "appliance", "serve")
START_TIMEOUT_S = 100.0  # longer than a box tries before it says why it cannot
STOP_TIMEOUT_S = 15.0
POLL_S = 0.1
TAIL_CHARACTERS = 4000  # of a log, enough for a traceback
READY = " ready in "  # in the line that `serve` logs


class RunningBox:
    """The child, where it listens, and how long it took to be ready."""

    def __init__(
        self, process: subprocess.Popen[bytes], ports: tuple[int, int], ready_s: float, log: Path
    ) -> None:
        self.process, self.ready_s, self._log = process, ready_s, log
        self.grpc_port, self.http_port = ports
        self.triton_metrics_port = 0  # if whoever started it has chosen one

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def last_words(self) -> str:
        """The end of its log."""
        return _tail(self._log)

    def triton_pid(self) -> int | None:
        """The tritonserver among what the gateway has started."""
        for process in family(self.process.pid):
            with contextlib.suppress(psutil.Error):
                if process.name() == "tritonserver":
                    return process.pid
        return None


@contextlib.contextmanager
def running_box(
    ports: tuple[int, int] | None = None,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = SERVE,
) -> Iterator[RunningBox]:
    """Start a box and wait until it is ready; stop it and all it started in the end.

    Args:
        ports: gRPC and HTTP; free ones unless given.
        environment: settings on top of ours.
        program: arguments of the interpreter.

    Raises:
        EngineUnavailable: it did not come up; the cause is the end of its log.
    """
    grpc_port, http_port = ports or (free_port(), free_port())
    settings = {
        "LINGTING_GRPC__PORT": str(grpc_port),
        "LINGTING_HTTP__PORT": str(http_port),
        "LINGTING_LIMITS__DRAIN_S": "1",
        "LINGTING_ACCESS__KEYS": "auto",  # on loopback, for the command that started it
    }
    if load_settings().triton.mode == "child":
        settings["LINGTING_TRITON__ADDRESS"] = "127.0.0.1:0"
    with (
        tempfile.TemporaryDirectory(prefix="lingting-store-") as store,
        tempfile.NamedTemporaryFile("w+", prefix="lingting-box-", suffix=".log") as log,
    ):
        settings["LINGTING_STORE__FOLDER"] = store
        begun = time.monotonic()
        process = subprocess.Popen(
            [*leash("start a box"), sys.executable, *program],
            env={**os.environ, **settings, **(environment or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; we stop the box in order
        )
        try:
            _wait_until_ready(process, Path(log.name))
            ready_s = time.monotonic() - begun
            yield RunningBox(process, (grpc_port, http_port), ready_s, Path(log.name))
        finally:
            stop(process)


def free_port(preferred: int = 0) -> int:
    """The preferred port if nobody has it, else any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
        return free


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while READY not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise EngineUnavailable("start a box", _tail(log), "run `lingting doctor`")
        time.sleep(POLL_S)


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-TAIL_CHARACTERS:]


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a child in order, or by force."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()  # its children die with it
        process.wait()


def family(root: int) -> list[psutil.Process]:
    """A process and everything below it; none if it is gone."""
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(root)
        return [first, *first.children(recursive=True)]
    return []
