"""How often partials are asked for: as often as configured, less often when the box is busy, and
not at all while finals come late."""

from __future__ import annotations

import time

from appliance.metrics import Metrics
from appliance.settings.calls import CallPolicy

SMOOTHING = 0.2  # weight of the newest latency
BUSY_SHARE = 0.5  # a partial may take this share of its interval before the interval widens
RELAXED_TIMES = 2.0  # the shortest interval
FRESH_S = 15.0  # since the newest final
BACK_SHARE = 0.5  # finals must come within this share of the limit before partials come back


class Pace:
    """One per box; all legs share what they learn about its load."""

    def __init__(self, policy: CallPolicy, metrics: Metrics) -> None:
        self._policy = policy
        self._interval, self._paused = metrics.partial_interval_seconds, metrics.partials_paused
        self._partial_s = 0.0  # smoothed
        self._final_s = 0.0
        self._final_at = 0.0  # monotonic s, of the newest
        self._late = False
        self._tell()

    def partial_took(self, seconds: float) -> None:
        """A partial came back after `seconds`."""
        self._partial_s += SMOOTHING * (seconds - self._partial_s)
        self._tell()

    def final_took(self, seconds: float) -> None:
        """A live final came back after `seconds`: partials make room for those that are late."""
        self._final_s += SMOOTHING * (seconds - self._final_s)
        self._final_at = time.monotonic()
        limit_s = self._policy.finals_late_s
        if self._late:
            self._late = self._final_s > BACK_SHARE * limit_s
            if not self._late:
                self._partial_s = self._policy.partial_interval_max_ms / 1000  # slowly at first
        else:
            self._late = self._final_s > limit_s
        self._tell()

    @property
    def late_s(self) -> float:
        """How late finals come although partials are given up; 0: they are not late."""
        late = self.finals_only and self._final_s > self._policy.finals_late_s
        return self._final_s if late else 0.0

    @property
    def finals_only(self) -> bool:
        """Whether partials are given up for the sake of finals: of calls that are long over
        lateness says nothing."""
        return self._late and time.monotonic() - self._final_at < FRESH_S

    @property
    def interval_s(self) -> float:
        least = self._policy.partial_interval_ms / 1000
        most = max(least, self._policy.partial_interval_max_ms / 1000)
        return min(most, max(least, self._partial_s / BUSY_SHARE))

    @property
    def relaxed(self) -> bool:
        """Whether there is time to spare for work that may prove needless."""
        least = self._policy.partial_interval_ms / 1000
        return not self.finals_only and self.interval_s <= RELAXED_TIMES * least

    def _tell(self) -> None:
        self._interval.set(self.interval_s)
        self._paused.set(self.finals_only)
