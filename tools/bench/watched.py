"""A gateway that tells how much of its CPU time goes into being watched.

`python -m tools.bench.watched serve`: every metric that is counted, every scrape, look and
sample is timed on its own thread's clock. Timing costs something itself, so what it tells is an
upper bound. It stands in `bench_watching_seconds_total` on /metrics.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import prometheus_client
from prometheus_client import exposition, metrics
from prometheus_client.openmetrics import exposition as openmetrics

from appliance import traces
from appliance.cli.app import app
from appliance.load.probe import WATCHING
from appliance.metrics import Metrics
from appliance.watch.history import History

_inside = threading.local()
_spent = {"s": 0.0}


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """What it spends is added up, once where timed ones call each other."""

    def wrapper(*args: Any, **named: Any) -> Any:
        if getattr(_inside, "now", False):
            return function(*args, **named)
        _inside.now, begun = True, time.thread_time()
        try:
            return function(*args, **named)
        finally:
            _spent["s"] += time.thread_time() - begun
            _inside.now = False

    return wrapper


def time_all() -> None:
    for kind, names in (
        (metrics.MetricWrapperBase, ("labels",)),
        (metrics.Counter, ("inc",)),
        (metrics.Gauge, ("inc", "dec", "set", "set_to_current_time")),
        (metrics.Histogram, ("observe",)),
        (History, ("_look", "_values")),
    ):
        for name in names:
            setattr(kind, name, timed(getattr(kind, name)))
    for module in (exposition, openmetrics):
        setattr(module, "generate_latest", timed(module.generate_latest))  # noqa: B010
    for name in ("past", "exemplar", "begin", "trace_id"):
        setattr(traces, name, timed(getattr(traces, name)))
    made = Metrics.__init__

    def make(self: Metrics) -> None:
        made(self)
        told = prometheus_client.Gauge(
            WATCHING, "CPU time of being watched", registry=self.registry
        )
        told.set_function(lambda: _spent["s"])

    Metrics.__init__ = make  # type: ignore[method-assign]


if __name__ == "__main__":
    time_all()
    app()
