"""When an engine is used and when not: a breaker with hysteresis and a dwell that grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from appliance.settings.engines import FailoverSettings

FLAP_MEMORY_DWELLS = 10  # an engine good for this many dwells has its flaps forgotten


class BreakerState(Enum):
    WAITING = "waiting"  # not yet proven since the start: one good probe closes it
    CLOSED = "closed"  # in use
    OPEN = "open"  # not used


@dataclass(slots=True)
class Breaker:
    """Opens after some failures in a row, or at once; closes only after as many good probes and a
    dwell, which doubles each time it opens again. `clock` gives monotonic seconds."""

    settings: FailoverSettings
    clock: Callable[[], float]
    state: BreakerState = BreakerState.WAITING
    reason: str = "not yet probed"
    failures: int = 0  # in a row
    successes: int = 0  # in a row, of probes
    flaps: int = 0
    changed_at: float = 0.0

    @property
    def closed(self) -> bool:
        return self.state is BreakerState.CLOSED

    def failed(self, reason: str, *, at_once: bool = False) -> bool:
        """Count a failure; True if this one opened the breaker."""
        self.failures += 1
        self.successes = 0
        if self.state is not BreakerState.CLOSED:
            self.reason = reason
            return False
        if not at_once and self.failures < self.settings.failures_to_open:
            return False
        if self.clock() - self.changed_at > FLAP_MEMORY_DWELLS * self.settings.dwell_s:
            self.flaps = 0
        self.flaps += 1
        self._become(BreakerState.OPEN, reason)
        return True

    def served(self) -> None:
        """A real window was answered; only probes close a breaker, but failures are forgotten."""
        self.failures = 0

    def probed(self) -> bool:
        """Count a good probe; True if this one closed the breaker."""
        self.failures = 0
        self.successes += 1
        if self.state is BreakerState.CLOSED:
            return False
        proven = self.successes >= self.settings.successes_to_close and self.dwelt()
        if self.state is BreakerState.WAITING or proven:
            self._become(BreakerState.CLOSED, "")
            return True
        return False

    def dwelt(self) -> bool:
        return self.clock() - self.changed_at >= self.dwell_s

    @property
    def dwell_s(self) -> float:
        doubled: float = self.settings.dwell_s * 2 ** max(0, self.flaps - 1)
        return min(doubled, self.settings.max_dwell_s)

    def _become(self, state: BreakerState, reason: str) -> None:
        self.state, self.reason, self.changed_at = state, reason, self.clock()
        self.successes = 0
