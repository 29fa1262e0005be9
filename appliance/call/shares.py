"""Fair shares of what is limited, between hotline systems, and between the credentials of one.

Nobody is cut off for another: calls that run, run on. So whoever holds more than its share gets
more only while something is left for each of the others to begin with.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn, Protocol

from appliance.messages import CANARY_TENANT

KNOWN_S = 3600.0  # after its last call a hotline system is still reckoned with
MOST_KNOWN = 64
MOST_KEPT = 0.75  # of all, for systems that were here lately and hold nothing now


class ShareOwner(Protocol):
    """Whose something is: a call's configuration, or who asks."""

    @property
    def tenant(self) -> str: ...

    @property
    def credential(self) -> str: ...


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
        self._within: dict[str, Shares] = {}  # between a system's credentials
        self._held: Counter[str] = Counter()
        self._seen: dict[str, float] = {}  # when, monotonic s

    @property
    def held(self) -> int:
        return self._held.total()

    def room(self, tenant: str, limit: int, credential: str = "") -> int:
        """How much more `tenant` may have of `limit`, by that credential; both are known now."""
        own = self._room(tenant, limit)
        within = self._within.setdefault(tenant, Shares(self._least, {}, self._clock))
        self._within = {name: each for name, each in self._within.items() if name in self._known()}
        if not credential:
            return own
        return min(own, within._room(credential, self._held[tenant] + max(0, own)))

    def _room(self, tenant: str, limit: int) -> int:
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

    def take(self, tenant: str, count: int, credential: str = "") -> None:
        self._held[tenant] += count
        if credential and tenant in self._within:
            self._within[tenant].take(credential, count)

    def give(self, tenant: str, count: int, credential: str = "") -> None:
        self._held[tenant] -= count
        if self._held[tenant] <= 0:
            del self._held[tenant]
        if credential and tenant in self._within:
            self._within[tenant].give(credential, count)

    @contextmanager
    def holding(
        self, owner: ShareOwner, limit: int, refuse: Callable[[], NoReturn]
    ) -> Iterator[None]:
        """One, while the block runs; `refuse` raises where there is no room."""
        if self.room(owner.tenant, limit, owner.credential) < 1:
            refuse()
        self.take(owner.tenant, 1, owner.credential)
        try:
            yield
        finally:
            self.give(owner.tenant, 1, owner.credential)

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
