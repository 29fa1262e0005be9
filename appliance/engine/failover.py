"""Several engines that look like one: the best while they prove themselves, else the next.

Of those that are as good as each other a question goes to the one with the least to do.

Questions are stateless, so one that an engine failed is simply asked of the other: a call notices
nothing but the time it took. Slowness is not death: an answer that came late only makes the canary
fly at once, and the canary decides. Only the speech model decides over an engine: a call can do
without the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from appliance import traces
from appliance.engine import capacity_file
from appliance.engine.breaker import Breaker
from appliance.engine.canary import Canary
from appliance.engine.capacity import legs_at, measure, most_legs
from appliance.engine.cost import CostModel
from appliance.engine.counted import count, tell_model
from appliance.engine.lineup import Variants
from appliance.engine.protocol import ManagedEngine, SpeechEngine
from appliance.engine.watched import Left, Watched
from appliance.errors import (
    BundleError,
    EngineTimeout,
    EngineUnavailable,
    LingtingError,
    Overloaded,
)
from appliance.health import Health
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import (
    ASR_MODEL,
    DIARIZATION_MODEL,
    EMOTION_MODEL,
    AnswerT,
    ModelCard,
    Priority,
    Question,
    served_name,
)

log = logging.getLogger(__name__)

POLL_S = 0.2
RESTART_AFTER = 6  # failed probes in a row after which an engine is started anew
READY = "ready"  # for windows, in use or standing by
QUIET_S = 10.0  # without a real window, before an engine is measured a second time


class FailoverEngine:
    """ManagedEngine over a list of engines, best first."""

    name = "failover"

    def __init__(
        self,
        engines: list[ManagedEngine],
        canary: Canary,
        settings: Settings,
        metrics: Metrics,
        own_canaries: Mapping[str, Canary] | None = None,
        alike: int = 1,
    ) -> None:
        """
        Args:
            own_canaries: of engines, by name, that serve another bundle.
            alike: so many of the first are as good as each other.
        """
        own = self._own = own_canaries or {}
        self._settings = settings.failover
        self._metrics = metrics
        self._engines = [
            Watched(
                engine,
                Breaker(settings.failover, time.monotonic),
                own.get(engine.name, canary),
                rank=max(0, n - alike + 1),
            )
            for n, engine in enumerate(engines)
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._known = capacity_file.read(settings.capacity_file)
        self._measuring = asyncio.Lock()  # engines share the machine: one is measured at a time
        self._last_window_at = -math.inf  # monotonic s
        self._variants: Variants = {}
        self._lead = ""  # the variant that canaries ask, and whose card is told
        for engine in engines:
            metrics.breaker_open.labels(engine.name).set(1)

    async def start(self) -> None:
        """Start all engines; return as soon as one has proven itself.

        Raises BundleError if the model cannot be loaded, EngineUnavailable if none is up in time.
        """
        first = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._look_after(watched, first), name=f"canary-{watched.name}")
            for watched in self._engines
        ]
        proven = asyncio.create_task(first.wait())
        # A task ends only by an error that no waiting mends.
        await asyncio.wait(
            [proven, *self._tasks],
            return_when=asyncio.FIRST_COMPLETED,
            timeout=self._settings.start_timeout_s,
        )
        proven.cancel()
        if not first.is_set():
            errors = [error for task in self._tasks if task.done() and (error := task.exception())]
            why = "; ".join(f"{w.name}: {w.breaker.reason}" for w in self._engines)
            await self.close()
            if errors:
                raise errors[0]
            raise EngineUnavailable("start an engine", why, "run `lingting doctor`")

    # --- looking after each engine

    async def _look_after(self, watched: Watched, first: asyncio.Event) -> None:
        """Start an engine and probe it for ever. Only a bundle that is not whole is final."""
        while True:
            try:
                if not watched.up:
                    await watched.engine.start()
                    watched.up = True
                    await watched.catch_up(self._variants)
                await self._probe(watched)
                if watched.breaker.closed:
                    self._measure_if_due(watched)
            except BundleError:
                raise
            except Exception as error:  # nothing may end the watch
                self._failed(watched, str(error) or repr(error), "start")
            finally:
                watched.tried = True
            if watched.breaker.closed:
                first.set()
            await self._pause(watched)

    async def _probe(self, watched: Watched) -> None:
        served = watched.served
        verdict = await watched.canary.probe(watched.engine, watched.probe_patience_s)
        busy = verdict.late and watched.served > served  # which is not dead
        result = "good" if verdict.ok else "late" if busy else "failed"
        self._metrics.canary_total.labels(watched.name, result).inc()
        if verdict.heard:
            watched.heard_at = time.monotonic()
            watched.engine.cost.learn(watched.canary.window, Priority.PARTIAL, verdict.heard)
        if verdict.ok:
            watched.probes_failed = 0
            watched.best_probe_s = min(watched.best_probe_s or math.inf, verdict.seconds)
            self._metrics.canary_seconds.labels(watched.name).observe(verdict.seconds)
            self._metrics.canary_last_success_timestamp_seconds.labels(
                watched.name
            ).set_to_current_time()
            if watched.breaker.probed():
                self._in_use(watched)
        elif not busy:
            self._failed(watched, verdict.reason, "canary")
            watched.probes_failed += 1
            hopeless = watched.probes_failed >= RESTART_AFTER and not watched.breaker.closed
            if hopeless and not watched.asked:
                await self._restart(watched)

    def _in_use(self, watched: Watched) -> None:
        watched.left.clear()
        self._metrics.breaker_open.labels(watched.name).set(0)
        for model in (ASR_MODEL, DIARIZATION_MODEL, EMOTION_MODEL):
            with contextlib.suppress(EngineUnavailable):
                tell_model(self._metrics, watched, model, watched.engine.card(self._asked(model)))
        log.info("%s is ready", watched.name)

    def _asked(self, model: str) -> str:
        """What canaries ask of a model."""
        return served_name(model, self._lead) if model == ASR_MODEL else model

    async def _restart(self, watched: Watched) -> None:
        """It runs, and does not work: what waiting has not mended a new start may."""
        log.warning("%s is started anew: %s", watched.name, watched.breaker.reason)
        watched.up, watched.probes_failed = False, 0
        if watched.measuring:
            watched.measuring.cancel()
        await watched.engine.close()

    def _measure_if_due(self, watched: Watched) -> None:
        """Once at first, and once more in a quiet moment if calls disturbed that; not at all if
        it was measured by `lingting capacity`."""
        known = self._known.get(watched.name)
        if watched.legs is None and known and known.holds_for(watched.engine.card()):
            self._carries(watched, known.legs)
            watched.measured = True
        quiet = time.monotonic() - self._last_window_at > QUIET_S
        running = watched.measuring and not watched.measuring.done()
        if not running and not watched.measured and (watched.legs is None or quiet):
            watched.measuring = asyncio.create_task(self._measure(watched))

    async def _measure(self, watched: Watched) -> None:
        # An engine that loads its model would slow down the one measured.
        while not all(w.tried for w in self._engines):
            await asyncio.sleep(POLL_S)
        async with self._measuring:
            begun = time.monotonic()
            whole = await measure(
                watched.engine, watched.canary.audio, lambda: self._last_window_at < begun
            )
        legs = legs_at(watched.engine.cost, os.cpu_count() or 1)
        if not whole or legs is None or not watched.breaker.closed:
            return  # it failed meanwhile; its next good canary brings the next attempt
        self._carries(watched, legs)
        watched.measured = self._last_window_at < begun

    def _carries(self, watched: Watched, legs: int) -> None:
        watched.legs = legs
        self._metrics.engine_live_legs.labels(watched.name).set(legs)
        log.info("%s carries some %d live legs", watched.name, legs)

    async def _pause(self, watched: Watched) -> None:
        standing_by = watched.breaker.closed and watched not in self._group()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(watched.probe_pause_s(standing_by=standing_by)):
                await watched.wake.wait()
        watched.wake.clear()

    def _failed(self, watched: Watched, reason: str, where: str) -> None:
        breaker, known = watched.breaker, watched.breaker.reason
        if breaker.failed(reason, at_once=not watched.engine.health().ok):
            watched.left.set()
            self._metrics.breaker_open.labels(watched.name).set(1)
            self._metrics.breaker_opened_total.labels(watched.name, where).inc()
            log.warning("%s is not used any more: %s", watched.name, reason)
        elif not breaker.closed and breaker.reason != known:
            log.warning("%s: %s", watched.name, reason)

    # --- serving

    async def serve(self, variants: Variants) -> None:
        """Engine by engine, who stands by first; one that is not up gets them when it comes up."""
        before, self._variants = self._variants, dict(variants)
        try:
            for watched in sorted(self._engines, key=lambda w: w.order, reverse=True):
                if watched.up:
                    await watched.engine.serve(variants)
        except LingtingError:
            self._variants = before
            for watched in self._engines:
                if watched.up:
                    with contextlib.suppress(LingtingError):
                        await watched.engine.serve(before)
            raise

    async def rebase(self, bundle: Path) -> None:
        """Engine by engine, who stands by first; what each carries is measured anew."""
        for watched in sorted(self._engines, key=lambda w: w.order, reverse=True):
            await watched.engine.rebase(bundle)
            if watched.name not in self._own:
                watched.measured, watched.best_probe_s = False, None

    def lead(self, variant: str, canary: Canary) -> None:
        """From now on canaries ask this variant, by its own audio and text; its card is told."""
        self._lead = variant
        for watched in self._engines:
            if watched.name not in self._own:
                watched.canary = replace(canary, variant=variant)
                with contextlib.suppress(EngineUnavailable):
                    card = watched.engine.card(self._asked(ASR_MODEL))
                    tell_model(self._metrics, watched, ASR_MODEL, card)

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        """Ask the engine in use; on failure each other one.

        Without a time an engine is waited for while it answers anybody at all. A full first engine
        passes finals on; partials and recordings can wait. A partial that came late is of no more
        use to anyone.
        """
        last: LingtingError = EngineUnavailable(
            "ask a model", "no engine is ready", "try again shortly"
        )
        asked = ""
        order = self._order()
        for watched in [w for w in order if w.takes(question)] or order[:1]:
            if asked:
                self._metrics.failovers_total.labels(asked, watched.name).inc()
            try:
                return await self._ask(watched, watched.asked_as(question), priority, timeout_s)
            except Overloaded as error:
                last = error
                if priority is not Priority.FINAL:
                    break
            except EngineTimeout as error:
                last = error
                watched.wake.set()
                if priority is Priority.PARTIAL:
                    break
            except Left as error:
                last = error
            except EngineUnavailable as error:
                last = error
                if question.MODEL == ASR_MODEL and question.variant == self._lead:
                    self._failed(watched, str(error), "window")
            asked = watched.name
        raise last

    def _order(self) -> list[Watched]:
        """Those that answer first, the best of them, and of these who has the least to do."""
        return sorted(self._engines, key=lambda watched: watched.order)

    def _group(self) -> list[Watched]:
        """The engines in use."""
        closed = [watched for watched in self._engines if watched.breaker.closed]
        best = min((watched.rank for watched in closed), default=0)
        return [watched for watched in closed if watched.rank == best]

    async def _ask(
        self,
        watched: Watched,
        question: Question[AnswerT],
        priority: Priority,
        timeout_s: float | None,
    ) -> AnswerT:
        name, model, kind = watched.name, question.MODEL, priority.name.lower()
        waiting = self._metrics.engine_waiting_windows.labels(name, kind)
        begun = time.monotonic()
        self._last_window_at = begun
        told: traces.Field = {"engine": name, "model": model, "priority": kind}
        told["audio_s"] = question.duration_s
        watched.outstanding_s += question.duration_s
        with traces.spanning("ask", **told):
            try:
                with waiting.track_inprogress():
                    asking = watched.engine.ask(question, priority, timeout_s)
                    answer = await watched.patiently(asking, timeout_s)
            except LingtingError as error:
                self._metrics.engine_errors_total.labels(name, error.code).inc()
                raise
            finally:
                watched.outstanding_s = max(0.0, watched.outstanding_s - question.duration_s)
            watched.served += 1
            watched.heard_at = time.monotonic()
            watched.breaker.served()
            watched.engine.cost.learn(question, priority, answer)
            took_s = time.monotonic() - begun
            count(self._metrics, watched.engine, question, priority, answer, took_s)
        return replace(answer, engine=name)

    @property
    def cost(self) -> CostModel:
        """Of the engine in use."""
        return self.in_use.cost

    @property
    def in_use(self) -> SpeechEngine:
        """The engine that new windows go to."""
        return self._order()[0].engine

    def card(self, model: str = ASR_MODEL) -> ModelCard:
        """From the engine in use, else from any that has it."""
        leading = [served_name(model, self._lead)] if model == ASR_MODEL and self._lead else []
        last: LingtingError | None = None
        for watched in self._order():
            for name in (*leading, model):
                try:
                    return watched.engine.card(name)
                except EngineUnavailable as error:
                    last = last or error
        assert last
        raise last

    def health(self) -> Health:
        """Well while any engine is; its parts are the engines."""
        used = self._group()
        states = {
            w.name: READY if w.breaker.closed else f"{w.breaker.state.value}: {w.breaker.reason}"
            for w in self._engines
        }
        if not used:
            return Health(False, "no engine answers its canary", states, "none")
        carried = min(sum(w.carries for w in used), most_legs(os.cpu_count() or 1))
        return Health(True, "", states, used[0].name, carried)

    async def close(self) -> None:
        measuring = [w.measuring for w in self._engines if w.measuring]
        for task in (*self._tasks, *measuring):
            task.cancel()
        await asyncio.gather(*self._tasks, *measuring, return_exceptions=True)
        await asyncio.gather(*(watched.engine.close() for watched in self._engines))
