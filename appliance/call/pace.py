"""How often partials are asked for: as often as configured, less often when the box is busy."""

from __future__ import annotations

from appliance.metrics import Metrics
from appliance.sections import CallPolicy

SMOOTHING = 0.2  # weight of the newest latency
BUSY_SHARE = 0.5  # a partial may take this share of its interval before the interval widens


class Pace:
    """One per box; all legs share what they learn about its load."""

    def __init__(self, policy: CallPolicy, metrics: Metrics) -> None:
        self._policy = policy
        self._gauge = metrics.partial_interval_seconds
        self._latency_s = 0.0
        self._gauge.set(policy.partial_interval_ms / 1000)

    def took(self, seconds: float) -> None:
        """A partial came back after `seconds`."""
        self._latency_s += SMOOTHING * (seconds - self._latency_s)
        self._gauge.set(self.interval_s)

    @property
    def interval_s(self) -> float:
        least = self._policy.partial_interval_ms / 1000
        most = max(least, self._policy.partial_interval_max_ms / 1000)
        return min(most, max(least, self._latency_s / BUSY_SHARE))

    @property
    def relaxed(self) -> bool:
        """Whether there is time to spare for work that may prove needless."""
        return self.interval_s <= self._policy.partial_interval_ms / 1000
