"""One engine as failover sees it: what is known of it, and how long it is waited for."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.engine.breaker import Breaker
from appliance.engine.canary import Canary
from appliance.engine.capacity import LEAST_LEGS, legs_at
from appliance.engine.cost import MOST_BATCH_S
from appliance.engine.lineup import Variants
from appliance.engine.protocol import ManagedEngine
from appliance.errors import EngineTimeout, EngineUnavailable, LingtingError
from inference.tensors import AnswerT, Question, Window

FIRST_PROBE_S = 30.0  # until an engine has answered once: large weights on a CPU take their time
STANDBY_SHARE = 0.03  # of the time, at most, an engine that stands by is busy with probes
SUSPICION_S = 0.2  # between probes of an engine in use that has just failed one
SLOWER = 5  # times its best probe, or its longest window, before an engine counts as late
ASKING = "ask a model"

log = logging.getLogger(__name__)


class Left(EngineUnavailable):
    """The engine is used no more: its windows are asked elsewhere, and say nothing new of it."""


@dataclass(slots=True)
class Watched:
    """An engine and what is known of it."""

    engine: ManagedEngine
    breaker: Breaker
    canary: Canary
    rank: int = 0  # of those that answer the lowest are used
    outstanding_s: float = 0.0  # audio that it was asked about and has not answered
    left: asyncio.Event = field(default_factory=asyncio.Event)  # no more used: ask elsewhere
    wake: asyncio.Event = field(default_factory=asyncio.Event)  # a window came late: probe now
    up: bool = False  # started
    served: int = 0  # windows answered
    asked: int = 0  # windows under way
    heard_at: float = 0.0  # monotonic s, of its last answer
    probes_failed: int = 0  # in a row
    tried: bool = False  # its first start has come to an end, good or bad
    best_probe_s: float | None = None
    legs: int | None = None  # live legs it carries, once measured
    measured: bool = False  # and no call disturbed that
    measuring: asyncio.Task[None] | None = None
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)  # labels of model_info

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def probe_patience_s(self) -> float:
        """How long a probe may take: an engine's own pace counts, not only the settings."""
        best_s = self.best_probe_s
        own_s = FIRST_PROBE_S if best_s is None else SLOWER * best_s + MOST_BATCH_S
        return max(self.breaker.settings.canary_timeout_s, own_s)

    @property
    def carries(self) -> int:
        """Live legs: as measured, else reckoned from what its canary has cost."""
        if self.legs is not None:
            return self.legs
        return max(LEAST_LEGS, legs_at(self.engine.cost, os.cpu_count() or 1) or 0)

    @property
    def order(self) -> tuple[bool, int, float, int]:
        """Of several the lowest is asked: one that answers, of the best, with the least to do."""
        work_s = self.outstanding_s / self.engine.cost.lanes
        return not self.breaker.closed, self.rank, work_s, self.served

    def takes(self, question: Question[Any]) -> bool:
        """Whether its model is one for this question: a standby may know fewer languages."""
        if not isinstance(question, Window):
            return True
        try:
            card = self.engine.card(self.asked_as(question).served_by)
        except EngineUnavailable:
            return True
        language_known = not card.languages or question.language in (None, *card.languages)
        return language_known and (not card.tasks or question.task in card.tasks)

    def asked_as(self, question: Question[AnswerT]) -> Question[AnswerT]:
        """An engine that lacks the variant is asked for what it has."""
        if question.variant:
            try:
                self.engine.card(question.served_by)
            except EngineUnavailable:
                return replace(question, variant="")
        return question

    async def catch_up(self, variants: Variants) -> None:
        """It has just come up: what is served beside the base, or that it does without."""
        try:
            await self.engine.serve(variants)
        except LingtingError as error:
            log.error("%s does without what is served beside: %s", self.name, error)

    def probe_pause_s(self, *, standing_by: bool) -> float:
        """Until the next probe: soon if something is amiss; who stands by must not take much."""
        if self.breaker.closed and self.breaker.failures:
            return SUSPICION_S
        cheap_s = (self.best_probe_s or 0.0) / STANDBY_SHARE if standing_by else 0.0
        return max(self.breaker.settings.canary_interval_s, cheap_s)

    @property
    def patience_s(self) -> float:
        """How long an engine may answer nobody although it is asked: busy is not dead."""
        longest_s = self.engine.cost.longest_s()
        own_s = FIRST_PROBE_S if longest_s is None else SLOWER * longest_s
        return max(self.breaker.settings.canary_timeout_s, own_s)

    async def patiently(
        self, asking: Coroutine[Any, Any, AnswerT], timeout_s: float | None
    ) -> AnswerT:
        """An engine's answer, while it is at work and in use.

        Raises EngineTimeout if it answers nobody for too long, Left if it is used no more; with a
        time given that alone counts, and the engine keeps it.
        """
        if timeout_s is not None:
            return await asking
        task, begun = asyncio.create_task(asking), time.monotonic()
        left = None if self.left.is_set() else asyncio.create_task(self.left.wait())
        self.asked += 1
        try:
            while not task.done():
                quiet_s = time.monotonic() - max(begun, self.heard_at)
                if quiet_s >= self.patience_s:
                    raise EngineTimeout(ASKING, f"it answered nobody for {quiet_s:.1f} s")
                await asyncio.wait(
                    {task, left} if left else {task},
                    timeout=self.patience_s - quiet_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if left and left.done() and not task.done():
                    raise Left(ASKING, self.breaker.reason)
            return task.result()
        finally:
            self.asked -= 1
            task.cancel()
            if left:
                left.cancel()
