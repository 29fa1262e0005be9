"""Training data: a pool of synthesised utterances on disk, and the windows cut from it.

The pool is shards of SHARD utterances each; a process at low priority keeps adding fresh ones while
the model trains. A window is what the serving side may send: a whole utterance, one cut anywhere,
several with pauses, or no speech at all, through a telephone or not.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ, Audio, as_audio
from inference.asr.features import LogMel
from inference.training import vocabulary
from inference.training.heldout import forbidden as forbidden
from inference.training.text import PUNCTUATION, Sentences
from inference.training.voice import Espeak, draw_voice, trim

SHARD = 1000  # utterances, about 70 minutes, 140 MB
FEATURES = LogMel(feature_size=80, hop_length=320, n_fft=640, chunk_length=30)
FRAME_S = 0.02
_PAUSED = 0.15  # share of utterances with a hesitation
_KEPT = 0.55  # a character belongs to a window when this share of it is inside


# ---- the pool ------------------------------
def write_shard(folder: Path, number: int, forbid: frozenset[str]) -> None:
    """Synthesise shard `number` (its number is its seed) and move it into place at once."""
    rng = random.Random(number)
    sentences, espeak = Sentences(number, forbid), Espeak()
    clips, records, at = list[npt.NDArray[np.int16]](), list[dict[str, object]](), 0
    for _ in range(SHARD):
        text = sentences.draw()
        pauses = frozenset(rng.sample(range(len(text)), 1) if rng.random() < _PAUSED else [])
        speech = trim(espeak.say(text, draw_voice(rng), pauses))
        clip = np.round(np.clip(augment.at_level(speech.audio, -1), -1, 1) * 32767).astype(np.int16)
        starts = [round(start, 3) for start in speech.starts_s]
        records.append(
            {
                "at": at,
                "samples": len(clip),
                "text": text,
                "starts": starts,
                "say": speech.syllables,
            }
        )
        clips.append(clip)
        at += len(clip)
    np.save(folder / f"{number:05d}.tmp.npy", np.concatenate(clips))
    text = json.dumps(records, ensure_ascii=False)
    (folder / f"{number:05d}.tmp.npy").rename(folder / f"{number:05d}.npy")
    (folder / f"{number:05d}.json").write_text(text, encoding="utf-8")


def shards(folder: Path) -> list[int]:
    """Numbers of the finished shards."""
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.json"))


def grow(folder: Path, keep: int, pause_s: float = 0.0) -> None:
    """Add shards for ever, dropping the oldest beyond `keep`. Runs in a process of its own."""
    os.nice(9)
    forbid, parent = forbidden(), os.getppid()
    while os.getppid() == parent:  # ends with the training that started it
        present = shards(folder)
        write_shard(folder, max(present, default=-1) + 1, forbid)
        for number in present[: max(0, len(present) - keep)]:
            (folder / f"{number:05d}.json").unlink()
            (folder / f"{number:05d}.npy").unlink()
        time.sleep(pause_s)


# ---- windows ------------------------------
@dataclass(slots=True)
class ScriptMark:
    """A character of a window, when it is said, and how."""

    character: str
    start_s: float
    end_s: float
    syllable: str


@dataclass(slots=True)
class TrainingWindow:
    """Audio at 16 kHz and what is said in it; `speech` is false for sounds that are none."""

    audio: Audio
    marks: list[ScriptMark] = field(default_factory=list)
    speech: bool = True


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the kinds of window."""

    cut: float = 0.42
    several: float = 0.12
    non_speech: float = 0.04
    codec: float = 0.4
    noise: float = 0.5
    prompt: float = 0.06
    timed: float = 0.07
    clean: bool = False  # no change to the audio at all


WARM_UP = Mix(
    cut=0.15, several=0.0, non_speech=0.0, codec=0.0, noise=0.0, prompt=0.0, timed=0.0, clean=True
)


