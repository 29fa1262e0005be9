"""No click at a chunk border, at any rate."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.audio.resample import resampler

RATES = (8000, 11025, 16000, 44100, 48000)


def run(rate_hz, pieces):
    stream = resampler(rate_hz, pieces[0].shape[1])
    return np.concatenate([*(stream.feed(piece) for piece in pieces), stream.flush()])


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(RATES),
    st.integers(1, 2),
    st.lists(st.integers(0, 5000), max_size=30),
    st.integers(0, 2**32 - 1),
)
def test_chunked_equals_one_shot(rate_hz, channels, places, seed):
    noise = np.random.default_rng(seed).uniform(-1, 1, (5000, channels)).astype(np.float32)
    pieces = np.split(noise, sorted(places))
    whole = run(rate_hz, [noise])
    assert np.abs(run(rate_hz, pieces) - whole).max() < 1e-4
    assert abs(len(whole) - 5000 * 16000 / rate_hz) <= 1


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("hz", [50, 440, 3300])
def test_a_tone_stays_that_tone_in_its_place(rate_hz, hz):
    def sine(rate):
        return np.sin(2 * np.pi * hz * np.arange(rate) / rate).astype(np.float32)[:, None]

    out = run(rate_hz, np.array_split(sine(rate_hz), 50))
    middle = slice(1000, 15000)
    assert np.abs(out[middle] - sine(16000)[middle]).max() < 1e-3


def test_doubling_adds_nothing_above_the_telephone_band():
    noise = np.random.default_rng(0).standard_normal((80_000, 1)).astype(np.float32)
    noise = soxr.resample(soxr.resample(noise, 8000, 6800), 6800, 8000)  # up to 3.4 kHz
    doubled = run(8000, [noise.astype(np.float32)])[:, 0]
    spectrum = np.abs(np.fft.rfft(doubled * np.hanning(len(doubled))))
    cut = int(len(spectrum) * 4400 / 8000)
    assert np.square(spectrum[cut:]).sum() < 1e-7 * np.square(spectrum).sum()


def test_the_telephones_rate_hardly_lags():
    stream = resampler(8000, 1)
    got = len(stream.feed(np.zeros((800, 1), np.float32)))
    assert 1600 - got <= 64  # 4 ms
