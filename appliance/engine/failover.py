"""Two engines that look like one: the first while it proves itself, else the second.

Windows are stateless, so a window that one engine failed is simply asked of the other: a call
notices nothing but the time it took.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from appliance.engine.breaker import Breaker
from appliance.engine.canary import Canary
from appliance.engine.capacity import measure_legs
from appliance.engine.protocol import SpeechEngine
from appliance.errors import BundleError, EngineUnavailable, LingtingError, Overloaded
from appliance.messages import Health
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import Hypothesis, ModelCard, Priority, Window

log = logging.getLogger(__name__)


class FailoverEngine:
    """SpeechEngine over a list of engines, best first."""

    name = "failover"

    def __init__(
        self, engines: list[SpeechEngine], canary: Canary, settings: Settings, metrics: Metrics
    ) -> None:
        self._engines = engines
        self._canary = canary
        self._settings = settings.failover
        self._metrics = metrics
        self._breakers = {e.name: Breaker(settings.failover, time.monotonic) for e in engines}
        self._tasks: list[asyncio.Task[None]] = []
        self._legs: dict[str, int] = {}  # what each carries, once measured
        for engine in engines:
            metrics.breaker_open.labels(engine.name).set(1)

    async def start(self) -> None:
        """Start all engines; return as soon as one has proven itself.

        Raises BundleError if the model cannot be loaded, EngineUnavailable if none is up in time.
        """
        first = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._look_after(engine, first), name=f"canary-{engine.name}")
            for engine in self._engines
        ]
        proven = asyncio.create_task(first.wait())
        # A task ends only by an error that no waiting mends.
        await asyncio.wait(
            [proven, *self._tasks],
            return_when=asyncio.FIRST_COMPLETED,
            timeout=self._settings.start_timeout_s,
        )
        proven.cancel()
        errors = [error for task in self._tasks if task.done() and (error := task.exception())]
        if not first.is_set():
            why = "; ".join(f"{name}: {b.reason}" for name, b in self._breakers.items())
            await self.close()
            raise (
                errors[0]
                if errors
                else EngineUnavailable("start an engine", why, "run `lingting doctor`")
            )

    async def _look_after(self, engine: SpeechEngine, up: asyncio.Event) -> None:
        """Start an engine and probe it for ever. A bundle that cannot load is final."""
        try:
            await engine.start()
        except BundleError:
            raise
        except LingtingError as error:
            log.warning("%s does not start: %s", engine.name, error)
            self._breakers[engine.name].failed(str(error))
        while True:
            await self._probe(engine)
            if self._breakers[engine.name].closed:
                up.set()
                if engine.name not in self._legs:
                    await self._measure(engine)
            await asyncio.sleep(self._settings.canary_interval_s)

    async def _measure(self, engine: SpeechEngine) -> None:
        self._legs[engine.name] = legs = await measure_legs(engine, self._canary.audio)
        self._metrics.engine_live_legs.labels(engine.name).set(legs)
        log.info("%s carries some %d live legs", engine.name, legs)

    async def _probe(self, engine: SpeechEngine) -> None:
        verdict = await self._canary.probe(engine, self._settings.canary_timeout_s)
        breaker = self._breakers[engine.name]
        result = "good" if verdict.ok else "failed"
        self._metrics.canary_total.labels(engine.name, result).inc()
        if not verdict.ok:
            self._failed(engine, verdict.reason, "canary")
            return
        self._metrics.canary_seconds.labels(engine.name).observe(verdict.seconds)
        self._metrics.canary_last_success_timestamp_seconds.labels(
            engine.name
        ).set_to_current_time()
        if breaker.probed():
            self._metrics.breaker_open.labels(engine.name).set(0)
            card = engine.card()
            self._metrics.model_info.labels(
                engine.name, card.name, card.version, str(card.demo).lower()
            ).set(1)
            log.info("%s is in use", engine.name)

    def _failed(self, engine: SpeechEngine, reason: str, where: str) -> None:
        gone = not engine.health().ok
        if self._breakers[engine.name].failed(reason, at_once=gone):
            self._metrics.breaker_open.labels(engine.name).set(1)
            self._metrics.breaker_opened_total.labels(engine.name, where).inc()
            log.warning("%s is not used any more: %s", engine.name, reason)

    async def listen(self, window: Window, priority: Priority, timeout_s: float) -> Hypothesis:
        """Ask the engine in use; on failure each other one, as far as the time allows.

        A full first engine passes finals on; partials and recordings can wait.
        """
        deadline = time.monotonic() + timeout_s * len(self._engines)
        last: LingtingError = EngineUnavailable("listen", "no engine is ready", "try again shortly")
        asked = ""
        for engine in self._order():
            left = min(timeout_s, deadline - time.monotonic())
            if left <= 0:
                break
            if asked:
                self._metrics.failovers_total.labels(asked, engine.name).inc()
            try:
                return await self._ask(engine, window, priority, left)
            except Overloaded as error:
                last = error
                if priority is not Priority.FINAL:
                    break
            except EngineUnavailable as error:
                last = error
                self._failed(engine, str(error), "window")
            asked = engine.name
        raise last

    def _order(self) -> list[SpeechEngine]:
        """Closed breakers first, each group best first."""
        return sorted(self._engines, key=lambda e: not self._breakers[e.name].closed)

    async def _ask(
        self, engine: SpeechEngine, window: Window, priority: Priority, timeout_s: float
    ) -> Hypothesis:
        metrics, begun = self._metrics, time.monotonic()
        try:
            heard = await engine.listen(window, priority, timeout_s)
        except LingtingError as error:
            metrics.engine_errors_total.labels(engine.name, error.code).inc()
            raise
        self._breakers[engine.name].served()
        kind = priority.name.lower()
        metrics.engine_windows_total.labels(engine.name, kind).inc()
        metrics.engine_latency_seconds.labels(engine.name, kind).observe(time.monotonic() - begun)
        metrics.engine_audio_seconds_total.labels(engine.name).inc(window.duration_s)
        metrics.engine_batch_windows.labels(engine.name).observe(heard.batch)
        metrics.engine_retries_total.labels(engine.name).inc(heard.retries)
        return replace(heard, engine=engine.name)

    @property
    def in_use(self) -> SpeechEngine:
        """The engine that new windows go to."""
        return self._order()[0]

    def card(self) -> ModelCard:
        return self.in_use.card()

    def health(self) -> Health:
        """Well while any engine is; `detail` has each engine's state."""
        closed = [e.name for e in self._engines if self._breakers[e.name].closed]
        detail = {
            name: "in use" if breaker.closed else f"{breaker.state.value}: {breaker.reason}"
            for name, breaker in self._breakers.items()
        }
        detail["in_use"] = closed[0] if closed else "none"
        if closed and closed[0] in self._legs:
            detail["live_legs"] = str(self._legs[closed[0]])
        return Health(bool(closed), "" if closed else "no engine answers its canary", detail)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(engine.close() for engine in self._engines))
