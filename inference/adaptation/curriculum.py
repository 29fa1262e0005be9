"""Clips -> jobs: how much of the speech is learned, beside what, and for how long.

A curve is drawn by jobs over more and more of the same speech, each a part of the next one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from inference.adaptation.clips import SpeechClip
from inference.adaptation.job import (
    AdaptationJob,
    AdaptationPlan,
    ClipSource,
    PromptTokens,
    TrainingClip,
)
from inference.adaptation.request import AdaptationRequest
from inference.asr.tokenizer import WhisperTokenizer

CURVE_MIN = (1, 2, 5, 10, 20)  # of speech
LEAST_S = 30.0  # of speech to learn from
LOCAL, GENERAL = "local", "general"
GENERAL_SHARE = 0.5  # of what is drawn, against forgetting
# More speech is learned for longer, though not as much longer.
STEPS_AT_1_MIN, STEPS_A_MIN, MOST_STEPS = 60, 20, 500
PEAK_RATE, CHECKS, PATIENCE = 6e-4, 7, 3
DROPOUT, FOLLOWING = 0.1, 3.0  # against learning few clips by heart, and against forgetting
PART = "encoder/"  # an accent is how words sound; what is said of them stays as it was
JOINED = (0, 2)  # more clips of the same speaker behind one


def points(speech_s: float, minutes: float) -> list[float]:
    """How many minutes of speech each job learns from, the last of them all there is."""
    most = min(speech_s / 60, minutes)
    return [*(float(m) for m in CURVE_MIN if m < 0.8 * most), round(most, 2)]


def nested(clips: Sequence[SpeechClip], minutes: float, seed: int = 1) -> list[SpeechClip]:
    """So many minutes of them, one of each speaker in turn; fewer minutes are the same's head."""
    rng = random.Random(seed)
    queues: dict[str, list[SpeechClip]] = {}
    for clip in clips:
        queues.setdefault(clip.speaker, []).append(clip)
    for queue in queues.values():
        rng.shuffle(queue)
    taken, seconds = list[SpeechClip](), 0.0
    while queues and seconds < minutes * 60:
        for speaker in list(queues):
            clip = queues[speaker].pop()
            taken.append(clip)
            seconds += clip.seconds
            if not queues[speaker]:
                del queues[speaker]
            if seconds >= minutes * 60:
                break
    return taken


def steps(minutes: float) -> int:
    return min(MOST_STEPS, round(STEPS_AT_1_MIN + STEPS_A_MIN * (minutes - 1)))


class Curriculum:
    """Writes jobs into folders of their own; clips lie where they lie."""

    def __init__(
        self, folder: Path, base: Path, tokens: PromptTokens, asked: AdaptationRequest
    ) -> None:
        self._folder, self._base, self._tokens, self._asked = folder, base, tokens, asked
        self._tokenizer = WhisperTokenizer(base / "tokenizer.json")

    def write(
        self,
        name: str,
        minutes: float,
        local: Sequence[SpeechClip],
        general: Sequence[SpeechClip],
        held_out: Sequence[SpeechClip],
    ) -> Path:
        """The job's folder."""
        most = self._asked.steps or steps(minutes)
        plan = AdaptationPlan(
            steps=most,
            peak_rate=PEAK_RATE,
            check_every=max(10, most // CHECKS),
            patience=PATIENCE,
            part=PART,
            masked=True,
            dropout=DROPOUT,
            following=FOLLOWING,
            device=self._asked.device,
        )
        share = GENERAL_SHARE if general else 0.0
        sources = [ClipSource(LOCAL, 1 - share, self._taught(local), JOINED)]
        if general:
            taught = self._taught(general)
            sources.append(ClipSource(GENERAL, share, taught, JOINED, followed=True))
        base, held = str(self._base.resolve()), self._taught(held_out)
        job = AdaptationJob(base, plan, self._tokens, tuple(sources), held)
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        job.save(folder)
        return folder

    def _taught(self, clips: Sequence[SpeechClip]) -> tuple[TrainingClip, ...]:
        return tuple(self._clip(clip) for clip in clips)

    def _clip(self, clip: SpeechClip) -> TrainingClip:
        tokens = tuple(self._tokenizer.encode(clip.text))
        return TrainingClip(clip.file, tokens, clip.speaker, clip.seconds, clip.marked)
