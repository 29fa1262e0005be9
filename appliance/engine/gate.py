"""Lets questions through to an engine that has a queue of its own, the most urgent first.

Only so much work is under way at once that what is urgent need not wait long behind what is not,
and enough of it that while one batch runs the next one gathers.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping

from appliance.errors import Overloaded
from inference.tensors import Priority

Place = tuple[Priority, int, float, asyncio.Future[None]]  # with its number and cost


class Gate:
    """One per model of an engine."""

    def __init__(self, most_s: float, waiting: Mapping[Priority, int], doing: str) -> None:
        """
        Args:
            most_s: work under way at once, seconds of all lanes; one question always passes.
            waiting: questions of each priority that may wait.
            doing: for errors: what is being done.
        """
        self._most_s, self._waiting, self._doing = most_s, waiting, doing
        self._queue: list[Place] = []
        self._numbers = itertools.count()
        self._held: Counter[Priority] = Counter()
        self.under_way = 0
        self.under_way_s = 0.0

    @contextlib.asynccontextmanager
    async def passing(self, priority: Priority, cost_s: float) -> AsyncIterator[None]:
        """Waits for its turn; raises Overloaded if too many of its priority wait already."""
        await self._turn(priority, cost_s)
        try:
            yield
        finally:
            self.under_way -= 1
            self.under_way_s -= cost_s
            self._open()

    async def _turn(self, priority: Priority, cost_s: float) -> None:
        if not self._queue and self._has_room(cost_s):
            self._pass(cost_s)
            return
        if self._held[priority] >= self._waiting[priority]:
            raise Overloaded(self._doing, "the queue is full", "send less at once, or later")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._numbers), cost_s, turn))
        self._held[priority] += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn came as it was given up
                self.under_way -= 1
                self.under_way_s -= cost_s
                self._open()
            raise
        finally:
            self._held[priority] -= 1

    def _open(self) -> None:
        while self._queue:
            _, _, cost_s, turn = self._queue[0]
            if turn.done():  # given up
                heapq.heappop(self._queue)
            elif self._has_room(cost_s):
                heapq.heappop(self._queue)
                self._pass(cost_s)
                turn.set_result(None)
            else:
                return

    def _has_room(self, cost_s: float) -> bool:
        return not self.under_way or self.under_way_s + cost_s <= self._most_s

    def _pass(self, cost_s: float) -> None:
        self.under_way += 1
        self.under_way_s += cost_s
