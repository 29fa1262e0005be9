"""Cross-talk is silenced, speech is not, however the audio is cut."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from appliance.call.crosstalk import Crosstalk, likeness
from inference.tensors import SAMPLE_RATE_HZ, Audio
from tests.daemon import DEMO_CALL, read_call

SPEAKS_S = {0: (1.0, 5.0), 1: (6.6, 11.0)}  # of the demo call


def call() -> list[Audio]:
    """40 s of both legs, 16 kHz."""
    legs = read_call(DEMO_CALL)[: 40 * 8000]
    return [np.asarray(soxr.resample(legs[:, i], 8000, SAMPLE_RATE_HZ), np.float32) for i in (0, 1)]


def echoed(legs: list[Audio], leg: int, gain_db: float, delay_s: float) -> list[Audio]:
    """The other leg leaks into `leg`, later and fainter, with some noise of the line."""
    late = np.roll(legs[1 - leg], int(delay_s * SAMPLE_RATE_HZ)) * 10 ** (gain_db / 20)
    noise = np.random.default_rng(0).standard_normal(len(late)) * 1e-4
    mixed = list(legs)
    mixed[leg] = (legs[leg] + late + noise).astype(np.float32)
    return mixed


def cleaned(legs: list[Audio], piece_s: float = 0.1) -> tuple[list[Audio], Crosstalk]:
    crosstalk, out = Crosstalk(), []
    step = int(piece_s * SAMPLE_RATE_HZ)
    for at in range(0, len(legs[0]), step):
        out.append(crosstalk.clean([leg[at : at + step] for leg in legs]))
    out.append(crosstalk.rest())
    return [np.concatenate([piece[i] for piece in out]) for i in (0, 1)], crosstalk


def energy(audio: Audio, span_s: tuple[float, float]) -> float:
    first, last = (int(s * SAMPLE_RATE_HZ) for s in span_s)
    return float(np.sum(audio[first:last].astype(np.float64) ** 2))


@pytest.mark.parametrize("delay_s", [0.0, 0.015, 0.05])
@pytest.mark.parametrize("gain_db", [-18.0, -24.0, -30.0])
def test_cross_talk_is_silenced(gain_db: float, delay_s: float) -> None:
    legs = echoed(call(), 1, gain_db, delay_s)
    heard, _ = cleaned(legs)
    assert energy(heard[1], SPEAKS_S[0]) < 0.2 * energy(legs[1], SPEAKS_S[0])


@pytest.mark.parametrize("delay_s", [0.1, 0.18, 0.3])
@pytest.mark.parametrize("gain_db", [-18.0, -26.0])
def test_a_late_echo_is_silenced_once_its_delay_is_known(gain_db: float, delay_s: float) -> None:
    legs = echoed(call(), 1, gain_db, delay_s)
    heard, _ = cleaned(legs)
    spoken = (SPEAKS_S[0][0] + 1.0, SPEAKS_S[0][1])
    assert energy(heard[1], spoken) < 0.25 * energy(legs[1], spoken)
    assert energy(heard[1], SPEAKS_S[1]) > 0.95 * energy(legs[1], SPEAKS_S[1])
    assert energy(heard[0], SPEAKS_S[0]) == energy(legs[0], SPEAKS_S[0])


def test_speech_is_left_alone() -> None:
    legs = echoed(call(), 1, -20.0, 0.02)
    heard, crosstalk = cleaned(legs)
    assert energy(heard[0], SPEAKS_S[0]) == energy(legs[0], SPEAKS_S[0])
    assert energy(heard[1], SPEAKS_S[1]) > 0.98 * energy(legs[1], SPEAKS_S[1])
    clean, _ = cleaned(call())
    assert energy(clean[1], SPEAKS_S[1]) > 0.98 * energy(call()[1], SPEAKS_S[1])
    assert not crosstalk.copied


def test_both_speaking_at_once_are_both_kept() -> None:
    legs = call()
    shifted = np.roll(legs[1], -int((SPEAKS_S[1][0] - SPEAKS_S[0][0]) * SAMPLE_RATE_HZ))
    both = [legs[0], shifted.astype(np.float32)]
    heard, _ = cleaned(both)
    for leg in (0, 1):
        assert energy(heard[leg], SPEAKS_S[0]) > 0.9 * energy(both[leg], SPEAKS_S[0])


def test_a_copy_is_known_and_only_the_first_is_kept() -> None:
    mono = (call()[0] + call()[1]).astype(np.float32)
    heard, crosstalk = cleaned([mono, mono.copy()])
    assert crosstalk.copied
    np.testing.assert_array_equal(heard[0], mono)
    assert energy(heard[1], (0, 40)) < 0.02 * energy(mono, (0, 40))


def test_cutting_the_audio_elsewhere_changes_nothing() -> None:
    legs = echoed(call(), 1, -20.0, 0.02)
    one, _ = cleaned(legs, 0.02)
    other, _ = cleaned(legs, 1.7)
    for leg in (0, 1):
        np.testing.assert_array_equal(one[leg], other[leg])
        assert len(one[leg]) == len(legs[leg])


def test_silence_is_no_bleed() -> None:
    silence = [np.zeros(SAMPLE_RATE_HZ, np.float32)] * 2
    heard, crosstalk = cleaned(silence)
    assert len(heard[0]) == SAMPLE_RATE_HZ and not crosstalk.copied


def test_likeness() -> None:
    rng = np.random.default_rng(1)
    loud = rng.standard_normal(1500).astype(np.float32)
    assert likeness(loud, loud[300:812] * np.float32(0.01)) == pytest.approx(1.0, abs=1e-3)
    assert likeness(loud, rng.standard_normal(512).astype(np.float32)) < 0.3
