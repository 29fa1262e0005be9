"""Fakes at the protocol edge. They pass the same contract suite as the real engines."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from appliance.engine.canary import Canary
from appliance.engine.cost import CostModel
from appliance.engine.lineup import Variants
from appliance.errors import EngineTimeout, EngineUnavailable, InvalidRequest, Overloaded
from appliance.health import Health
from inference.bundles import load_manifest
from inference.tensors import (
    ASR_MODEL,
    DIARIZATION_MODEL,
    EMOTION_MODEL,
    EMOTIONS,
    LEVELS,
    SAMPLE_RATE_HZ,
    Answer,
    AnswerT,
    Clustering,
    EmotionScores,
    EmotionWindow,
    Hypothesis,
    ModelCard,
    Priority,
    Question,
    Turn,
    Turns,
    Voices,
    VoiceWindow,
    Window,
    Word,
)

SILENCE_RMS = 1e-3
TEXT = "您好我要反映一个问题"


WINDOW_S, HOP_S, FRAME_S = 10.0, 2.0, 0.1  # of its diarization
VOICEPRINTS = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)  # low, high
HIGH_VOICE = 0.1  # zero crossings per sample from which a sound is the other voice
IDENTITY = {"model": "fake 0", "demo": True}


class FakeEngine:
    """Answers a text that depends on the audio alone: one character of TEXT per 200 ms of sound.

    Two voices speak in it: low sounds are one speaker's, high ones the other's.

    `delay_s` slows every answer, `gone` makes it fail, `queue` bounds what may wait of each
    priority, `at_once` what is worked on. It is as if `started` already, unless told otherwise.
    """

    def __init__(
        self,
        name: str = "fake",
        *,
        delay_s: float = 0.0,
        queue: int = 64,
        at_once: int = 1000,
        started: bool = True,
    ) -> None:
        self.name = name
        self.cost = CostModel()
        self.delay_s = delay_s
        self.queue = queue
        self.gone = False
        self.at_once = at_once
        self._started = started
        self.waiting = Counter[Priority]()
        self._busy = 0
        self._line: list[tuple[Priority, int, asyncio.Future[None]]] = []  # a heap
        self._numbers = itertools.count()
        self.served: dict[str, Path] = {}
        self.base: Path | None = None
        self.failed = 0  # windows that met it gone
        self.heard_voices = False  # whether it gave voiceprints away
        self.asked: list[tuple[Question[Any], Priority]] = []

    async def start(self) -> None:
        if self.gone:
            raise EngineUnavailable("start the fake engine", "it is gone")
        self._started = True

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        if not self._started:
            raise EngineUnavailable("ask", "it does not run")
        self.card(question.served_by)
        if not np.isfinite(question.audio).all():
            raise InvalidRequest("ask", "the audio holds NaN or infinity")
        if self.waiting[priority] >= self.queue:
            raise Overloaded("ask", "the queue is full")
        self.waiting[priority] += 1
        try:
            async with asyncio.timeout(timeout_s), self._turn(priority):
                await asyncio.sleep(self.delay_s)
        except TimeoutError as error:
            raise EngineTimeout("ask", f"no answer in {timeout_s} s") from error
        finally:
            self.waiting[priority] -= 1
        if self.gone:
            self.failed += 1
            raise EngineUnavailable("ask", "it is gone")
        self.asked.append((question, priority))
        answer: Any = replace(self._answer(question), work_s=self.delay_s)
        return cast(AnswerT, answer)

    @contextlib.asynccontextmanager
    async def _turn(self, priority: Priority) -> AsyncIterator[None]:
        """The most urgent first, of those the first that came."""
        if self._busy >= self.at_once:
            mine = asyncio.get_running_loop().create_future()
            heapq.heappush(self._line, (priority, next(self._numbers), mine))
            try:
                await mine
            except asyncio.CancelledError:
                if not mine.cancelled():
                    self._next()
                raise
        else:
            self._busy += 1
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        while self._line:
            *_, waiting = heapq.heappop(self._line)
            if not waiting.done():
                waiting.set_result(None)
                return
        self._busy -= 1

    @property
    def listened(self) -> list[tuple[Window, Priority]]:
        """What it was asked for text."""
        return [(q, priority) for q, priority in self.asked if isinstance(q, Window)]

    def _answer(self, question: Question[Any]) -> Answer:
        if isinstance(question, Window):
            return self._hear(question)
        if isinstance(question, VoiceWindow):
            return self._voices(question)
        if isinstance(question, EmotionWindow):
            return _feeling(question)
        if isinstance(question, Clustering):
            return Turns(tuple(_turns(question)), **IDENTITY)
        return self.card(question.MODEL)

    def _hear(self, window: Window) -> Hypothesis:
        silent = len(window.audio) == 0 or float(np.sqrt(np.mean(window.audio**2))) < SILENCE_RMS
        count = 0 if silent else max(1, int(window.duration_s / 0.2))
        text = (TEXT * (count // len(TEXT) + 1))[:count]
        words = tuple(Word(c, i * 200, (i + 1) * 200, 0.9) for i, c in enumerate(text))
        told = {**IDENTITY, "model": " ".join(self._bundle(window.variant))}
        return Hypothesis(text, window.language or "zh", words, confidence=0.9, **told)

    def _bundle(self, variant: str) -> tuple[str, str]:
        """Name and version of what hears."""
        folder = self.served.get(variant) if variant else self.base
        if folder is None:
            return "fake", "0"
        manifest = load_manifest(folder)
        return manifest.name, manifest.version

    def _voices(self, window: VoiceWindow) -> Voices:
        samples = int(FRAME_S * SAMPLE_RATE_HZ)
        if not 0 < len(window.audio) <= WINDOW_S * SAMPLE_RATE_HZ:
            raise InvalidRequest("ask", "the window is empty or too long")
        audio = np.pad(window.audio, (0, int(WINDOW_S * SAMPLE_RATE_HZ) - len(window.audio)))
        frames = audio.reshape(-1, samples)
        loud = np.sqrt(np.mean(frames**2, axis=1)) > SILENCE_RMS
        high = np.mean(np.diff(np.signbit(frames), axis=1), axis=1) > HIGH_VOICE
        active = np.stack([loud & ~high, loud & high], axis=1)
        embeddings = np.where(active.any(axis=0)[:, None], VOICEPRINTS, np.nan)
        self.heard_voices |= bool(active.any())
        return Voices(active, embeddings.astype(np.float32), **IDENTITY)

    async def serve(self, variants: Variants) -> None:
        if self.gone:
            raise EngineUnavailable("load a model", "it is gone")
        self.served = dict(variants)

    def lead(self, variant: str, canary: Canary) -> None:
        """It has no canaries."""

    async def rebase(self, bundle: Path) -> None:
        if self.gone:
            raise EngineUnavailable("load a model", "it is gone")
        self.base = bundle

    def card(self, model: str = ASR_MODEL) -> ModelCard:
        variant = model.partition(".")[2]
        if variant and variant not in self.served:
            raise EngineUnavailable("describe a model", f"there is no {model}")
        if model == DIARIZATION_MODEL:
            sizes = {"window_s": WINDOW_S, "hop_s": HOP_S}
            return ModelCard("fake", "0", "Apache-2.0", tasks=("diarize",), demo=True, **sizes)
        if model == EMOTION_MODEL:
            return ModelCard("fake", "0", "Apache-2.0", tasks=("emotion",), demo=True)
        named = self._bundle(variant)
        return ModelCard(*named, "Apache-2.0", ("zh",), ("transcribe",), 30.0, demo=True)

    def health(self) -> Health:
        well = self._started and not self.gone
        return Health(well, "" if well else "gone")

    async def close(self) -> None:
        self._started = False


def _feeling(question: EmotionWindow) -> EmotionScores:
    """What the words say; calm if they say nothing."""
    if not len(question.audio) or len(question.lexical) != len(EMOTIONS):
        raise InvalidRequest("ask", "the question is empty or has no words' evidence")
    strength = max(question.lexical)
    best = question.lexical.index(strength) if strength else 0
    level = LEVELS[(strength >= 1.0) + (strength >= 1.6)]
    probabilities = tuple(0.94 if i == best else 0.01 for i in range(len(EMOTIONS)))
    sounds = (("pitch", 0.5),)
    share = 0.8 if strength else 0.0
    prosody = tuple(float(np.mean(question.audio**2)) + i for i in range(13))
    return EmotionScores(probabilities, EMOTIONS[best], level, share, sounds, prosody, **IDENTITY)


def _turns(question: Clustering) -> Iterator[Turn]:
    """Of each window the frames up to the next; the first sound is speaker 0."""
    hop = int(HOP_S / FRAME_S)
    pieces = [voices.active[:hop] for voices in question.voices[:-1]]
    whole = np.concatenate(
        [*pieces, *(v.active for v in question.voices[-1:])] or [np.zeros((0, 2))]
    )
    found = list[tuple[int, int, int]]()
    for voice in range(2):
        edges = np.flatnonzero(np.diff(np.pad(whole[:, voice].astype(np.int8), 1))).reshape(-1, 2)
        found += [(int(first), int(after), voice) for first, after in edges]
    order = list(dict.fromkeys(voice for _, _, voice in sorted(found)))
    for first, after, voice in sorted(found):
        yield Turn(first * FRAME_S, after * FRAME_S, order.index(voice))
