"""Clips -> batches: as a telephone brings them, and as windows are served.

What is drawn is what the box will be asked: audio with a little silence behind it, not 30 s, and
the bundle's prompt before most of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.adaptation import augment
from inference.adaptation.job import AdaptationJob, ClipSource, TrainingClip, read_clip
from inference.adaptation.waveform import RATE_HZ, Audio, resample
from inference.asr.features import LogMel

LONGEST_S = 14.5  # of clips put together
POOL = 64  # windows that are sorted by length and dealt out together
# Batches have few shapes: each new one costs torch a second and some memory.
GRAIN, TOKENS = RATE_HZ, 16  # samples and tokens that a batch's length is a multiple of
MARGINS_S = ((0.4, 2.0), (2.0, 3.0), (4.0, 5.5))  # of silence behind the audio
TYPICAL_MARGIN_S = 3
PROMPTED = 0.85  # share that is told the bundle's prompt
NOBODY = 0.02  # share in which nobody speaks
# Where the base is followed, it is followed in whatever may come: no text there can be spoiled.
USUAL, VARIED = (0.33, 0.9, 1.12), (0.67, 0.8, 1.3)  # share that is faster or slower, and how much
BESIDE_MUSIC = 0.25  # share
IGNORED = -100  # as torch's losses have it


@dataclass(frozen=True, slots=True)
class LabelledWindow:
    """One window and its text."""

    audio: Audio
    before: tuple[int, ...]  # prompt and start
    text: tuple[int, ...]  # with the end
    marked: bool
    followed: bool = False  # as of its source


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows of one length."""

    mel: NDArray[np.float32]  # [b, mels, frames]
    inputs: NDArray[np.int64]  # [b, n]
    targets: NDArray[np.int64]  # [b, n]; IGNORED where nothing is to be learned
    marked: NDArray[np.bool_]  # [b]
    followed: NDArray[np.bool_]  # [b]


