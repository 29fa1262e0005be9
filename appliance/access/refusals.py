"""Refusals on their way to the audit log: a flood of them must not fill the disk."""

from __future__ import annotations

from collections import Counter

ONE_BY_ONE = 10  # of one address, between two sums
MOST_PEERS = 1000  # addresses that are told apart


class Refusals:
    """Which are logged one by one, and how many the rest are."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def is_logged(self, peer: str) -> bool:
        """Count one; whether it is logged by itself."""
        known = peer if peer in self._seen or len(self._seen) < MOST_PEERS else ""
        self._seen[known] += 1
        return self._seen[known] <= ONE_BY_ONE

    def sums(self) -> dict[str, int]:
        """How many were not logged since this was asked last, by address; "" for many others."""
        left = {peer: count - ONE_BY_ONE for peer, count in self._seen.items()}
        self._seen.clear()
        return {peer: count for peer, count in left.items() if count > 0}
