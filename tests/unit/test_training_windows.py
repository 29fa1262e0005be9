"""Windows cut from speech carry just the characters heard in them. No torch, no espeak."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from inference.adaptation.augment import (
    NON_SPEECH,
    alaw_round_trip,
    at_level,
    encode_alaw,
    non_speech,
)
from inference.adaptation.waveform import RATE_HZ, resample
from inference.training.corpus import Mix, ScriptMark, TrainingWindow, crop, example
from inference.training.demo_call import wave_file
from inference.training.vocabulary import EOT, IDS, NO_SPEECH, PROMPT, TOKENS, ZH, encode, timestamp
from inference.training.voice import phones, syllables

PLAIN = Mix(prompt=0.0, timed=0.0)


def window(text: str = "水管漏了，快来。") -> TrainingWindow:
    """Every character lasts 0.2 s; marks take no time."""
    marks, at = list[ScriptMark](), 0.0
    for character, syllable in zip(text, syllables(text), strict=True):
        length = 0.0 if character in "，。？" else 0.2
        marks.append(ScriptMark(character, at, at + length, syllable))
        at += length
    return TrainingWindow(np.full(round(at * RATE_HZ), 0.1, np.float32), marks)


def heard(cut: TrainingWindow) -> str:
    return "".join(mark.character for mark in cut.marks)


@pytest.mark.parametrize(
    ("start_s", "end_s", "text"),
    [
        (0.0, 1.2, "水管漏了，快来。"),
        (0.0, 0.6, "水管漏"),
        (0.0, 0.8, "水管漏了"),  # no comma at a cut
        (0.0, 0.72, "水管漏了"),  # more than half of it is heard
        (0.0, 0.68, "水管漏"),
        (0.2, 1.2, "管漏了，快来。"),
        (0.45, 0.95, "漏了，快"),
        (0.02, 0.08, ""),
    ],
)
def test_crop_keeps_what_is_heard(start_s: float, end_s: float, text: str) -> None:
    cut = crop(window(), start_s, end_s)
    assert heard(cut) == text
    assert len(cut.audio) == round((end_s - start_s) * RATE_HZ)
    assert all(0 <= mark.start_s <= mark.end_s <= end_s - start_s + 0.1 for mark in cut.marks)


def test_example_of_speech() -> None:
    made = example(window("好的。"), random.Random(1), PLAIN)
    assert made.inputs == [*PROMPT, *encode("好的。")]
    assert made.targets == [ZH, -100, -100, *encode("好的。"), EOT]
    assert len(made.spans_s) == len(made.inputs)
    assert made.features.shape == (80, 20)


def test_example_of_no_speech_is_empty() -> None:
    silent = TrainingWindow(np.zeros(RATE_HZ, np.float32), speech=False)
    made = example(silent, random.Random(1), PLAIN)
    assert made.targets == [NO_SPEECH, -100, -100, EOT]


def test_prompt_is_not_scored() -> None:
    made = example(window(), random.Random(2), Mix(prompt=1.0, timed=0.0))
    before = made.inputs.index(PROMPT[0])
    assert made.inputs[0] == IDS["<|startofprev|>"]
    assert made.targets[:before] == [-100] * before


def test_timestamps_enclose_the_text() -> None:
    made = example(window("好的。"), random.Random(1), Mix(timed=1.0))
    start, end = timestamp(0.0), timestamp(0.4)
    assert made.inputs == [*PROMPT[:3], start, *encode("好的。"), end]
    assert made.targets == [ZH, -100, start, *encode("好的。"), end, EOT]
    assert len(made.spans_s) == len(made.inputs)
    assert timestamp(99.0) == IDS["<|30.00|>"]


def test_vocabulary_has_the_stock_order() -> None:
    assert "" in TOKENS  # makes CTranslate2 send the language
    assert len(TOKENS) == len(IDS)
    assert EOT < ZH < NO_SPEECH < IDS["<|0.00|>"] == len(TOKENS) - 1501


def test_phones() -> None:
    assert phones("zhong1") == ["zh", "ong1"]
    assert phones("er4") == ["er4"]
    assert syllables("漏了，") == ["lou4", "le5", "，"]


def test_alaw_keeps_length_and_speech() -> None:
    time = np.arange(12_345) / RATE_HZ
    tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    narrow = alaw_round_trip(tone)
    assert len(narrow) == len(tone)
    middle = slice(2000, 10_000)
    assert np.sqrt(np.mean((narrow[middle] - tone[middle]) ** 2)) < 0.01


def test_alaw_bytes_of_known_values() -> None:
    samples = np.array([0.0, 1.0, -1.0], np.float32)
    assert encode_alaw(samples) == bytes([0xD5, 0xAA, 0x2A])


def test_resample_changes_length_only() -> None:
    assert len(resample(np.zeros(1000, np.float32), 0.5)) == 500


@pytest.mark.parametrize("kind", list(NON_SPEECH))
def test_sounds_are_seeded_and_finite(kind: str) -> None:
    made = [non_speech(kind, np.random.default_rng(3), 8000) for _ in range(2)]
    assert np.array_equal(made[0], made[1])
    assert len(made[0]) == 8000
    assert np.isfinite(at_level(made[0], -6.0)).all()


def test_demo_call_is_stereo_alaw() -> None:
    left = np.zeros(80, np.float32)
    data = wave_file(left, left + 0.5)
    tag, channels, rate = struct.unpack_from("<HHI", data, 20)
    assert (tag, channels, rate) == (6, 2, 8000)
    assert len(data) == 20 + 18 + 12 + 8 + 160
