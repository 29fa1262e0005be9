"""`lingting demo` as a newcomer runs it: without a terminal, quicker than real time."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.daemon import free_port

TIMEOUT_S = 120
WORST_CER = 15.0  # %: the demo shows speech recognised


@contextlib.contextmanager
def demo(tmp: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """The command on free ports, its temporary files under `tmp`."""
    own = {k: v for k, v in os.environ.items() if k != "LINGTING_MODELS__ASR"}  # as a newcomer's
    ports = {f"LINGTING_{door}__PORT": str(free_port()) for door in ("GRPC", "HTTP")}
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance", "demo", *flags],
        env={**own, **ports, "TMPDIR": str(tmp)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def run(tmp: Path, *flags: str) -> str:
    with demo(tmp, *flags) as process:
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, out
    return out


def rates(out: str) -> list[float]:
    return [float(rate) for rate in re.findall(r"CER[^\d]+([\d.]+)%", out)]


def test_many_calls_at_once_and_where_to_watch_them(tmp_path: Path) -> None:
    with demo(tmp_path, "--load", "2") as process:
        assert process.stdout
        lead = list(itertools.takewhile(lambda line: "http://" not in line, process.stdout))
        assert process.poll() is None, "it tells the address only at its end"
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, [*lead, out]
    assert re.search(r"2 / 2 通电话完整结束，[1-9]\d* 句定稿", out)


def test_a_call_is_heard_line_by_line(tmp_path: Path) -> None:
    with demo(tmp_path, "--speed", "4") as process:
        assert process.stdout
        lead = list(itertools.takewhile(lambda line: not line.startswith("0:"), process.stdout))
        assert process.poll() is None, "it speaks only at its end"
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert any("字错率" in line for line in lead), "it must say so before it shows text"
    assert "坐席" in out and "市民" in out
    assert "情绪矩阵" in out and all(mood in out for mood in ("平静", "愤怒", "unsure"))
    assert len(rates(out)) == 2 and max(rates(out)) < WORST_CER
    assert not list(tmp_path.iterdir())


@pytest.mark.quick
def test_it_goes_on_when_triton_is_killed(tmp_path: Path) -> None:
    out = run(tmp_path, "--fail", "triton", "--speed", "2")
    assert "kill -9" in out and re.search(r"cpu: [1-9]", out)
    assert max(rates(out)) < WORST_CER


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        assert process.stdout
        next(line for line in process.stdout if line.startswith("0:"))
        family = psutil.Process(process.pid).children(recursive=True)
        assert any(child.name() == "tritonserver" for child in family)
        process.send_signal(number)
        process.communicate(timeout=TIMEOUT_S)
    deadline = time.monotonic() + 10
    while any(child.is_running() and child.status() != "zombie" for child in family):
        assert time.monotonic() < deadline, family
        time.sleep(0.1)
    assert process.returncode != 0
    assert not list(tmp_path.iterdir())
