"""Fair shares of what is limited, between hotline systems.

Nobody is cut off for another: calls that run, run on. So whoever holds more than its share gets
more only while something is left for each of the others to begin with.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from appliance.messages import CANARY_TENANT

KNOWN_S = 3600.0  # after its last call a hotline system is still reckoned with
MOST_KNOWN = 64
MOST_KEPT = 0.75  # of all, for systems that were here lately and hold nothing now


class Shares:
    """Who holds how much.

    Args:
        least: kept free for each system that holds less.
        weights: of systems whose share is not 1.
    """

    def __init__(
        self,
        least: int,
        weights: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least, self._weights, self._clock = least, weights, clock
        self._held: Counter[str] = Counter()
        self._seen: dict[str, float] = {}  # when, monotonic s

    @property
    def held(self) -> int:
        return self._held.total()

    def room(self, tenant: str, limit: int) -> int:
        """How much more `tenant` may have of `limit`; it is known from now on."""
        self._remember(tenant)
        free = limit - self.held
        others = [each for each in self._known() if each != tenant]
        if not others:
            return free
        total = sum(self._weight(each) for each in (tenant, *others))
        own = int(limit * self._weight(tenant) / total) - self._held[tenant]
        kept = sum(max(0, self._least - self._held[each]) for each in others)
        # Where there is too little for all, who comes first; and so much lies idle at most.
        kept = min(kept, limit - self._least, int(MOST_KEPT * limit))
        # Within its share nothing is kept from it; beyond, the others come first.
        return min(free, max(own, free - kept))

    def take(self, tenant: str, count: int) -> None:
        self._held[tenant] += count

    def give(self, tenant: str, count: int) -> None:
        self._held[tenant] -= count
        if self._held[tenant] <= 0:
            del self._held[tenant]

    def _weight(self, tenant: str) -> float:
        return self._weights.get(tenant, 1.0)

    def _remember(self, tenant: str) -> None:
        if tenant == CANARY_TENANT:  # the box's own calls give way
            return
        self._seen.pop(tenant, None)
        self._seen[tenant] = self._clock()
        while len(self._seen) > MOST_KNOWN:
            del self._seen[next(iter(self._seen))]

    def _known(self) -> list[str]:
        """Those that were here lately, and those that hold something."""
        since = self._clock() - KNOWN_S
        lately = (tenant for tenant, seen in self._seen.items() if seen >= since)
        both = dict.fromkeys((*lately, *self._held))
        return [tenant for tenant in both if tenant != CANARY_TENANT]
