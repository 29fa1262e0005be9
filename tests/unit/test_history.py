"""The box's last hours: rates and quantiles between two looks."""

from __future__ import annotations

import math

import pytest

from appliance.metrics import Metrics
from appliance.settings.engines import TritonSettings
from appliance.watch import history
from appliance.watch.gpu import Gpu, GpuReader, parse
from appliance.watch.history import SERIES, History, Sample, quantile

EXPOSITION = """\
# HELP nv_gpu_utilization GPU utilization rate [0.0 - 1.0)
# TYPE nv_gpu_utilization gauge
nv_gpu_utilization{gpu_uuid="GPU-a"} 0.25
nv_gpu_utilization{gpu_uuid="GPU-b"} 0.75
# TYPE nv_gpu_memory_total_bytes gauge
nv_gpu_memory_total_bytes{gpu_uuid="GPU-a"} 100
nv_gpu_memory_total_bytes{gpu_uuid="GPU-b"} 200
# TYPE nv_gpu_memory_used_bytes gauge
nv_gpu_memory_used_bytes{gpu_uuid="GPU-a"} 60
nv_gpu_memory_used_bytes{gpu_uuid="GPU-b"} 20
"""


class Still(GpuReader):
    def __init__(self, gpu: Gpu | None) -> None:
        self._found = gpu

    def read(self) -> Gpu | None:
        return self._found


def told(sample: Sample) -> dict[str, float | None]:
    return dict(zip(SERIES, sample.values, strict=True))


async def test_a_sample_tells_what_came_since_the_last() -> None:
    metrics = Metrics()
    kept = History(metrics, Still(Gpu(0.5, 0.25)))
    metrics.engine_audio_seconds_total.labels("cpu", "asr", "cpu").inc(30)
    metrics.engine_audio_seconds_total.labels("cpu", "emotion", "cpu").inc(90)
    metrics.calls_refused_total.labels("riva", "capacity").inc(2)
    metrics.live_legs.set(6)
    for _ in range(20):
        metrics.endpoint_to_final_seconds.labels("cpu").observe(0.08)
    first, second = told(await kept.sample()), told(await kept.sample())
    assert first["audio_cpu"] and first["refused"] and first["live_legs"] == 6
    assert first["final_p50"] == pytest.approx(0.0875) and first["partial_p95"] is None
    assert (first["gpu"], first["gpu_memory"]) == (0.5, 0.25)
    assert (second["audio_cpu"], second["refused"], second["final_p95"]) == (0, 0, None)


async def test_only_what_is_new_is_given_and_little_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "KEPT_S", 3 * history.SAMPLE_EVERY_S)
    kept = History(Metrics(), Still(None))
    samples = [await kept.sample() for _ in range(5)]
    assert kept.since(0) == samples[2:]
    assert kept.since(samples[3].at) == samples[4:]
    assert told(samples[0])["gpu"] is None


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 0.1), (0.25, 0.05), (0.75, 0.15), (1.0, 1.0)]
)
def test_quantiles_are_prometheus(share: float, expected: float) -> None:
    """Eight up to 0.2 of which four up to 0.1; the rest is beyond the last bound."""
    now = {0.1: 54.0, 0.2: 58.0, 1.0: 58.0, math.inf: 58.0}
    before = {0.1: 50.0, 0.2: 50.0, 1.0: 50.0, math.inf: 50.0}
    if share == 1.0:
        now[math.inf] += 8
    assert quantile(share, before, now) == pytest.approx(expected)


def test_tritons_cards_are_read() -> None:
    assert parse(EXPOSITION) == Gpu(0.75, 0.6)
    assert parse("# TYPE nv_inference_count counter\n") is None
    assert GpuReader(TritonSettings(mode="off")).read() is None
    assert (
        GpuReader(TritonSettings(mode="remote", address="127.0.0.1:1", metrics_port=1)).read()
        is None
    )
