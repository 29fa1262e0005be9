"""Which questions an engine answers next, and which of them together.

While one batch runs the next one gathers. Finals go before partials before recordings; a batch is
no longer than an urgent question may wait, as the engine's cost model reckons it. Among partials
the shortest goes first: it is the first of its utterance.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.engine.cost import MOST_BATCH_S, CostModel
from appliance.errors import EngineTimeout, Overloaded
from inference.tensors import Answer, AnswerT, Priority, Question

# While nobody speaks nothing is urgent, and longer batches cost less.
QUIET_S, QUIET_BATCH_S = 10.0, 2.5
# A batch that takes so many times what it should hangs; so long at least, or if nothing is known.
HANG_TIMES, HANG_LEAST_S, HANG_UNKNOWN_S = 20, 30.0, 300.0


@dataclass(order=True, slots=True)
class QueuedQuestion:
    """A question in the queue; ordered by priority, then shortest partial, then by arrival."""

    priority: Priority
    length_s: float  # 0 where length gives no precedence
    number: int
    question: Question[Any] = field(compare=False)
    answer: asyncio.Future[Answer] = field(compare=False)
    alone: bool = field(default=False, compare=False)  # it may have killed a worker

    def settle(self, answer: Answer) -> None:
        """Unless its caller has given up."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Likewise."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def goes_with(self, other: QueuedQuestion) -> bool:
        """Whether both may be answered in one batch."""
        if self.alone or other.alone or self.question.served_by != other.question.served_by:
            return False
        return (self.priority is Priority.RECORDING) is (other.priority is Priority.RECORDING)


class Dispatcher:
    """A bounded queue that whoever works for the engine takes batches from."""

    def __init__(
        self, cost: CostModel, max_batch: int, places: Mapping[Priority, int], doing: str
    ) -> None:
        """
        Args:
            cost: of the engine.
            max_batch: questions answered together at most.
            places: questions of each priority that may wait.
            doing: what is being done, for errors.
        """
        self._cost, self._max_batch, self._places, self._doing = cost, max_batch, places, doing
        self._queue: list[QueuedQuestion] = []
        self._numbers = itertools.count()
        self._arrived = asyncio.Condition()
        self._live_at = -math.inf  # monotonic s, when a live question came last

    def __len__(self) -> int:
        return len(self._queue)

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        """Wait for somebody to take the question and to settle its job.

        Raises Overloaded if too many of its priority wait, EngineTimeout, or what it is settled
        with.
        """
        waiting = sum(j.priority is priority and not j.answer.done() for j in self._queue)
        if waiting >= self._places[priority]:
            raise Overloaded(self._doing, "the queue is full", "send less at once, or later")
        if priority in (Priority.FINAL, Priority.PARTIAL):
            self._live_at = time.monotonic()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        length_s = question.duration_s if priority is Priority.PARTIAL else 0.0
        await self.put(QueuedQuestion(priority, length_s, next(self._numbers), question, answer))
        try:
            async with asyncio.timeout(timeout_s):
                given: AnswerT = await answer
                return given
        except TimeoutError as error:
            raise EngineTimeout(self._doing, f"no answer in {timeout_s:.1f} s") from error

    async def put(self, job: QueuedQuestion) -> None:
        """A new job, or one given back."""
        async with self._arrived:
            heapq.heappush(self._queue, job)
            self._arrived.notify()

    async def take(self) -> list[QueuedQuestion]:
        """The next batch: by priority, of one model, recordings apart, suspects alone."""
        async with self._arrived:
            while True:
                self._queue = [job for job in self._queue if not job.answer.done()]
                heapq.heapify(self._queue)
                if self._queue:
                    return self._batch()
                await self._arrived.wait()

    def _batch(self) -> list[QueuedQuestion]:
        quiet = time.monotonic() - self._live_at > QUIET_S
        most_s = QUIET_BATCH_S if quiet else MOST_BATCH_S
        batch, passed = [heapq.heappop(self._queue)], list[QueuedQuestion]()
        while self._queue and len(batch) < self._max_batch:
            following = heapq.heappop(self._queue)
            if not batch[0].goes_with(following):
                passed.append(following)
            elif (self.work_s([*batch, following]) or 0.0) <= most_s:
                batch.append(following)
            else:
                passed.append(following)
                break
        for job in passed:
            heapq.heappush(self._queue, job)
        return batch

    def work_s(self, batch: list[QueuedQuestion]) -> float | None:
        """What a batch should cost, seconds of one lane; None while that is not known."""
        costs = [self._cost.of(job.question, job.priority, len(batch)) for job in batch]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(batch) else None

    def patience_s(self, batch: list[QueuedQuestion]) -> float:
        """After which whoever works on a batch hangs."""
        lasts_s = self.work_s(batch)
        return HANG_UNKNOWN_S if lasts_s is None else max(HANG_LEAST_S, HANG_TIMES * lasts_s)

    def refuse(self, error: Exception) -> None:
        """Settle everything that waits with an error."""
        for job in self._queue:
            job.fail(error)
        self._queue = []
