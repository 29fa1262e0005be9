"""How busy the GPUs are, by Triton's own metrics; nothing on a machine without one."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from appliance.settings.engines import TritonSettings

TIMEOUT_S = 1.0
USED, TOTAL, BUSY = "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes", "nv_gpu_utilization"


@dataclass(frozen=True, slots=True)
class Gpu:
    """Of the busiest and of the fullest card, 0..1."""

    utilization: float
    memory: float


class GpuReader:
    """Asks Triton on this machine. A stand-in for tests has the same `read`."""

    def __init__(self, settings: TritonSettings) -> None:
        host = "127.0.0.1"
        if settings.mode == "remote":
            host = settings.address.rpartition(":")[0] or host
        self._url = f"http://{host}:{settings.metrics_port}/metrics"
        self._off = settings.mode == "off" or not settings.metrics_port

    def read(self) -> Gpu | None:
        """None without a GPU, or while Triton does not answer. Blocks, TIMEOUT_S at most."""
        if self._off:
            return None
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT_S) as answer:
                return parse(answer.read().decode())
        except (urllib.error.URLError, OSError, ValueError):
            return None


def parse(text: str) -> Gpu | None:
    """From Triton's exposition; None if it has no GPU."""
    cards: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        if family.name in (USED, TOTAL, BUSY):
            for sample in family.samples:
                cards.setdefault(sample.labels.get("gpu_uuid", ""), {})[family.name] = sample.value
    if not cards:
        return None
    busiest = max(card.get(BUSY, 0.0) for card in cards.values())
    fullest = max(card.get(USED, 0.0) / max(card.get(TOTAL, 0.0), 1.0) for card in cards.values())
    return Gpu(busiest, fullest)
