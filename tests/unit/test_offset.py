"""A constant on top of the sound is taken away, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.audio.offset import Offset
from inference.tensors import SAMPLE_RATE_HZ, Audio


def heard(audio: Audio, piece: int = 1600) -> Audio:
    offset = Offset()
    pieces = [offset.off(audio[at : at + piece]) for at in range(0, len(audio), piece)]
    return np.concatenate(pieces)


@pytest.mark.parametrize("constant", [0.5, -0.3, 0.02])
def test_it_is_gone_within_a_moment(constant: float) -> None:
    rng = np.random.default_rng(0)
    sound = (rng.standard_normal(4 * SAMPLE_RATE_HZ) * 0.05).astype(np.float32)
    cleaned = heard(sound + np.float32(constant))
    assert abs(float(cleaned[SAMPLE_RATE_HZ:].mean())) < 0.005
    late = slice(2 * SAMPLE_RATE_HZ, None)
    assert np.corrcoef(cleaned[late], sound[late])[0, 1] > 0.99


def test_sound_without_one_is_left_as_it_is() -> None:
    rng = np.random.default_rng(0)
    sound = (rng.standard_normal(SAMPLE_RATE_HZ) * 0.01).astype(np.float32)
    sound -= sound.mean()
    assert Offset().off(sound) is sound
