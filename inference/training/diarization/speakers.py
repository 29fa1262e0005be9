"""Many synthetic speakers and what each of them says: the pool both networks learn from.

A speaker is an espeak-ng variant with a pitch, a pitch range and a vocal tract of its own; rate and
pitch wander a little from utterance to utterance, as a person's do.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.adaptation import augment
from inference.adaptation.waveform import Audio, as_audio
from inference.training.text import Sentences
from inference.training.voice import TRAINING_VOICES, Espeak, Voice, trim

PER_SPEAKER = 10  # utterances


def draw_speaker(rng: random.Random, variants: Sequence[str] = TRAINING_VOICES) -> Voice:
    """Somebody new: the voice of all of one speaker's utterances."""
    return Voice(
        variant=rng.choice(variants),
        rate_wpm=rng.randint(145, 215),
        pitch=rng.randint(15, 85),
        pitch_range=rng.randint(30, 75),
        size=round(rng.uniform(0.86, 1.16), 3),
    )


def wander(speaker: Voice, rng: random.Random) -> Voice:
    """The speaker as this utterance has them."""
    return replace(
        speaker,
        rate_wpm=speaker.rate_wpm + rng.randint(-15, 15),
        pitch=min(99, max(0, speaker.pitch + rng.randint(-3, 3))),
        pitch_range=min(99, max(0, speaker.pitch_range + rng.randint(-5, 5))),
    )


def record(folder: Path, number: int) -> None:
    """Speaker `number` (the number is the seed) says PER_SPEAKER sentences into `folder`."""
    rng = random.Random(number)
    speaker, sentences, espeak = draw_speaker(rng), Sentences(number), Espeak()
    clips = list[npt.NDArray[np.int16]]()
    for _ in range(PER_SPEAKER):
        speech = trim(espeak.say(sentences.draw(), wander(speaker, rng)))
        peak = augment.at_level(speech.audio, -1.0)
        clips.append(np.round(np.clip(peak, -1, 1) * 32767).astype(np.int16))
    np.save(folder / f"{number:05d}.npy", np.concatenate(clips))
    facts = {"lengths": [len(clip) for clip in clips], "variant": speaker.variant}
    (folder / f"{number:05d}.json").write_text(json.dumps(facts))


def record_all(folder: Path, count: int, processes: int) -> None:
    """Speakers 0 to `count`; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(count) if not (folder / f"{n:05d}.json").exists()]
    # One process a speaker: espeak keeps state from one sentence to the next.
    with ProcessPoolExecutor(processes, max_tasks_per_child=1) as pool:
        for done, _ in enumerate(pool.map(record, [folder] * len(missing), missing), 1):
            if done % 50 == 0:
                print(f"speakers: {done} of {len(missing)}", flush=True)


@dataclass(frozen=True, slots=True)
class VoicePool:
    """All recorded speakers, by number."""

    clips: list[list[npt.NDArray[np.int16]]]

    @classmethod
    def load(cls, folder: Path) -> VoicePool:
        """Memory-mapped: the pool is shared by all that train on it."""
        clips = []
        for path in sorted(folder.glob("*.json")):
            ends = np.cumsum(json.loads(path.read_text())["lengths"])
            whole = np.load(path.with_suffix(".npy"), mmap_mode="r")
            clips.append(np.split(whole, ends[:-1]))
        return cls(clips)

    def draw(self, speaker: int, rng: random.Random) -> Audio:
        """Some utterance of a speaker, full scale 1.0."""
        clip = rng.choice(self.clips[speaker])
        return as_audio(np.asarray(clip, np.float32) / 32768)
