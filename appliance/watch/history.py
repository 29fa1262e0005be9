"""The last hours of the box, for the page's charts: sampled from its own metrics, in memory.

Prometheus keeps months; this is for a box without one, and for the first look.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
from prometheus_client.metrics import MetricWrapperBase

from appliance.metrics import Metrics
from appliance.watch.gpu import Gpu, GpuReader
from inference.tensors import ASR_MODEL

log = logging.getLogger(__name__)

SAMPLE_EVERY_S = 10.0
KEPT_S = 12 * 3600.0
SERIES = (
    "live_legs",
    "capacity",  # live legs
    "recordings",  # being worked on
    "audio_triton",  # seconds of audio heard per second, by the speech model
    "audio_cpu",
    "partial_p95",  # s, speech start to first partial
    "final_p50",  # s, endpoint to final
    "final_p95",
    "refused",  # calls per minute
    "cpu",  # of the machine, 0..1
    "gpu",  # the busiest card, 0..1
    "gpu_memory",  # of the fullest card, 0..1
)
Buckets = Mapping[float, float]  # upper bound -> observations up to it


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment; None where there was nothing to measure."""

    at: float  # s since 1970
    values: tuple[float | None, ...]  # as SERIES


@dataclass(slots=True)
class Seen:
    """Counters as they stood when last looked at."""

    at: float = 0.0  # monotonic s
    counts: dict[str, float] = field(default_factory=dict)
    buckets: dict[str, Buckets] = field(default_factory=dict)
    busy: tuple[float, float] = (0.0, 0.0)  # of the machine's CPU: busy and all, ticks


class History:
    """`start` and `close` it; `since` gives samples, `newer` waits for one."""

    def __init__(self, metrics: Metrics, gpu: GpuReader) -> None:
        self._metrics, self._gpu = metrics, gpu
        self._samples: deque[Sample] = deque(maxlen=int(KEPT_S / SAMPLE_EVERY_S))
        self._seen = self._look()
        self._sampling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._sampling = asyncio.create_task(self._sample_always(), name="history")

    async def close(self) -> None:
        if self._sampling:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)

    def since(self, at: float) -> list[Sample]:
        """Those after `at`, s since 1970, oldest first."""
        return [sample for sample in self._samples if sample.at > at]

    async def _sample_always(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_EVERY_S)
            try:
                await self.sample()
            except Exception:  # a chart with a gap is better than none
                log.exception("a sample of the box's history is missing")

    async def sample(self) -> Sample:
        """Look, and remember what came since the last time."""
        gpu = await asyncio.to_thread(self._gpu.read)
        before, now = self._seen, self._look()
        self._seen = now
        sample = Sample(time.time(), self._values(before, now, gpu))
        self._samples.append(sample)
        return sample

    def _look(self) -> Seen:
        metrics = self._metrics
        audio = by_label(metrics.engine_audio_seconds_total, "engine", model=ASR_MODEL)
        counts = {f"audio_{engine}": seconds for engine, seconds in audio.items()}
        counts["refused"] = sum(by_label(metrics.calls_refused_total, "door").values())
        buckets = {
            "partial": buckets_of(metrics.first_partial_seconds),
            "final": buckets_of(metrics.endpoint_to_final_seconds),
        }
        return Seen(time.monotonic(), counts, buckets, _busy())

    def _values(self, before: Seen, now: Seen, gpu: Gpu | None) -> tuple[float | None, ...]:
        seconds = max(now.at - before.at, 1e-3)

        def rate(name: str) -> float:
            return (now.counts.get(name, 0.0) - before.counts.get(name, 0.0)) / seconds

        def late(name: str, share: float) -> float | None:
            return quantile(share, before.buckets[name], now.buckets[name])

        busy, all_ = (a - b for a, b in zip(now.busy, before.busy, strict=True))
        found = {
            "live_legs": value_of(self._metrics.live_legs),
            "capacity": value_of(self._metrics.live_legs_capacity),
            "recordings": value_of(self._metrics.recordings_running),
            "audio_triton": rate("audio_triton"),
            "audio_cpu": rate("audio_cpu"),
            "partial_p95": late("partial", 0.95),
            "final_p50": late("final", 0.5),
            "final_p95": late("final", 0.95),
            "refused": rate("refused") * 60,
            "cpu": busy / all_ if all_ else None,
            "gpu": gpu.utilization if gpu else None,
            "gpu_memory": gpu.memory if gpu else None,
        }
        return tuple(found[name] for name in SERIES)


def value_of(metric: MetricWrapperBase) -> float:
    """Of a metric without labels."""
    return next(iter(metric.collect())).samples[0].value


def by_label(metric: MetricWrapperBase, label: str, **wanted: str) -> dict[str, float]:
    """A counter's or gauge's values, summed by one label, where the others are as wanted."""
    found: dict[str, float] = {}
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith("_created") or not wanted.items() <= sample.labels.items():
                continue
            key = sample.labels[label]
            found[key] = found.get(key, 0.0) + sample.value
    return found


def buckets_of(metric: MetricWrapperBase) -> Buckets:
    """A histogram's, summed over its labels."""
    found: dict[float, float] = {}
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                bound = float(sample.labels["le"])
                found[bound] = found.get(bound, 0.0) + sample.value
    return found


def quantile(share: float, before: Buckets, now: Buckets) -> float | None:
    """Of what was observed in between, as Prometheus' histogram_quantile does it; None: nothing."""
    bounds = sorted(now)
    counts = [now[bound] - before.get(bound, 0.0) for bound in bounds]
    if not counts or not counts[-1]:
        return None
    rank = share * counts[-1]
    place = next(i for i, count in enumerate(counts) if count >= rank)
    if math.isinf(bounds[place]):
        return bounds[place - 1]
    below = counts[place - 1] if place else 0.0
    start = bounds[place - 1] if place else 0.0
    inside = counts[place] - below
    return start + (bounds[place] - start) * ((rank - below) / inside if inside else 0.0)


def _busy() -> tuple[float, float]:
    """Seconds the machine's processors were busy, and all there were, since it started."""
    cpu = psutil.cpu_times()  # what guests use is in `user` already
    every = sum((cpu.user, cpu.nice, cpu.system, cpu.idle, cpu.iowait, cpu.irq, cpu.softirq))
    every += cpu.steal
    return every - cpu.idle - cpu.iowait, every
