"""What watching costs a call: the metrics it passes, and a Prometheus that asks for them."""

from __future__ import annotations

import timeit

from appliance import traces
from appliance.metrics import Metrics

ROUNDS, TIMES = 5, 2000  # the best of so many rounds
SCRAPES_PER_S = 1 / 15


def share(questions_per_s: float, scrape_s: float, cores: float) -> float:
    """Of the CPU time that all calls take together, 0..1.

    Args:
        questions_per_s: asked of the engines by all calls; each brings at most one final or
            partial to be counted, too.
        scrape_s: time to render /metrics.
        cores: that the gateway and the engine are busy.
    """
    watching = questions_per_s * counting_s() + scrape_s * SCRAPES_PER_S
    return round(watching / max(cores, 1e-3), 4)


def counting_s() -> float:
    """Time to count one question, its answer and what came of it, untraced, s."""
    metrics = Metrics()
    labels = ("triton", "asr", "final")

    def count() -> None:
        """As FailoverEngine and Leg do."""
        with (
            traces.spanning("ask", engine="triton"),
            metrics.engine_waiting_windows.labels("triton", "final").track_inprogress(),
        ):
            example = traces.exemplar()
        metrics.engine_windows_total.labels(*labels).inc()
        metrics.engine_latency_seconds.labels(*labels).observe(0.1, example)
        metrics.engine_queue_seconds.labels(*labels).observe(0.1, example)
        metrics.engine_audio_seconds_total.labels("triton", "asr", "cpu").inc(1.0)
        metrics.engine_batch_windows.labels("triton", "asr").observe(4)
        metrics.engine_retries_total.labels("triton").inc(0)
        traces.past("queue", 0.2, 0.1)
        traces.past("model", 0.1, 0)
        metrics.endpoint_to_final_seconds.labels("triton").observe(0.1, example)
        metrics.system_endpoint_to_final_seconds.labels("a").observe(0.1, example)
        metrics.finals_total.labels("triton").inc()

    return min(timeit.repeat(count, number=TIMES, repeat=ROUNDS)) / TIMES
