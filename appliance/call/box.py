"""The box as the doors see it: open a call, run a recording, say how it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from appliance import traces
from appliance.audio.decoder import AudioDecoder
from appliance.audio.tagging import SoundTagger
from appliance.audio.vad import Vad
from appliance.call.admission import NONE_ANSWERS, Admission
from appliance.call.call import Call
from appliance.call.ear import Ear
from appliance.call.hints import check_hints
from appliance.call.keeping import Ending, Keep, Keeper, keep_nothing
from appliance.call.lexicon import load_lexicon
from appliance.call.pace import Pace
from appliance.engine.failover import READY
from appliance.engine.protocol import ManagedEngine, SpeechEngine
from appliance.engine.switch import ModelSwitch
from appliance.errors import LingtingError, NoEngine, Overloaded
from appliance.health import Health
from appliance.log_fields import CALL_ID, CALL_NAME, TRACE_ID
from appliance.messages import AUTO, EVERY_TENANT, CallConfig
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.calls import CallPolicy
from appliance.terms.correction import Terms
from inference.tensors import ASR_MODEL, ModelCard

log = logging.getLogger(__name__)

LIVE_HOURS = 24.0  # no live call is longer
DRAIN_POLL_S = 0.05
SETTLE_S = 5.0  # for the last finals, once the time to drain is over
UNMEASURED_LEGS = 32  # admitted while an engine has not been measured


class Box:
    """Owns the engine, the ear all calls share, and every open call."""

    def __init__(
        self,
        settings: Settings,
        engine: ManagedEngine,
        metrics: Metrics,
        keep: Keep = keep_nothing,
    ) -> None:
        self._keep = keep  # who keeps live calls
        self._terms: dict[str, Terms] = {}
        self.settings, self.metrics = settings, metrics
        self._engine, self.switch = engine, ModelSwitch(engine, metrics)
        self._vad, self._tagger = Vad(metrics), SoundTagger()
        self.pace = pace = Pace(settings.call, metrics)
        self._ear = Ear(
            *(engine, self._vad, self._tagger, settings.call, metrics, pace),
            *(settings.speakers, settings.emotions, load_lexicon(settings.city.pack)),
            terms=self._terms_of,
        )
        self.admission = Admission(
            settings.limits, metrics, self._measured_legs, self._why_none, lambda: pace.late_s
        )
        self._calls: set[Call] = set()

    async def start(self) -> None:
        """Until an engine answers; raises BundleError or EngineUnavailable."""
        await asyncio.gather(self._engine.start(), self._vad.warm(), self._tagger.warm())
        card = self._engine.card()
        policy = _fitted(self.settings.call, card)
        self._ear = replace(self._ear, policy=policy, language=_language(policy))

    def take_lexicon(self, pack: Path) -> None:
        """Of another pack, for calls that begin from now on; raises SettingsError."""
        self._ear = replace(self._ear, lexicon=load_lexicon(pack))

    def take_terms(self, terms: Terms, tenant: str = EVERY_TENANT) -> None:
        """A hotline system's or the city's, for finals from now on, running calls' included."""
        self._terms[tenant] = terms

    def _terms_of(self, tenant: str) -> tuple[Terms, ...]:
        lists = (self._terms.get(name) for name in (tenant, EVERY_TENANT))
        return tuple(each for each in lists if each)

    async def close(self) -> None:
        for call in list(self._calls):
            await call.close()
        await self._vad.close()
        await self._tagger.close()
        await self.switch.close()
        await self._engine.close()

    @contextlib.asynccontextmanager
    async def open_call(
        self, config: CallConfig, keeper: Keeper | None = None
    ) -> AsyncIterator[Call]:
        """A call to feed and follow; freed when the context ends, finished or not.

        A recording waits here for its turn. A live call without a keeper of its own is kept by the
        box's.

        Raises:
            Overloaded: the box is full or draining; also from `accept`, at the first audio.
            TooLarge: it is told too much of what to listen for.
        """
        check_hints(config)
        live_legs = 0
        kind, system = _kind(config), self.metrics.system(config.tenant)

        def admit(legs: int) -> None:
            nonlocal live_legs
            if config.live:
                self.admission.talk(config, legs)
                live_legs = legs

        async with contextlib.AsyncExitStack() as stack:
            told: traces.Field = {"door": config.door, "kind": kind, "system": system}
            stack.enter_context(traces.spanning("call", root=True, **told))
            stack.enter_context(self._counting(config))
            if not config.live:
                await stack.enter_async_context(self.admission.recording(config))
            self.admission.open(config)
            stack.callback(lambda: self.admission.close(config, live_legs))
            hours = LIVE_HOURS if config.live else self.settings.limits.recording_hours
            if config.live and keeper is None:
                keeper = await self._keep(config)
            longest_s = hours * 3600
            try:
                reserve = partial(self.admission.decoder, config)
                decoder = AudioDecoder(
                    config.audio, live=config.live, max_duration_s=longest_s, reserve=reserve
                )
                ear = replace(self._ear, engine=stack.enter_context(self._pinned(config)))
                call = Call(config, ear, decoder, admit=admit, keeper=keeper)
            except Exception as error:
                if keeper:
                    await keeper.end(Ending.failed(str(error)))
                raise
            # Whatever one of these meets, the next are done; a drain waits for all.
            stack.callback(self._calls.discard, call)
            stack.push_async_callback(call.hand_over)
            stack.push_async_callback(call.close)
            stack.push_async_callback(self._over, call)
            self._calls.add(call)
            CALL_ID.set(getattr(keeper, "id", ""))
            CALL_NAME.set(config.call_id)
            TRACE_ID.set(traces.trace_id())
            self.metrics.calls_total.labels(config.door, kind).inc()
            self.metrics.system_calls_total.labels(system, kind).inc()
            if config.live:
                live_calls = self.metrics.system_live_calls.labels(system)
                stack.enter_context(live_calls.track_inprogress())
            yield call

    def _pinned(self, config: CallConfig) -> AbstractContextManager[SpeechEngine]:
        return self.switch.pinned(config.model, config.tenant, config.language)

    @contextlib.contextmanager
    def _counting(self, config: CallConfig) -> Iterator[None]:
        """How calls go wrong, by door; refusals by hotline system, too."""
        try:
            yield
        except (Overloaded, NoEngine):  # by door it was counted where it was refused
            system = self.metrics.system(config.tenant)
            self.metrics.system_calls_refused_total.labels(system).inc()
            raise
        except LingtingError as error:
            self.metrics.calls_failed_total.labels(config.door, error.code).inc()
            log.info("call %s failed: %s", config.call_id or "without id", error.code)
            raise
        except Exception:  # a bug; its door says which
            self.metrics.calls_failed_total.labels(config.door, LingtingError.code).inc()
            raise

    async def _over(self, call: Call) -> None:
        kind = _kind(call.config)
        name, seconds = call.config.call_id or "without id", call.duration_ms / 1000
        told = (kind, call.config.door, call.leg_count, seconds)
        log.info("call %s is over: %s by %s, %d legs, %.1f s", name, *told)
        self.metrics.call_duration_seconds.labels(kind).observe(call.duration_ms / 1000)
        if call.config.live:
            await call.wind_up(SETTLE_S)

    def models(self) -> tuple[ModelCard, ...]:
        """Those that recognise speech, the one that hears calls which name none first."""
        return self.switch.cards()

    def cards(self) -> tuple[ModelCard, ...]:
        """Every model that answers, the speech model first."""
        return tuple(self._cards())

    def _cards(self) -> Iterator[ModelCard]:
        yield from self.switch.cards()
        for name in self.settings.models.bundles():
            if name != ASR_MODEL:
                with contextlib.suppress(LingtingError):
                    yield self._engine.card(name)

    def health(self) -> dict[str, Health]:
        """By part of the box; "engine" decides whether it is ready."""
        engine = self._engine.health()
        parts = {"engine": engine}
        for name, state in engine.parts.items():
            parts[name] = Health(state == READY, "" if state == READY else state)
        return parts

    @property
    def draining(self) -> bool:
        return self.admission.draining

    async def drain(self, timeout_s: float) -> None:
        """Refuse new calls and let the running ones end; then finish what they are saying."""
        self.admission.draining = True
        deadline = time.monotonic() + timeout_s
        while self._calls and time.monotonic() < deadline:
            await asyncio.sleep(DRAIN_POLL_S)
        ending = [asyncio.create_task(_end(call)) for call in self._calls]
        if ending:
            await asyncio.wait(ending, timeout=SETTLE_S)

    def _why_none(self) -> tuple[str, str]:
        if self._engine.health().ok:
            cause = "these weights are too slow here for live speech; recordings are taken"
            return cause, "set models.asr to smaller weights, or take a faster machine"
        return NONE_ANSWERS

    def _measured_legs(self) -> int:
        """Of the engine in use; none while no engine answers."""
        health = self._engine.health()
        known = UNMEASURED_LEGS if health.live_legs is None else health.live_legs
        return known if health.ok else 0


def _kind(config: CallConfig) -> str:
    return "live" if config.live else "recording"


def _fitted(policy: CallPolicy, card: ModelCard) -> CallPolicy:
    """No window longer than the model takes."""
    longest = card.window_s - 1.0  # what is kept before and after the speech
    fitted = {
        "max_utterance_s": min(policy.max_utterance_s, longest),
        "partial_window_s": min(policy.partial_window_s, longest),
    }
    return policy.model_copy(update=fitted)


def _language(policy: CallPolicy) -> str | None:
    """Of calls that name none; None: heard from their first seconds."""
    return None if policy.language == AUTO else policy.language


async def _end(call: Call) -> None:
    """A live call keeps what was said; half a recording must never pass for the whole."""
    if call.config.live:
        call.break_off()
        with contextlib.suppress(LingtingError):
            await call.finish()
    else:
        cause, retry_after_s = "the box is shutting down", 10.0
        await call.fail(
            Overloaded("run the recording", cause, "send it again", retry_after_s=retry_after_s)
        )
