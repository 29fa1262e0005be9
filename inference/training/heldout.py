"""The fixed held-out sets: recipes in `heldout/*.json`, rendered to audio when needed.

Needs numpy, pypinyin and the system's espeak-ng (`libespeak-ng.so.1`); nothing that trains.
Training never draws a sentence of these sets (`forbidden`), nor a voice of HELD_OUT_VOICES.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from inference.adaptation.augment import alaw_round_trip, at_level, non_speech
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.training.text import plain
from inference.training.voice import Speech, Voice, say_apart, trim

FOLDER = Path(__file__).parent / "heldout"
SETS = ("unseen_sentences", "unseen_voices", "alaw", "free", "phones", "nonspeech")


@dataclass(frozen=True, slots=True)
class Item:
    """One test case: `text` is what a perfect model writes ("" for a sound that is no speech)."""

    id: str
    text: str
    codec: str  # "pcm" or "alaw"
    peak_db: float
    seed: int
    lead_s: float = 0.2  # silence before
    tail_s: float = 0.3  # and after
    voice: Voice | None = None
    sound: str = ""  # a key of augment.NON_SPEECH
    duration_s: float = 0.0


def load_set(name: str) -> list[Item]:
    """The items of one of SETS."""
    raw = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [_item(entry) for entry in raw]


def _item(entry: dict[str, Any]) -> Item:
    voice = entry.pop("voice", None)
    return Item(voice=Voice(**voice) if voice else None, **entry)


def speak(item: Item) -> Speech:
    """What is said in `item`, with the time of every character in `render(item)`."""
    if item.voice is None:
        raise ValueError(f"{item.id} is no speech")
    speech = trim(say_apart(item.text, item.voice))
    starts_s = [start + item.lead_s for start in speech.starts_s]
    return replace(speech, starts_s=starts_s, end_s=speech.end_s + item.lead_s)


def render(item: Item) -> Audio:
    """The audio of `item`: float32, 16 kHz mono, the same samples every time."""
    rng = np.random.default_rng(item.seed)
    if item.voice is None:
        audio = non_speech(item.sound, rng, round(item.duration_s * RATE_HZ))
        audio = audio if item.sound == "silence" else at_level(audio, item.peak_db)
    else:
        spoken = speak(item).audio
        silences = [np.zeros(round(s * RATE_HZ), np.float32) for s in (item.lead_s, item.tail_s)]
        audio = np.concatenate([silences[0], at_level(spoken, item.peak_db), silences[1]])
    return alaw_round_trip(audio) if item.codec == "alaw" else audio


def forbidden() -> frozenset[str]:
    """Keys (`text.plain`) of every held-out sentence and of the demo call: never train on these."""
    from inference.training.demo_call import TURNS

    held_out = {plain(item.text) for name in SETS for item in load_set(name) if item.text}
    return frozenset(held_out | {plain(turn.text) for turn in TURNS})