class Batches:
    """Draws without end; `held_out` goes once through what is kept apart.

    Args:
        step: from which it is gone on with; what is drawn is not drawn again.
    """

    def __init__(self, folder: Path, job: AdaptationJob, mel: LogMel, step: int = 0) -> None:
        self._folder, self._job, self._mel = folder, job, mel
        self._rng = random.Random(job.plan.seed + step)
        self._noise = np.random.default_rng(job.plan.seed + step)
        self._mates = [_by_speaker(source) for source in job.sources]

    def __iter__(self) -> Iterator[WindowBatch]:
        while True:
            pool = sorted((self._draw() for _ in range(POOL)), key=lambda w: len(w.audio))
            dealt = list(self._dealt(pool))
            self._rng.shuffle(dealt)
            for windows in dealt:
                batch = self._collated(windows, self._margin_s())
                if self._job.plan.masked:
                    augment.mask(batch.mel, self._noise)
                yield batch

    def held_out(self) -> Iterator[WindowBatch]:
        """Clean and plain, and always the same."""
        windows = [
            LabelledWindow(
                read_clip(self._folder, clip),
                self._prompted,
                self._text([clip]),
                clip.marked,
            )
            for clip in self._job.held_out
        ]
        for some in self._dealt(sorted(windows, key=lambda w: len(w.audio))):
            yield self._collated(some, margin_s=5.0)

    def _dealt(self, windows: list[LabelledWindow]) -> Iterator[list[LabelledWindow]]:
        """Neighbours together, as many as a batch's frames hold."""
        some: list[LabelledWindow] = []
        for window in windows:
            seconds = -(-len(window.audio) // RATE_HZ) + TYPICAL_MARGIN_S
            frames = seconds * RATE_HZ // self._mel.hop_length
            if some and (len(some) + 1) * frames > self._job.plan.frames:
                yield some
                some = []
            some.append(window)
        if some:
            yield some

    def _draw(self) -> LabelledWindow:
        rng, vocabulary = self._rng, self._job.vocabulary
        if rng.random() < NOBODY:
            return LabelledWindow(self._nobody(), self._before(), (vocabulary.end,), True)
        weights = [source.weight for source in self._job.sources]
        at = rng.choices(range(len(weights)), weights)[0]
        clips, followed = self._together(at), self._job.sources[at].followed
        audio = self._spoken(clips, VARIED if followed else USUAL)
        audio = self._spoiled(audio, played=BESIDE_MUSIC if followed else 0.0)
        text, marked = self._text(clips), all(c.marked for c in clips)
        return LabelledWindow(audio, self._before(), text, marked, followed)

    def _together(self, at: int) -> list[TrainingClip]:
        """A clip, and sometimes more of the same speaker's."""
        source = self._job.sources[at]
        clips = [self._rng.choice(source.clips)]
        for _ in range(self._rng.randint(*source.joined)):
            mate = self._rng.choice(self._mates[at][clips[0].speaker])
            if sum(clip.seconds for clip in (*clips, mate)) < LONGEST_S:
                clips.append(mate)
        return clips

    def _text(self, clips: list[TrainingClip]) -> tuple[int, ...]:
        vocabulary = self._job.vocabulary
        said = [token for clip in clips for token in clip.tokens]
        stop = () if clips[-1].marked or not said else vocabulary.stop
        return (*said, *stop, vocabulary.end)

    def _spoken(self, clips: list[TrainingClip], changed: tuple[float, float, float]) -> Audio:
        rng, parts = self._rng, list[Audio]()
        for clip in clips:
            parts += [read_clip(self._folder, clip)]
            parts += [np.zeros(int(rng.uniform(0.05, 0.6) * RATE_HZ), np.float32)]
        audio = np.concatenate(parts[:-1])
        share, slowest, fastest = changed
        if rng.random() >= share:
            return audio
        return resample(audio, 1 / rng.uniform(slowest, fastest))

    def _spoiled(self, audio: Audio, played: float) -> Audio:
        """Level, room, noise, music, tone and telephone, each now and then."""
        rng = self._rng
        audio = augment.at_level(audio, rng.uniform(-22, -1))
        if rng.random() < 0.3:
            audio = augment.reverberated(audio, self._noise, rng.uniform(0.05, 0.25))
        if rng.random() < 0.5:
            noise = augment.coloured_noise(self._noise, len(audio), rng.uniform(0, 2))
            audio = augment.add_noise(audio, noise, rng.uniform(8, 40))
        if rng.random() < played:
            tune = augment.music(self._noise, len(audio))
            audio = augment.add_noise(audio, tune, rng.uniform(3, 25))
        if rng.random() < 0.3:
            audio = augment.tilted(audio, rng.uniform(-0.5, 0.6))
        if rng.random() < self._job.plan.telephone:
            audio = augment.alaw_round_trip(augment.at_level(audio, rng.uniform(-25, -1)))
        return audio

    def _nobody(self) -> Audio:
        samples = int(self._rng.uniform(1, 6) * RATE_HZ)
        kind = self._rng.choice(list(augment.NON_SPEECH))
        noise = augment.non_speech(kind, self._noise, samples)
        return augment.at_level(noise, self._rng.uniform(-40, -6))

    def _before(self) -> tuple[int, ...]:
        prompted = self._rng.random() < PROMPTED
        return self._prompted if prompted else self._job.vocabulary.start

    @property
    def _prompted(self) -> tuple[int, ...]:
        vocabulary = self._job.vocabulary
        return (vocabulary.previous, *vocabulary.prompt, *vocabulary.start)

    def _margin_s(self) -> float:
        return self._rng.uniform(*self._rng.choice(MARGINS_S))

    def _collated(self, windows: list[LabelledWindow], margin_s: float) -> WindowBatch:
        longest = max(len(w.audio) for w in windows) + int(margin_s * RATE_HZ)
        audio = np.zeros((len(windows), -(-longest // GRAIN) * GRAIN), np.float32)
        length = max(len(w.before) + len(w.text) for w in windows) - 1
        length = -(-length // TOKENS) * TOKENS
        inputs = np.full((len(windows), length), self._job.vocabulary.end, np.int64)
        targets = np.full((len(windows), length), IGNORED, np.int64)
        for row, window in enumerate(windows):
            audio[row, : len(window.audio)] = window.audio
            whole = (*window.before, *window.text)
            inputs[row, : len(whole) - 1] = whole[:-1]
            targets[row, len(window.before) - 1 : len(whole) - 1] = window.text
        marked = np.array([window.marked for window in windows])
        followed = np.array([window.followed for window in windows])
        return WindowBatch(self._mel(audio), inputs, targets, marked, followed)


def _by_speaker(source: ClipSource) -> dict[str, list[TrainingClip]]:
    found: dict[str, list[TrainingClip]] = {}
    for clip in source.clips:
        found.setdefault(clip.speaker, []).append(clip)
    return found