class Pool:
    """Draws windows from the shards of `folder`, looking for new ones as it goes."""

    def __init__(self, folder: Path, seed: int, mix: Mix) -> None:
        self._folder, self._mix = folder, mix
        self._rng, self._noise = random.Random(seed), np.random.default_rng(seed)

    @cached_property
    def _background(self) -> list[Audio]:
        """Half a minute each of many noises: to make one for every window would cost too much."""
        kinds = ["white", "pink", "brown", "hum", "music", "clicks"] * 5
        return [augment.non_speech(kind, self._noise, 30 * RATE_HZ) for kind in kinds]

    def windows(self) -> Iterator[TrainingWindow]:
        """Windows without end."""
        while True:
            numbers = shards(self._folder)
            try:
                loaded = [
                    self._load(number) for number in self._rng.sample(numbers, min(2, len(numbers)))
                ]
            except FileNotFoundError:  # dropped by `grow` a moment ago
                continue
            drawn = [(audio, record) for audio, records in loaded for record in records]
            self._rng.shuffle(drawn)
            while drawn:
                window = self._compose(drawn)
                self._dress(window)
                yield window

    def _load(self, number: int) -> tuple[npt.NDArray[np.int16], list[dict[str, object]]]:
        audio = np.load(self._folder / f"{number:05d}.npy", mmap_mode="r")
        text = (self._folder / f"{number:05d}.json").read_text(encoding="utf-8")
        return audio, json.loads(text)

    def _compose(self, drawn: list) -> TrainingWindow:  # type: ignore[type-arg]
        rng, mix = self._rng, self._mix
        if rng.random() < mix.non_speech:
            kind = rng.choice(list(augment.NON_SPEECH))
            samples = int(rng.uniform(0.3, 9) * RATE_HZ)
            return TrainingWindow(augment.non_speech(kind, self._noise, samples), speech=False)
        window = self._utterance(*drawn.pop())
        while drawn and rng.random() < mix.several and len(window.audio) < 14 * RATE_HZ:
            window = _join(window, self._utterance(*drawn.pop()), rng.uniform(0.08, 1.3))
        if rng.random() < mix.cut:
            window = self._cut(window)
        return window

    @staticmethod
    def _utterance(audio: npt.NDArray[np.int16], record: dict) -> TrainingWindow:  # type: ignore[type-arg]
        clip = as_audio(audio[record["at"] : record["at"] + record["samples"]] / 32768)
        starts = [*record["starts"], len(clip) / RATE_HZ]
        marks = [
            ScriptMark(character, start, max(end, start), syllable)
            for character, start, end, syllable in zip(
                record["text"], starts, starts[1:], record["say"], strict=False
            )
        ]
        return TrainingWindow(clip, marks)

    def _cut(self, window: TrainingWindow) -> TrainingWindow:
        """Part of a window: mostly its beginning, as a caller who has not finished is heard."""
        rng, length_s = self._rng, len(window.audio) / RATE_HZ
        side = rng.random()  # beginning, middle, end
        start_s = 0.0 if side < 0.6 else rng.uniform(0, length_s * 0.7)
        end_s = length_s if side > 0.85 else rng.uniform(start_s + 0.25, length_s)
        return crop(window, start_s, max(end_s, start_s + 0.2))

    def _dress(self, window: TrainingWindow) -> None:
        """Silence around it, level, noise and codec, in place."""
        rng, mix = self._rng, self._mix
        lead_s = rng.choice([0.0, rng.uniform(0, 0.4), rng.uniform(0, 1)])
        tail_s = rng.choice([0.0, rng.uniform(0, 0.5), rng.uniform(0, 1)])
        lead, tail = round(lead_s * RATE_HZ), round(tail_s * RATE_HZ)
        audio = as_audio(np.pad(window.audio, (lead, max(tail, 3200 - lead - len(window.audio)))))
        for mark in window.marks:
            mark.start_s += lead_s
            mark.end_s += lead_s
        if not mix.clean:
            audio = self._channel(audio, window.speech)
        window.audio = audio

    def _channel(self, audio: Audio, speech: bool) -> Audio:
        rng, mix = self._rng, self._mix
        if speech and rng.random() < mix.noise:
            noise = rng.choice(self._background)
            if len(audio) < len(noise):
                at = rng.randrange(len(noise) - len(audio))
                noise = noise[at : at + len(audio)]
                audio = augment.add_noise(audio, noise, rng.triangular(5, 40, 25))
        audio = augment.at_level(audio, rng.triangular(-35, -1, -9))
        if rng.random() < mix.codec:
            audio = augment.alaw_round_trip(audio)
        return audio


def _join(first: TrainingWindow, second: TrainingWindow, gap_s: float) -> TrainingWindow:
    gap: Audio = np.zeros(round(gap_s * RATE_HZ), np.float32)
    shift_s = (len(first.audio) + len(gap)) / RATE_HZ
    for mark in second.marks:
        mark.start_s += shift_s
        mark.end_s += shift_s
    audio = np.concatenate([first.audio, gap, second.audio]).astype(np.float32)
    return TrainingWindow(audio, first.marks + second.marks)


def crop(window: TrainingWindow, start_s: float, end_s: float) -> TrainingWindow:
    """The part of `window` between two times, with just the characters that are heard in it."""
    kept = list[ScriptMark]()
    for mark in window.marks:
        length = mark.end_s - mark.start_s
        inside = min(mark.end_s, end_s) - max(mark.start_s, start_s)
        spoken = mark.character not in PUNCTUATION
        if inside < _KEPT * length if spoken else not start_s < mark.start_s <= end_s:
            continue
        if spoken or kept:
            kept.append(ScriptMark(mark.character, mark.start_s, mark.end_s, mark.syllable))
    if end_s < len(window.audio) / RATE_HZ - 0.05:  # not at its end: no full stop
        while kept and kept[-1].character in PUNCTUATION:
            kept.pop()
    for mark in kept:
        mark.start_s, mark.end_s = max(0.0, mark.start_s - start_s), mark.end_s - start_s
    return TrainingWindow(window.audio[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)], kept)


