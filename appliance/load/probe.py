"""What a bench reads from outside: the box's processes, /metrics of gateway and Triton."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
from prometheus_client.parser import text_string_to_metric_families

from appliance.errors import EngineUnavailable
from appliance.load.running import RunningBox, family

SAMPLE_S = 0.5
GROUPS = ("gateway", "triton", "workers")
MARKS = {  # in a command line -> the group it belongs to; else it is the gateway's
    "tritonserver": "triton",
    "triton_python_backend_stub": "triton",
    "inference.worker": "workers",
}

Labels = Mapping[str, str]
Figures = dict[str, float | int | bool | str | None]  # one flat object, as --json prints it
WATCHING = "bench_watching_seconds_total"  # of bench_watched.py


class Scrape:
    """One reading of a Prometheus page."""

    def __init__(self, text: str = "") -> None:
        self._samples = [
            # Triton's counters lack the suffix that the parser gives every counter.
            (sample.name.removesuffix("_total"), sample.labels, sample.value)
            for metric in text_string_to_metric_families(text)
            for sample in metric.samples
        ]

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples that carry these labels."""
        return sum(self._named(name, labels))

    def has(self, name: str, **labels: str) -> bool:
        return bool(self._named(name, labels))

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums by the value of one label."""
        sums: dict[str, float] = {}
        for sample, labels, value in self._samples:
            if sample == name.removesuffix("_total") and label in labels:
                sums[labels[label]] = sums.get(labels[label], 0.0) + value
        return sums

    def _named(self, name: str, wanted: Labels) -> list[float]:
        return [
            value
            for sample, labels, value in self._samples
            if sample == name.removesuffix("_total") and wanted.items() <= labels.items()
        ]


def scrape(url: str) -> Scrape:
    """Read a page; empty if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return Scrape(answer.read().decode())
    except OSError:
        return Scrape()


def quantile(before: Scrape, after: Scrape, histogram: str, q: float) -> float | None:
    """A quantile of what a histogram saw between two readings, interpolated as Prometheus does."""
    name = f"{histogram}_bucket"
    earlier = before.by(name, "le")
    counts = [(float(le), n - earlier.get(le, 0.0)) for le, n in after.by(name, "le").items()]
    counts.sort()
    if not counts or counts[-1][1] <= 0:
        return None
    rank, lower, below = q * counts[-1][1], 0.0, 0.0
    for upper, count in counts:
        if count >= rank:
            inside = count - below
            if math.isinf(upper) or not inside:
                return lower
            return lower + (upper - lower) * (rank - below) / inside
        lower, below = upper, count
    return lower


@dataclass(slots=True)
class Use:
    """CPU seconds so far and memory now of one group of processes."""

    cpu_s: float = 0.0
    rss_mb: float = 0.0


def use_by_group(root: int) -> dict[str, Use]:
    """The process `root` and everything below it."""
    groups = {name: Use() for name in GROUPS}
    for process in family(root):
        with contextlib.suppress(psutil.Error):
            use = groups["gateway" if process.pid == root else _group(process)]
            cpu = process.cpu_times()
            use.cpu_s += cpu.user + cpu.system
            use.rss_mb += process.memory_info().rss / 1e6
    return groups


def _pss_mb(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_full_info().pss) / 1e6
    return 0.0


def _group(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((group for mark, group in MARKS.items() if mark in command), "gateway")


@dataclass(slots=True)
class ProcessWatch:
    """Cores used on average and memory at its peak, while the context is open."""

    root: int
    cores: dict[str, float] = field(default_factory=dict)
    rss_mb: dict[str, float] = field(default_factory=lambda: dict.fromkeys(GROUPS, 0.0))
    pss_mb: float = 0.0  # at the end, of all: pages that processes share count once
    _done: threading.Event = field(default_factory=threading.Event)
    _begun: float = 0.0
    _before: dict[str, Use] = field(default_factory=dict)
    clients_cores: float = 0.0  # of the processes that this one ran and waited for
    _clients_before: float = 0.0
    _thread: threading.Thread | None = None

    def __enter__(self) -> ProcessWatch:
        self._begun, self._before = time.monotonic(), use_by_group(self.root)
        self._clients_before = sum(os.times()[2:4])
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_S):
            self._look()

    def _look(self) -> dict[str, Use]:
        groups = use_by_group(self.root)
        for name, use in groups.items():
            self.rss_mb[name] = max(self.rss_mb[name], use.rss_mb)
        return groups

    def __exit__(self, *reason: object) -> None:
        self._done.set()
        if self._thread:
            self._thread.join()
        self.pss_mb = sum(map(_pss_mb, family(self.root)))
        wall_s = max(time.monotonic() - self._begun, 1e-6)
        self.clients_cores = (sum(os.times()[2:4]) - self._clients_before) / wall_s
        for name, use in self._look().items():
            # A process that ended meanwhile takes its seconds with it.
            self.cores[name] = max(0.0, use.cpu_s - self._before[name].cpu_s) / wall_s


def figures_of_use(watch: ProcessWatch) -> Figures:
    """Cores and memory by group of processes."""
    cores = os.cpu_count() or 1
    used = sum(watch.cores.values())
    figures: Figures = {
        "cores": cores,
        "cpu_cores": round(used, 2),
        "cpu_share": round(used / cores, 3),
        "client_cpu_cores": round(watch.clients_cores, 2),
        "box_pss_mb": round(watch.pss_mb),
    }
    for group in GROUPS:
        figures[f"{group}_cpu_cores"] = round(watch.cores[group], 2)
        figures[f"{group}_rss_mb"] = round(watch.rss_mb[group])
    return figures


def batches(before: Scrape, after: Scrape) -> Figures:
    """What Triton says of its batches between two readings."""

    def gained(name: str) -> float:
        return after.total(name, model="asr") - before.total(name, model="asr")

    windows, runs = gained("nv_inference_count"), gained("nv_inference_exec_count")
    return {
        "triton_windows": round(windows),
        "triton_batch_mean": round(windows / runs, 2) if runs else None,
    }


def wait_for_engine(box: RunningBox, engine: str, timeout_s: float) -> bool:
    """Whether this engine has proven itself in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        page = scrape(f"{box.url}/metrics")
        if page.has("lingting_breaker_open", engine=engine):
            if page.total("lingting_breaker_open", engine=engine) == 0:
                return True
        elif engine != "triton":  # no breaker: the peer's gateway, ready as it is
            return True
        if box.process.poll() is not None:
            raise EngineUnavailable("run the bench", "the box has ended")
        time.sleep(0.1)
    return False


def wait_until_measured(box: RunningBox, timeout_s: float) -> None:
    """Until its engines have been measured, as every start does, so that no call shares that."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        page = scrape(f"{box.url}/metrics")
        engines = {e for e in ("triton", "cpu") if page.has("lingting_breaker_open", engine=e)}
        if all(page.has("lingting_engine_live_legs", engine=engine) for engine in engines):
            return
        time.sleep(0.2)
