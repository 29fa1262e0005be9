"""Prosody of sounds whose pitch, pace and colour are known."""

from __future__ import annotations

import numpy as np
import pytest

from inference.emotion.prosody import BASE_HZ, NAMES, prosody
from inference.tensors import SAMPLE_RATE_HZ, Audio


def voice(hz: float, seconds: float = 2.0, *, harmonics: int = 12, syllables: float = 4.0) -> Audio:
    """A buzz with that many harmonics, swelling as often as syllables do."""
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    buzz = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, harmonics + 1))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * syllables * t)
    return np.asarray(0.2 * buzz * swell, np.float32)


def named(audio: Audio) -> dict[str, float]:
    return dict(zip(NAMES, map(float, prosody(audio)), strict=True))


@pytest.mark.parametrize("hz", [80.0, 120.0, 200.0, 330.0])
def test_pitch_is_found(hz: float) -> None:
    assert named(voice(hz))["pitch"] == pytest.approx(12 * np.log2(hz / BASE_HZ), abs=0.5)


def test_level_does_not_matter() -> None:
    buzz = voice(150, harmonics=22)
    loud, soft = prosody(buzz), prosody(buzz * np.float32(0.05))
    np.testing.assert_allclose(loud, soft, atol=0.05)


def test_pace_counts_syllables() -> None:
    assert named(voice(150, 4, syllables=3))["pace"] == pytest.approx(3, abs=0.6)
    assert named(voice(150, 4, syllables=6))["pace"] == pytest.approx(6, abs=1.0)


def test_a_brighter_voice_is_brighter() -> None:
    assert (
        named(voice(150, harmonics=30))["brightness"] > named(voice(150, harmonics=5))["brightness"]
    )


def test_a_rising_voice_rises() -> None:
    t = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * np.cumsum(120 * 2 ** (t / 2)) / SAMPLE_RATE_HZ
    rising = sum(np.sin(k * phase) / k for k in range(1, 8)).astype(np.float32) * np.float32(0.2)
    found = named(rising)
    assert found["pitch_slope"] == pytest.approx(6, abs=1) and found["pitch_range"] > 6


@pytest.mark.parametrize("audio", [np.zeros(32_000), np.zeros(10), np.full(32_000, 0.5)])
def test_without_a_voice_there_is_nothing(audio: Audio) -> None:
    assert not prosody(audio.astype(np.float32)).any()
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    assert np.isfinite(prosody(noise)).all()
