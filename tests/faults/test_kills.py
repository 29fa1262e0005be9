"""Gateway, workers, Triton killed or stopped at random points, while calls and recordings run."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.callers import Caller, Uploader
from tests.daemon import QUICK, Daemon, daemon, free_port
from tests.faults import oracle

pytestmark = pytest.mark.timeout(3600)
ROUNDS = 4  # of gateways, at scale 1; each meets one to three other faults before it dies
CALLERS = 2
STOPPED_S = 0.7


def kill_a_worker(box: Daemon, rng: random.Random) -> None:
    with contextlib.suppress(IndexError, psutil.Error):
        rng.choice(box.find("inference.worker")).kill()


def stop_a_worker(box: Daemon, rng: random.Random) -> None:
    """SIGSTOP, and on again."""
    with contextlib.suppress(IndexError, psutil.Error):
        worker = rng.choice(box.find("inference.worker"))
        worker.suspend()
        time.sleep(STOPPED_S)
        worker.resume()


def kill_triton(box: Daemon, _: random.Random) -> None:
    with contextlib.suppress(StopIteration, psutil.Error):
        box.triton().kill()


def stop_triton(box: Daemon, _: random.Random) -> None:
    """Left standing: the box has to notice and replace it."""
    with contextlib.suppress(StopIteration, psutil.Error):
        box.triton().suspend()


def stop_the_gateway(box: Daemon, _: random.Random) -> None:
    box.process.send_signal(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    box.process.send_signal(signal.SIGCONT)


FAULTS: list[Callable[[Daemon, random.Random], None]] = [
    *(kill_a_worker, stop_a_worker, kill_triton, stop_triton, stop_the_gateway)
]


def test_killed_at_random_points_the_box_keeps_what_it_told(
    tmp_path: Path, rng: random.Random, scale: int
) -> None:
    ports = free_port(), free_port()
    callers = [Caller(f"caller-{n}", f"127.0.0.1:{ports[0]}") for n in range(CALLERS)]
    uploader = Uploader(url=f"http://127.0.0.1:{ports[1]}")
    threads = [*callers, uploader]
    met = list[str]()
    for number in range(ROUNDS * scale):
        with daemon(tmp_path, ports=ports, **QUICK) as box:
            if number == 0:
                for thread in threads:
                    thread.start()
            for _ in range(rng.randint(1, 3)):
                time.sleep(rng.uniform(0.2, 2.5))
                fault = rng.choice(FAULTS)
                met.append(fault.__name__)
                fault(box, rng)
            time.sleep(rng.uniform(0, 1.5))
            box.process.kill()
            box.process.wait()
    with daemon(tmp_path, ports=ports, **QUICK) as box:
        time.sleep(5)
        for thread in threads:
            thread.stop()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), thread
        oracle.wait_until_quiet(box.url, tmp_path / "store")
        finals = oracle.check_calls(box.url, callers)
        oracle.check_recordings(box.url, uploader)
    oracle.check_at_rest(tmp_path / "store", callers, tmp_path)
    whole = sum(len(caller.whole) for caller in callers)
    print(f"{ROUNDS * scale} kills, {met}: {finals} finals, {whole} whole calls")
    assert finals and uploader.accepted
