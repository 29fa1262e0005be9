"""Synthetic utterances in moods, with their labels: what the head and the fusion learn from.

Of each speaker: calm utterances first, whose prosody is the baseline, then every mood at every
level. What is said suits the mood, or says nothing of it, or now and then contradicts it.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.tensors import EMOTIONS, LEVELS
from inference.training.diarization.speakers import draw_speaker
from inference.training.emotion.voices import say
from inference.training.text import Sentences
from inference.training.voice import HELD_OUT_VOICES, TRAINING_VOICES, Espeak

SENTENCES = Path(__file__).with_name("sentences.toml")
HELD_OUT_EVERY = 4
LONGEST_S = 12.0
CALM_UTTERANCES, BASELINE_UTTERANCES = 6, 3
SUITS, CONTRADICTS = 0.55, 0.08  # shares of utterances


@dataclass(frozen=True, slots=True)
class TrainingSample:
    """One utterance."""

    text: str
    emotion: str
    level: str
    audio: Audio = field(repr=False)
    calm: tuple[Audio, ...] = field(repr=False)  # of the same speaker


def load_sentences(*, held_out: bool) -> dict[str, dict[str, list[str]]]:
    """By emotion and level."""
    raw = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    return {
        emotion: {
            level: [
                text
                for number, text in enumerate(texts)
                if (number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) is held_out
            ]
            for level, texts in levels.items()
        }
        for emotion, levels in raw.items()
    }


def speak(seed: int, *, held_out: bool) -> Iterator[TrainingSample]:
    """All utterances of one speaker; the seed is the speaker."""
    rng = random.Random(f"{'held out' if held_out else 'mood'}-{seed}")
    speaker = draw_speaker(rng, HELD_OUT_VOICES if held_out else TRAINING_VOICES)
    sentences, neutral = load_sentences(held_out=held_out), Sentences(500_000 + seed)
    espeak = Espeak()
    calm = tuple(
        say(espeak.say, neutral.draw(), speaker, "calm", "low", rng)
        for _ in range(BASELINE_UTTERANCES)
    )
    moods = [("calm", "low")] * CALM_UTTERANCES
    moods += [(emotion, level) for emotion in EMOTIONS[1:] for level in LEVELS]
    for emotion, level in moods:
        text = _text(emotion, level, sentences, neutral, rng)
        audio = say(espeak.say, text, speaker, emotion, level, rng)[: int(LONGEST_S * RATE_HZ)]
        yield TrainingSample(text, emotion, level, _recorded(audio, rng), calm)


def _text(
    emotion: str,
    level: str,
    sentences: dict[str, dict[str, list[str]]],
    neutral: Sentences,
    rng: random.Random,
) -> str:
    chance = rng.random()
    if chance < CONTRADICTS:
        other = rng.choice([each for each in sentences if each != emotion])
        return rng.choice(sentences[other][rng.choice(LEVELS)])
    if emotion != "calm" and chance < CONTRADICTS + SUITS:
        return rng.choice(sentences[emotion][level])
    return neutral.draw()


def _recorded(audio: Audio, rng: random.Random) -> Audio:
    """By telephone, or nearly."""
    if rng.random() < 0.6:
        audio = augment.alaw_round_trip(audio)
    if rng.random() < 0.6:
        noises = np.random.default_rng(rng.getrandbits(32))
        noise = augment.coloured_noise(noises, len(audio), rng.uniform(0, 2))
        audio = augment.add_noise(audio, noise, rng.uniform(12, 35))
    return augment.at_level(audio, rng.uniform(-15, -1))
