"""A synthetic speaker in a mood: what prosody research finds, laid upon espeak's parameters.

The stronger the mood, the further from how the same speaker sounds when calm. These are caricatures
that a model can be built and tested with; people are subtler.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ, Audio, as_audio
from inference.training.voice import Speech, Voice, trim

STRENGTH = {"low": 0.45, "medium": 0.8, "high": 1.2}
WAVER = 0.18  # how much one utterance differs from the next, as a share


@dataclass(frozen=True, slots=True)
class Style:
    """Changes at strength 1."""

    pitch: float = 0.0  # espeak's units, of 100
    pitch_range: float = 0.0
    rate: float = 0.0  # share
    bright_db: float = 0.0  # above 1 kHz
    tremor: float = 0.0  # depth of a wavering loudness, 0..1
    drive: float = 0.0  # how hard the voice is pushed into clipping
    breath: float = 0.0  # noise in the voice, share of its level


STYLES = {
    "calm": Style(),
    "happy": Style(pitch=16, pitch_range=34, rate=0.10, bright_db=3),
    "disappointed": Style(pitch=-9, pitch_range=-18, rate=-0.14, bright_db=-3),
    "anxious": Style(pitch=13, pitch_range=-12, rate=0.28, tremor=0.35),
    "annoyed": Style(pitch=2, pitch_range=16, rate=0.06, bright_db=5, drive=1.5),
    "furious": Style(pitch=22, pitch_range=30, rate=0.16, bright_db=7, drive=6.0),
    "sad": Style(pitch=-14, pitch_range=-26, rate=-0.26, bright_db=-5, breath=0.35, tremor=0.12),
}


def say(
    speak: Callable[[str, Voice], Speech],
    text: str,
    speaker: Voice,
    mood: str,
    level: str,
    rng: random.Random,
) -> Audio:
    """`text` by `speaker` in a mood; level is of no meaning for calm."""
    strength = STRENGTH[level] * (1 + rng.uniform(-WAVER, WAVER))
    style = STYLES[mood]
    voice = replace(
        speaker,
        pitch=_within(speaker.pitch + style.pitch * strength + rng.uniform(-3, 3), 0, 99),
        pitch_range=_within(speaker.pitch_range + style.pitch_range * strength, 2, 99),
        rate_wpm=_within(
            speaker.rate_wpm * (1 + style.rate * strength) * (1 + rng.uniform(-0.05, 0.05)), 80, 400
        ),
    )
    return _colour(trim(speak(text, voice)).audio, style, strength, rng)


def _colour(audio: Audio, style: Style, strength: float, rng: random.Random) -> Audio:
    audio = augment.at_level(audio, -3.0)
    if style.breath:
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(audio))
        loudness = np.sqrt(np.convolve(audio**2, np.ones(320) / 320, mode="same"))
        audio = as_audio(audio + noise * loudness * style.breath * strength)
    if style.tremor:
        hz, phase = rng.uniform(5, 8), rng.uniform(0, 6.28)
        time = np.arange(len(audio)) / RATE_HZ
        depth = min(0.9, style.tremor * strength)
        audio = as_audio(audio * (1 - depth / 2 * (1 + np.sin(2 * np.pi * hz * time + phase))))
    if style.bright_db:
        spectrum = np.fft.rfft(audio)
        hz_ = np.fft.rfftfreq(len(audio), 1 / RATE_HZ)
        gain = 10 ** (style.bright_db * strength / 20 / (1 + np.exp(-(hz_ - 1000) / 150)))
        audio = as_audio(np.fft.irfft(spectrum * gain, len(audio)))
    if style.drive:
        audio = as_audio(np.tanh(augment.at_level(audio, 0.0) * (1 + style.drive * strength)))
    return augment.at_level(audio, -1.0)


def _within(value: float, least: int, most: int) -> int:
    return int(min(most, max(least, round(value))))
