"""espeak-ng in the process: times, repeatable audio. Skipped where it is not installed."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

try:
    ctypes.CDLL("libespeak-ng.so.1")
except OSError:
    pytest.skip("needs Debian's espeak-ng", allow_module_level=True)

from inference.adaptation.waveform import RATE_HZ
from inference.training.heldout import load_set, render, speak
from inference.training.voice import HELD_OUT_VOICES, TRAINING_VOICES, Voice, say_apart, trim


def test_every_character_has_its_time() -> None:
    speech = trim(say_apart("水管漏了，快来看。", Voice("m1")))
    assert speech.syllables == [
        "shui3",
        "guan3",
        "lou4",
        "le5",
        "，",
        "kuai4",
        "lai2",
        "kan4",
        "。",
    ]
    assert speech.starts_s == sorted(speech.starts_s)
    assert len(speech.starts_s) == len(speech.text)
    assert speech.end_s == pytest.approx(len(speech.audio) / RATE_HZ)
    assert 0.05 < np.diff(speech.starts_s)[:4].min() < 0.5


def test_held_out_audio_is_the_same_whatever_was_said_before() -> None:
    items = load_set("unseen_voices")
    alone = render(items[3])
    for item in items[4:8]:
        render(item)
    assert np.array_equal(render(items[3]), alone)


def test_times_fit_the_rendered_audio() -> None:
    item = load_set("alaw")[0]
    audio, speech = render(item), speak(item)
    first = np.flatnonzero(np.abs(audio) > 0.02)[0] / RATE_HZ
    assert speech.starts_s[0] == pytest.approx(first, abs=0.12)
    assert speech.end_s == pytest.approx(len(audio) / RATE_HZ - item.tail_s, abs=0.01)


def test_every_voice_is_installed() -> None:
    """espeak takes a name it does not know for the plain voice, and says nothing."""
    folders = [path / "voices" / "!v" for path in Path("/usr").glob("lib/*/espeak-ng-data")]
    if not folders:
        pytest.skip("espeak-ng's data lie elsewhere")
    installed = {path.name for path in folders[0].iterdir()}
    assert {*TRAINING_VOICES, *HELD_OUT_VOICES} <= installed
