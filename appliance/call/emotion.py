"""In what mood each utterance is said, a moment after its final."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from appliance.call.lexicon import Lexicon, LexiconEvidence
from appliance.call.parts import Part, parts_of
from appliance.call.roles import tell_roles
from appliance.call.timeline import UNKNOWN_SPEAKER, Timeline
from appliance.call.track import Excerpt
from appliance.engine.protocol import SpeechEngine
from appliance.errors import LingtingError
from appliance.messages import (
    CallConfig,
    Cue,
    Emotion,
    EmotionEstimate,
    Final,
    Lasting,
    LegRole,
    Level,
)
from appliance.settings.calls import EmotionsSettings as Policy
from inference.tensors import SAMPLE_RATE_HZ, Audio, EmotionScores, EmotionWindow, Priority

log = logging.getLogger(__name__)

UNDER_WAY = 8  # moods of one call; a recording waits, a live call goes without
LONGEST_S = 12.0  # of an utterance: what the model hears
BASELINE_UTTERANCES = 12  # the newest calm ones of a voice
TEXTS = 12  # of a voice, that its role is told by
ENOUGH = 0.02  # of the evidence, for a cue to be told

Publish = Callable[[Lasting], Awaitable[None]]


class EmotionTracker:
    """One call's. A mood that fails or comes late costs the call nothing but the mood."""

    def __init__(
        self,
        engine: SpeechEngine,
        policy: Policy,
        lexicon: Lexicon,
        config: CallConfig,
        publish: Publish,
    ) -> None:
        self._engine, self._policy, self._lexicon = engine, policy, lexicon
        self._config, self._publish = config, publish
        self._places = asyncio.Semaphore(UNDER_WAY)
        self._tasks: set[asyncio.Task[None]] = set()
        # Of a voice one after another, so that baselines depend on nothing but the call.
        # A voice is a leg, or a speaker where several people share the only one.
        self._turn: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._said: dict[int, list[str]] = defaultdict(list)
        self._calm: dict[int, list[tuple[float, ...]]] = defaultdict(list)  # prosody

    async def feel(self, final: Final, clip: Excerpt, timeline: Timeline | None = None) -> None:
        """Ask for the moods of a final; a live call does not wait for them.

        Args:
            final: published already.
            clip: what was said.
            timeline: who speaks on its leg; None if that is one person's.
        """
        parts = parts_of(final, timeline)
        for part in parts:
            named = self._config.leg_roles[final.leg : final.leg + 1] if timeline is None else ()
            if not self._wanted(part, named) or (self._config.live and self._places.locked()):
                continue
            sound = clip.audio if len(parts) == 1 else clip.cut(part.start_ms, part.end_ms)
            await self._places.acquire()
            asking = self._feel(final, part, sound[: int(LONGEST_S * SAMPLE_RATE_HZ)])
            task = asyncio.create_task(asking)
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()):
            log.debug("no mood: %s", error)

    def _wanted(self, part: Part, named: Sequence[LegRole]) -> bool:
        """The agent's moods are told only where a deployment wants them."""
        if self._policy.agent or part.speaker == UNKNOWN_SPEAKER:
            return True
        said = self._said[part.speaker]
        self._said[part.speaker] = [*said, part.text][-TEXTS:]
        return (named[0] if named else tell_roles(self._said)[part.speaker]) is not LegRole.AGENT

    async def _feel(self, final: Final, part: Part, audio: Audio) -> None:
        async with self._turn[part.speaker]:
            await self._tell(final, part, audio)

    async def _tell(self, final: Final, part: Part, audio: Audio) -> None:
        evidence = self._lexicon.read(part.text)
        known = part.speaker != UNKNOWN_SPEAKER
        calm = self._calm[part.speaker][-BASELINE_UTTERANCES:] if known else []
        question = EmotionWindow(
            audio,
            lexical=evidence.scores,
            baseline=tuple(np.mean(calm, axis=0).tolist()) if calm else (),
        )
        priority = Priority.PARTIAL if self._config.live else Priority.RECORDING
        try:
            felt = await self._engine.ask(question, priority, self._policy.timeout_s)
        except LingtingError as error:
            log.debug("no mood for an utterance: %s", error)
            return
        if felt.emotion in ("", Emotion.CALM.value) and any(felt.prosody):
            self._calm[part.speaker].append(felt.prosody)
        await self._publish(mood_of(final, part, felt, evidence))

    async def catch_up(self) -> None:
        """Wait for all moods under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


def mood_of(
    final: Final, part: Part, felt: EmotionScores, evidence: LexiconEvidence
) -> EmotionEstimate:
    """The model's answer as an event, with what carried it: strongest first."""
    emotion = Emotion(felt.emotion) if felt.emotion else None
    cues: list[Cue] = []
    if emotion:
        cues += evidence.cues(emotion, felt.words_share)
        sound_share = 1 - felt.words_share
        cues += [Cue("sound", name, round(share * sound_share, 4)) for name, share in felt.sounds]
    cues = sorted((c for c in cues if c.weight >= ENOUGH), key=lambda cue: -cue.weight)
    return EmotionEstimate(
        leg=final.leg,
        utterance=final.utterance,
        start_ms=part.start_ms,
        end_ms=part.end_ms,
        emotion=emotion,
        level=Level(felt.level) if felt.level else None,
        probabilities=dict(zip(Emotion, felt.probabilities, strict=True)),
        cues=tuple(cues),
        model=felt.model,
        demo=felt.demo,
        speaker=part.speaker,
    )
