"""A real `lingting serve`, for tests that talk to it from outside and kill parts of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

from appliance.audio.g711 import ALAW
from appliance.settings.section import PROJECT

DEMO_BUNDLE = PROJECT / "bundles" / "asr-demo"
DEMO_CALL = PROJECT / "tests" / "espeak_call" / "call.wav"
NATURAL_CALL = PROJECT / "bundles" / "demo-call" / "call.wav"  # for real weights
CLIENTS = PROJECT / "tests" / "acceptance" / "riva_clients"
READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 30.0
QUICK = {  # failing over and back within seconds
    "LINGTING_FAILOVER__CANARY_INTERVAL_S": "0.5",
    "LINGTING_FAILOVER__CANARY_TIMEOUT_S": "1.5",
    "LINGTING_FAILOVER__SUCCESSES_TO_CLOSE": "2",
    "LINGTING_FAILOVER__DWELL_S": "1",
    "LINGTING_FAILOVER__MAX_DWELL_S": "2",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Daemon:
    """A running gateway and how to reach and hurt it."""

    process: subprocess.Popen[bytes]
    grpc_port: int
    http_port: int
    log_path: Path
    log_begin: int = 0  # bytes: what was in its log before
    authority: Path | None = None  # whose certificate its HTTP door shows, where it has one
    key: str = ""  # of an operator, where keys are asked for

    @property
    def url(self) -> str:
        scheme = "https" if self.authority else "http"
        return f"{scheme}://127.0.0.1:{self.http_port}"

    def log(self) -> str:
        return self.log_path.read_bytes()[self.log_begin :].decode()

    def family(self) -> list[psutil.Process]:
        """Every process it started, at any depth."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def find(self, part: str) -> list[psutil.Process]:
        """Processes of the family whose command line holds `part`."""
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                if any(part in argument for argument in process.cmdline()):
                    found.append(process)
        return found

    def triton(self) -> psutil.Process:
        return next(p for p in self.family() if p.name() == "tritonserver")

    def get(self, path: str) -> str:
        trusted = ssl.create_default_context(cafile=self.authority) if self.authority else True
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        answer = httpx.get(f"{self.url}{path}", timeout=5, verify=trusted, headers=headers)
        return answer.raise_for_status().text

    def metric(self, name: str, **labels: str) -> float:
        """A sample of /metrics; 0.0 if there is none."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        for line in self.get("/metrics").splitlines():
            if line.startswith((f"{name}{{", f"{name} ")) and all(w in line for w in wanted):
                return float(line.rpartition(" ")[2])
        return 0.0

    def until_in_use(self, engine: str, *, used: bool = True) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (self.metric("lingting_breaker_open", engine=engine) == 0.0) is not used:
            assert time.monotonic() < deadline, f"waited in vain for {engine}:\n{self.log()}"
            time.sleep(0.1)

    def client(self, name: str, *flags: str) -> subprocess.Popen[str]:
        """One of the little Riva clients, as a program of its own."""
        server = ["--server", f"127.0.0.1:{self.grpc_port}"]
        command = [sys.executable, str(CLIENTS / f"{name}.py"), *server, *flags]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_client(self, name: str, *flags: str) -> list[dict[str, object]]:
        return finish(self.client(name, *flags))


def finish(client: subprocess.Popen[str]) -> list[dict[str, object]]:
    """The JSON lines of a client that has ended."""
    out, err = client.communicate(timeout=180)
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines, err
    return lines


@contextlib.contextmanager
def daemon(
    folder: Path,
    *,
    wait: bool = True,
    ports: tuple[int, int] | None = None,
    **environment: str,
) -> Iterator[Daemon]:
    """Serve with the demo bundle, on free ports unless they are given (gRPC, HTTP); kill everything
    in the end, orphans included."""
    ports = ports or (free_port(), free_port())
    log_path = folder / f"serve-{ports[0]}.log"
    settings = {
        "LINGTING_GRPC__PORT": str(ports[0]),
        "LINGTING_HTTP__PORT": str(ports[1]),
        "LINGTING_TRITON__ADDRESS": "127.0.0.1:0",
        "LINGTING_STORE__FOLDER": str(folder / "store"),
        "LINGTING_MODELS__LIBRARY": str(folder / "models"),  # what a test activates is its own
        "CACHE_DIRECTORY": str(folder.parent),  # how the model runs best is measured once a worker
        "LINGTING_LIMITS__LIVE_LEGS": "64",  # not what a busy test machine was measured to carry
        **environment,
    }
    begin = log_path.stat().st_size if log_path.exists() else 0
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "serve"],
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running = Daemon(process, *ports, log_path, begin)
    family: list[psutil.Process] = []
    try:
        if wait:
            until_ready(running)
        yield running
    finally:
        with contextlib.suppress(psutil.Error):
            family = running.family()
        end(process)
        for child in family:
            with contextlib.suppress(psutil.Error):
                child.kill()


def until_ready(running: Daemon) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while "ready in " not in running.log():
        assert running.process.poll() is None, running.log()
        assert time.monotonic() < deadline, running.log()
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM; the exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return int(process.returncode)


def read_call(alaw: Path) -> np.ndarray:
    """The demo call as samples [frames, legs] at 8 kHz."""
    data = alaw.read_bytes()
    return ALAW[np.frombuffer(data[data.index(b"data") + 8 :], np.uint8)].reshape(-1, 2)


def as_pcm(alaw: Path, target: Path, seconds: float | None = None) -> Path:
    """The demo call as a 16-bit WAV, which the stock client can pace."""
    frames = read_call(alaw)[: int(seconds * 8000) if seconds else None]
    with wave.open(str(target), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes((np.clip(frames, -1, 1) * 32767).astype("<i2").tobytes())
    return target