# ---- examples ------------------------------
@dataclass(slots=True)
class Example:
    """`features` [80, frames at 20 ms]; decoder input and target ids (-100: not scored); the times
    each decoder row should look at (-1: any); CTC labels."""

    features: npt.NDArray[np.float32]
    inputs: list[int]
    targets: list[int]
    spans_s: list[tuple[float, float]]
    phones: list[int]


_FREE = (-1.0, -1.0)  # a decoder row may look anywhere


def example(window: TrainingWindow, rng: random.Random, mix: Mix) -> Example:
    """Features and targets of `window`, now and then after a prompt or between timestamps."""
    features = FEATURES(window.audio[None])[0]
    if rng.random() < 0.2:  # a recording's windows may share a louder moment's floor
        features = np.maximum(features, features.max() - 2.0 + rng.uniform(0, 0.4))
    said = [mark.character for mark in window.marks]
    if window.marks and rng.random() < mix.timed:
        inputs, targets, spans_s = _timed(window)
    else:
        inputs, targets, spans_s = _plain(window)
        prompt = _prompt(said, rng) if rng.random() < mix.prompt else []
        inputs, spans_s = prompt + inputs, [_FREE] * len(prompt) + spans_s
        targets = [-100] * len(prompt) + targets
    labels = [label for mark in window.marks for label in vocabulary.phone_ids(mark.syllable)]
    return Example(features, inputs, targets, spans_s, labels)


def _plain(window: TrainingWindow) -> tuple[list[int], list[int], list[tuple[float, float]]]:
    """Decoder input, targets and spans without timestamps."""
    ids = vocabulary.encode("".join(mark.character for mark in window.marks))
    first = vocabulary.ZH if window.speech else vocabulary.NO_SPEECH
    end_s = len(window.audio) / RATE_HZ
    spans_s = [(mark.start_s, mark.end_s) for mark in window.marks]
    return (
        [*vocabulary.PROMPT, *ids],
        [first, -100, -100, *ids, vocabulary.EOT],
        [_FREE] * 3 + spans_s + [(max(0.0, end_s - 0.3), end_s)],
    )


def _timed(window: TrainingWindow) -> tuple[list[int], list[int], list[tuple[float, float]]]:
    """The same with a timestamp before and after the text, as stock clients ask by default."""
    ids = vocabulary.encode("".join(mark.character for mark in window.marks))
    start_s, end_s = window.marks[0].start_s, window.marks[-1].end_s
    start, end = vocabulary.timestamp(start_s), vocabulary.timestamp(end_s)
    spans_s = [(mark.start_s, mark.end_s) for mark in window.marks]
    return (
        [*vocabulary.PROMPT[:3], start, *ids, end],
        [vocabulary.ZH, -100, start, *ids, end, vocabulary.EOT],
        [_FREE, _FREE, (start_s, start_s), *spans_s, (end_s, end_s), _FREE],
    )


def _prompt(text: list[str], rng: random.Random) -> list[int]:
    """What was said before, or hot words that may or may not come: the model must not repeat it."""
    size = rng.randint(2, 12)
    at = rng.randrange(max(1, len(text) - size))
    own = text[at : at + size] if rng.random() < 0.4 else []
    alien = rng.sample(vocabulary.TOKENS[4:1500], size)
    return [vocabulary.PREV, *vocabulary.encode("".join(own or alien))]


def batches(
    pool: Pool, mix: Mix, seed: int, frames_per_batch: int, limit_s: float = 30.0
) -> Iterator[list[Example]]:
    """Examples of about equal length together, at most `frames_per_batch` frames after padding."""
    rng, waiting = random.Random(seed), list[Example]()
    for window in pool.windows():
        if len(window.audio) > limit_s * RATE_HZ:
            continue
        waiting.append(example(window, rng, mix))
        if len(waiting) == 640:
            waiting.sort(key=lambda one: one.features.shape[1])
            groups = list(_group(waiting, frames_per_batch))
            rng.shuffle(groups)
            yield from groups
            waiting = []


def _group(ordered: list[Example], frames_per_batch: int) -> Iterator[list[Example]]:
    group = list[Example]()
    for one in ordered:
        if group and one.features.shape[1] * (len(group) + 1) > frames_per_batch:
            yield group
            group = []
        group.append(one)
    yield group
