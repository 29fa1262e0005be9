"""The engine as calls see it: each stays with the speech bundle that led when it began.

While another bundle is tried, a share of the windows that calls have been answered is asked of it,
too, as recordings are; its answers are compared, and nobody else gets them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from rapidfuzz.distance import Levenshtein

from appliance.engine.canary import Canary
from appliance.engine.cost import CostModel
from appliance.engine.protocol import ManagedEngine, SpeechEngine
from appliance.errors import EngineTimeout, EngineUnavailable, LingtingError, Overloaded
from appliance.health import Health
from appliance.metrics import Metrics
from inference.cer import normalise
from inference.tensors import (
    ASR_MODEL,
    AnswerT,
    Hypothesis,
    ModelCard,
    Priority,
    Question,
    Window,
    served_name,
)

log = logging.getLogger(__name__)

UNDER_WAY = 2  # shadowed windows at once; others go without
TIMEOUT_S = 60.0  # for a shadow's answer
SHADOWED = (Priority.FINAL, Priority.RECORDING)  # what will be replaced tells little
KEPT = 200  # pairs whose cost is remembered

Choose = Callable[[str, str, str | None], str | None]  # model, tenant, language -> variant


@dataclass(slots=True)
class ShadowTally:
    """How two bundles hear the same windows; silence, and answers of others, do not count."""

    windows: int = 0  # heard by both
    failed: int = 0  # that the shadow could not answer
    led: int = 0  # that the leading one answered, heard twice or not
    stood_in: int = 0  # that it did not answer, or another one for it
    edits: int = 0
    characters: int = 0  # of the longer text of each
    leading_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))  # work
    shadow_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, leading: Hypothesis, shadow: Hypothesis) -> None:
        one, other = normalise(leading.text), normalise(shadow.text)
        if not one and not other:
            return
        self.windows += 1
        self.edits += Levenshtein.distance(one, other)
        self.characters += max(len(one), len(other))
        self.leading_s.append(leading.work_s)
        self.shadow_s.append(shadow.work_s)

    @property
    def agreement(self) -> float:
        """Share of the characters that both hear alike; 1 while there are none."""
        return 1 - self.edits / self.characters if self.characters else 1.0

    @property
    def cost(self) -> float:
        """Times the work of the leading one; 1 while that is not known."""
        leading_s = sum(self.leading_s)
        return sum(self.shadow_s) / leading_s if leading_s else 1.0


@dataclass(slots=True)
class Shadow:
    """A bundle that is tried beside the leading one."""

    variant: str
    hears: str  # name and version of its bundle, as answers tell them
    leads: str  # of the leading one's
    share: float  # of the windows, 0..1
    tally: ShadowTally = field(default_factory=ShadowTally)


class ModelSwitch:
    """Around the engine of a box."""

    def __init__(self, engine: ManagedEngine, metrics: Metrics) -> None:
        self.engine, self._metrics = engine, metrics
        self.leading = ""  # the variant that new calls begin with
        self.beside: tuple[str, ...] = ()  # variants of some calls alone
        self.choose: Choose = lambda model, tenant, language: None
        self.shadow: Shadow | None = None
        self._users: Counter[str] = Counter()
        self._random = random.Random()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def pinned(
        self, model: str = "", tenant: str = "", language: str | None = None
    ) -> Iterator[SpeechEngine]:
        """The engine of one call, which stays with its bundle: one of its own, or what leads now.

        Args:
            model: that the caller named; empty: whichever.
            tenant: the hotline system.
            language: that the caller named, if it did.
        """
        chosen = self.choose(model, tenant, language)
        variant = self.leading if chosen is None else chosen
        self._users[variant] += 1
        try:
            yield PinnedEngine(self, variant)
        finally:
            self._users[variant] -= 1

    def cards(self) -> tuple[ModelCard, ...]:
        """Of the speech models that answer, the leading one first."""
        found = []
        for name in (ASR_MODEL, *(served_name(ASR_MODEL, each) for each in self.beside)):
            with contextlib.suppress(EngineUnavailable):
                found.append(self.engine.card(name))
        return tuple(found)

    def users(self, variant: str) -> int:
        """Calls that are pinned to it."""
        return self._users[variant]

    def lead(self, variant: str, canary: Canary) -> None:
        """Calls that begin from now on are heard by it."""
        self.leading = variant
        self.engine.lead(variant, canary)

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        """Of a call that is pinned; its windows are shadowed."""
        shadow = self.shadow if priority in SHADOWED else None
        try:
            answer = await self.engine.ask(question, priority, timeout_s)
        except EngineUnavailable:
            if shadow and isinstance(question, Window) and question.variant == self.leading:
                shadow.tally.stood_in += 1
            raise
        if shadow and isinstance(question, Window) and isinstance(answer, Hypothesis):
            self._follow(shadow, question, answer)
        return answer

    def _follow(self, shadow: Shadow, window: Window, answer: Hypothesis) -> None:
        if window.variant != self.leading:
            return
        if answer.model != shadow.leads:
            shadow.tally.stood_in += 1
            return
        shadow.tally.led += 1
        if len(self._tasks) < UNDER_WAY and self._random.random() < shadow.share:
            task = asyncio.create_task(self._heard_by(shadow, window, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _heard_by(self, shadow: Shadow, window: Window, answer: Hypothesis) -> None:
        asked = replace(window, variant=shadow.variant)
        try:
            heard = await self.engine.ask(asked, Priority.RECORDING, TIMEOUT_S)
        except (Overloaded, EngineTimeout):
            log.debug("a window was not shadowed: the engine is busy")
        except LingtingError as error:
            log.info("a shadowed window was not answered: %s", error)
            shadow.tally.failed += 1
            self._metrics.shadow_windows_total.labels("failed").inc()
        else:
            if heard.model != shadow.hears:
                log.debug("a window was not shadowed: %s answered", heard.model)
                return
            shadow.tally.add(answer, heard)
            self._metrics.shadow_windows_total.labels("heard").inc()
            self._metrics.shadow_agreement.set(shadow.tally.agreement)
            self._metrics.shadow_cost.set(shadow.tally.cost)

    def follow(self, shadow: Shadow | None) -> None:
        """Let it hear along from now on; None: nobody does."""
        self.shadow = shadow
        if shadow is None:
            self._metrics.shadow_agreement.set(math.nan)
            self._metrics.shadow_cost.set(math.nan)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class PinnedEngine:
    """SpeechEngine of one call."""

    name = "pinned"

    def __init__(self, switch: ModelSwitch, variant: str) -> None:
        self._switch, self._variant = switch, variant

    @property
    def cost(self) -> CostModel:
        return self._switch.engine.cost

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        if self._variant and question.MODEL == ASR_MODEL:
            question = replace(question, variant=self._variant)
        return await self._switch.ask(question, priority, timeout_s)

    def card(self, model: str = ASR_MODEL) -> ModelCard:
        if self._variant and model == ASR_MODEL:
            with contextlib.suppress(EngineUnavailable):
                return self._switch.engine.card(served_name(model, self._variant))
        return self._switch.engine.card(model)

    def health(self) -> Health:
        return self._switch.engine.health()
