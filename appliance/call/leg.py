"""One leg of a call: audio -> speech -> utterances -> partials and finals.

Two passes: while someone speaks a bounded window is recognised every few hundred ms (partials);
at the endpoint the whole utterance is recognised once more, with care (the final). At the early
sign of an end the final pass begins already; if the speaker goes on it is thrown away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import numpy as np

from appliance import traces
from appliance.audio.loudness import loudness_db
from appliance.audio.vad import FRAME, VadState
from appliance.call.agreement import Agreement
from appliance.call.corrected import corrected
from appliance.call.ear import Ear
from appliance.call.endpointing import (
    FRAME_MS,
    ONSET_MS,
    START_HISTORY_MS,
    Endpointer,
    Mark,
    Signal,
)
from appliance.call.final import dressed, final_of
from appliance.call.finishing import Finishing, swallow
from appliance.call.hints import terms_of
from appliance.call.log import EventLog
from appliance.call.passage import Passages
from appliance.call.track import Excerpt, Track
from appliance.call.utterance import OpenUtterance, partial_window
from appliance.errors import EngineUnavailable, LingtingError, Overloaded
from appliance.messages import CallConfig, Final, Partial, TermCorrection
from appliance.pauses import doubling
from inference.tensors import SAMPLE_RATE_HZ, Audio, Hypothesis, Priority, Window

log = logging.getLogger(__name__)

PAD = int(0.2 * SAMPLE_RATE_HZ)  # samples kept before and after the speech of an utterance
# Samples remembered while nobody speaks: an utterance may begin as long before it is noticed.
PRE_ROLL = PAD + (START_HISTORY_MS + ONSET_MS + 2 * FRAME_MS) * SAMPLE_RATE_HZ // 1000
MIN_PARTIAL = int(0.4 * SAMPLE_RATE_HZ)  # no partial of less audio than this
LANGUAGE_FROM = int(2.0 * SAMPLE_RATE_HZ)  # samples that tell a language
LIVE_FINALS, RECORDED_FINALS = 4, 16  # finals one leg may have under way
RETRY_DELAY_S = (0.1, 2.0)  # first and longest pause before a final is tried again


class LegPipeline:
    """State of one leg; `accept` audio, `finish` at hang-up."""

    def __init__(
        self,
        number: int,
        config: CallConfig,
        ear: Ear,
        log: EventLog,
        spoken: Callable[[Final, Excerpt], Awaitable[None]],
    ) -> None:
        self.number = number
        self._spoken = spoken  # told each final with text, once it is published
        self._config, self._ear, self._log = config, ear, log
        self._language = config.language  # None until it was heard
        self._track = Track()
        self._vad_state: VadState | None = None
        self._pending = np.zeros(0, np.float32)  # less than a frame
        self._endpointer = Endpointer(config.endpointing, ear.policy)
        history_ms = config.endpointing.start_history_ms or 0
        self._pre_roll = PRE_ROLL + history_ms * SAMPLE_RATE_HZ // 1000
        self._utterance: OpenUtterance | None = None
        self._utterances = 0
        self._spoken_until = 0  # last sample of the last utterance
        places = LIVE_FINALS if config.live else RECORDED_FINALS
        self._finishing = Finishing(asyncio.Semaphore(places))
        # What is told to come before may come in the passage itself, and would be left out.
        joined_s = (lambda: 0.0) if config.prompt else ear.joined_s
        self._passages = Passages(self._listen_final, joined_s)
        self.finals: list[Final] = []  # of a recording
        self.last_final: Final | None = None
        self._failed: BaseException | None = None

    async def accept(self, audio: Audio) -> None:
        """Take 16 kHz samples [n]; waits while too many finals are under way."""
        if self._failed:
            raise self._failed
        self._track.append(audio)
        pending = np.concatenate((self._pending, audio))
        whole = len(pending) // FRAME * FRAME
        self._pending = pending[whole:]
        if whole:
            frames = pending[:whole]
            odds, self._vad_state = await self._ear.vad.judge(frames, self._vad_state)
            for probability in odds:
                mark = self._endpointer.feed(float(probability))
                if mark:
                    await self._heed(mark)
        self._maybe_partial()
        held = self._utterance.begin if self._utterance else self._track.end
        self._track.forget(min(held, self._endpointer.frame * FRAME) - self._pre_roll)

    async def force_endpoint(self) -> None:
        """End the running utterance now."""
        mark = self._endpointer.force()
        if mark:
            await self._heed(mark)

    async def finish(self) -> None:
        """No more audio: finish what is being said and wait for every final."""
        await self.force_endpoint()
        self._passages.close()
        await self.catch_up()
        if self._failed:
            raise self._failed

    async def catch_up(self) -> None:
        """Wait until the finals under way are published."""
        while self._finishing.tasks:
            await asyncio.wait(self._finishing.tasks)

    def abort(self) -> None:
        """Let go of everything under way."""
        if self._utterance:
            self._cancel_partial(self._utterance)
            self._drop_early(self._utterance)
            traces.end(self._utterance.span)
        self._passages.abort()
        for task in self._finishing.tasks:
            task.cancel()

    async def _heed(self, mark: Mark) -> None:
        at = mark.frame * FRAME
        if mark.signal is Signal.START:
            self._begin(max(at - PAD, self._spoken_until, self._track.begin))
        elif self._utterance is None:
            return
        elif mark.signal is Signal.EARLY_END:
            await self._early_end(self._utterance, at)
        elif mark.signal is Signal.RESUME:
            self._drop_early(self._utterance)
        elif mark.signal is Signal.CUT:
            self._drop_early(self._utterance)
            await self._end(self._utterance, at)
            self._begin(at)
        else:
            await self._end(self._utterance, min(at + PAD, self._track.end))

    def _begin(self, sample: int) -> None:
        self._utterance = OpenUtterance(
            number=self._utterances,
            begin=sample,
            begun_at=time.monotonic(),
            agreement=Agreement(window_from=sample),
            span=traces.begin("utterance", leg=self.number),
            next_partial=sample + MIN_PARTIAL,
        )
        self._utterances += 1

    # --- partials

    def _maybe_partial(self) -> None:
        """Ask for a partial if one is due and none is under way."""
        utterance = self._utterance
        if utterance is None or not (self._config.interim and self._config.live):
            return
        if self._ear.pace.finals_only:
            return
        if utterance.partial or utterance.early or self._track.end < utterance.next_partial:
            return
        interval = int(self._ear.pace.interval_s * SAMPLE_RATE_HZ)
        utterance.next_partial = self._track.end + interval
        with traces.within(utterance.span):
            utterance.partial = asyncio.create_task(self._partial(utterance, self._track.end))

    async def _partial(self, utterance: OpenUtterance, end: int) -> None:
        try:
            if await self._is_music(utterance.begin, end):
                return
            heard = await self._listen_partial(utterance, end)
        except LingtingError as error:
            self._ear.pace.partial_took(self._ear.policy.partial_timeout_s)
            self._ear.metrics.partials_dropped_total.labels(error.code).inc()
            return
        finally:
            utterance.partial = None
        agreement = utterance.agreement
        before = agreement.text
        agreement.update(heard, end)
        agreement.shrink(heard.words)
        if utterance is self._utterance and agreement.text and agreement.text != before:
            self._publish_partial(utterance, end)

    async def _listen_partial(self, utterance: OpenUtterance, end: int) -> Hypothesis:
        policy, agreement = self._ear.policy, utterance.agreement
        longest = int(policy.partial_window_s * SAMPLE_RATE_HZ)
        if end - agreement.window_from > longest:
            agreement.give_up(end - longest)
        window = partial_window(self._window(agreement.window_from, end))
        begun = time.monotonic()
        heard = await self._ear.engine.ask(window, Priority.PARTIAL, policy.partial_timeout_s)
        self._ear.pace.partial_took(time.monotonic() - begun)
        return heard

    def _publish_partial(
        self, utterance: OpenUtterance, end: int, *, end_of_utterance: bool = False
    ) -> None:
        if not utterance.published:
            utterance.published = True
            elapsed = time.monotonic() - utterance.begun_at
            self._ear.metrics.first_partial_seconds.observe(elapsed, traces.exemplar())
        self._ear.metrics.partials_total.inc()
        agreement = utterance.agreement
        self._log.show(
            Partial(
                leg=self.number,
                utterance=utterance.number,
                text=dressed(agreement.text, self._config),
                stable=dressed(agreement.stable_text, self._config),
                start_ms=_ms(utterance.begin),
                end_ms=_ms(end),
                end_of_utterance=end_of_utterance,
            )
        )

    def _cancel_partial(self, utterance: OpenUtterance) -> None:
        if utterance.partial:
            utterance.partial.cancel()

    # --- finals

    async def _early_end(self, utterance: OpenUtterance, at: int) -> None:
        """The speaker seems to have finished: begin the final pass, tell the reader."""
        end = min(at + PAD, self._track.end)
        music = await self._is_music(utterance.begin, end)
        if self._config.live and self._ear.pace.relaxed and not music:
            self._cancel_partial(utterance)
            window = self._window(utterance.begin, end)
            with traces.within(utterance.span):
                utterance.early = asyncio.create_task(self._listen_final(window))
            utterance.early.add_done_callback(swallow)
            utterance.early_end = end
        if self._config.interim and self._config.live and utterance.agreement.text:
            self._publish_partial(utterance, end, end_of_utterance=True)

    def _drop_early(self, utterance: OpenUtterance) -> None:
        if utterance.early:
            utterance.early.cancel()
            utterance.early = None

    async def _end(self, utterance: OpenUtterance, end: int) -> None:
        """The utterance is over: get its final published after those before it."""
        ended_at = time.monotonic()
        self._utterance = None
        self._cancel_partial(utterance)
        if utterance.early:  # nothing was said since
            end = utterance.early_end
        self._spoken_until = end
        music = not utterance.early and await self._is_music(utterance.begin, end)
        with traces.within(utterance.span):
            hearing = utterance.early or self._hearing(self._window(utterance.begin, end), music)
        hearing.add_done_callback(swallow)
        finishing = self._finishing
        try:
            await finishing.places.acquire()
        except asyncio.CancelledError:
            hearing.cancel()
            traces.end(utterance.span)
            raise
        audio = self._track.read(utterance.begin, end)
        final = self._final(utterance, audio, hearing, finishing.last, ended_at)
        task = asyncio.create_task(final)
        task.add_done_callback(lambda _: traces.end(utterance.span))  # however it ended
        finishing.last = task
        finishing.tasks.add(task)
        task.add_done_callback(self._final_done)

    def _hearing(self, window: Window, music: bool) -> asyncio.Future[Hypothesis]:
        if music:
            self._ear.metrics.music_seconds_total.inc(window.duration_s)
            return asyncio.create_task(_nothing(window.language or ""))
        if self._config.live:
            return asyncio.create_task(self._listen_final(window))
        return self._passages.add(window)

    async def _is_music(self, begin: int, end: int) -> bool:
        """Hold music sounds like an utterance, and is none."""
        return await self._ear.tagger.is_music(self._track.read(begin, end))

    def _final_done(self, task: asyncio.Task[None]) -> None:
        self._finishing.tasks.discard(task)
        self._finishing.places.release()
        if not task.cancelled() and (error := task.exception()):
            self._failed = self._failed or error

    async def _final(
        self,
        utterance: OpenUtterance,
        audio: Audio,
        hearing: asyncio.Future[Hypothesis],
        before: asyncio.Task[None] | None,
        ended_at: float,
    ) -> None:
        try:
            heard = await hearing
        except asyncio.CancelledError:
            hearing.cancel()
            raise
        if before:
            await asyncio.wait([before])
        heard, wrong = await self._put_right(heard)
        span_ms = _ms(utterance.begin), _ms(utterance.begin + len(audio))
        place = self.number, utterance.number
        final = final_of(heard, wrong, self._config, place, span_ms, loudness_db(audio))
        if not final.text and not utterance.published:
            return
        if self._config.live:
            latency_s = time.monotonic() - ended_at
            metrics, example = self._ear.metrics, traces.exemplar()
            system = metrics.system(self._config.tenant)
            metrics.endpoint_to_final_seconds.labels(heard.engine).observe(latency_s, example)
            metrics.system_endpoint_to_final_seconds.labels(system).observe(latency_s, example)
        else:
            self.finals.append(final)
        self._ear.metrics.finals_total.labels(heard.engine).inc()
        if final.text:
            self.last_final = final
            self._learn_language(heard, len(audio))
        await self._log.put(final)
        traces.end(utterance.span)
        if final.text:
            await self._spoken(final, Excerpt(audio, _ms(utterance.begin)))

    async def _put_right(self, heard: Hypothesis) -> tuple[Hypothesis, tuple[TermCorrection, ...]]:
        """The city's terms and the caller's own, where they were misheard."""
        config, terms = self._config, self._ear.terms(self._config.tenant)
        if not (terms or config.hotwords) or config.task != "transcribe" or not heard.text:
            return heard, ()
        own = await asyncio.to_thread(terms_of, config.hotwords, config.boosts)
        heard, wrong = await asyncio.to_thread(corrected, heard, own, *terms)
        self._ear.metrics.corrections_total.inc(len(wrong))
        return heard, wrong

    def _learn_language(self, heard: Hypothesis, samples: int) -> None:
        """The first utterance that is long enough decides for the leg: no guess at every window."""
        if self._language is None and samples >= LANGUAGE_FROM:
            self._language = heard.language

    async def _listen_final(self, window: Window) -> Hypothesis:
        """One engine or the other answers in the end; only a long outage fails the call.

        A recording waits as long as it takes for a place in a full queue.
        """
        policy = self._ear.policy
        priority = Priority.FINAL if self._config.live else Priority.RECORDING
        begun, deadline = time.monotonic(), 0.0  # the deadline runs from the first failure
        pauses = doubling(*RETRY_DELAY_S)
        while True:
            try:
                heard = await self._ear.engine.ask(window, priority, None)
                if self._config.live:
                    self._ear.pace.final_took(time.monotonic() - begun)
                return heard
            except (EngineUnavailable, Overloaded) as error:
                if isinstance(error, Overloaded) and not self._config.live:
                    deadline = 0.0  # an engine that is full is at work
                elif not deadline:
                    deadline = time.monotonic() + policy.final_deadline_s
                elif time.monotonic() > deadline:
                    raise
                log.info("a final is tried again: %s", error)
            await asyncio.sleep(next(pauses))

    def _window(self, begin: int, end: int) -> Window:
        config = self._config
        return Window(
            audio=self._track.read(begin, end),
            language=self._language,
            task=config.task,
            prompt=config.prompt,
            beam_size=self._ear.policy.final_beam,
            temperature=config.temperature,
            word_times=config.word_times or bool(config.hotwords or self._ear.terms(config.tenant)),
        )


def _ms(sample: int) -> int:
    return sample * 1000 // SAMPLE_RATE_HZ


async def _nothing(language: str) -> Hypothesis:
    return Hypothesis("", language)
