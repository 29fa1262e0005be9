"""Legs that come apart become frames."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.api.grpc.interleave import LONGEST_LEAD_S, Interleaver
from appliance.errors import InvalidRequest


def frames(data: bytes, dtype: str) -> np.ndarray:
    return np.frombuffer(data, dtype).reshape(-1, 2)


@pytest.mark.parametrize(("encoding", "dtype"), [("pcm_s16le", "<i2"), ("alaw", "u1")])
def test_frames_hold_both_legs_in_order(encoding: str, dtype: str) -> None:
    one, two = np.arange(100).astype(dtype), np.arange(100, 200).astype(dtype)
    mixer, out = Interleaver(encoding, 8000, 2), b""
    for at in range(0, 200, 7):  # pieces that split samples
        out += mixer.feed(1, one.tobytes()[at : at + 7])
        out += mixer.feed(2, two.tobytes()[at : at + 7])
    out += mixer.rest()
    np.testing.assert_array_equal(frames(out, dtype), np.stack([one, two], axis=1))


def test_a_leg_that_stays_behind_is_silent() -> None:
    mixer = Interleaver("pcm_s16le", 8000, 2)
    second = bytes([1, 0]) * 8000
    out = b"".join(mixer.feed(1, second) for _ in range(10))
    heard = frames(out, "<i2")
    assert len(heard) == (10 - LONGEST_LEAD_S) * 8000 and not heard[:, 1].any()
    rest = frames(mixer.rest(), "<i2")
    assert len(heard) + len(rest) == 80_000 and (rest[:, 0] == 1).all()


def test_a_leg_that_was_silent_comes_back_in_its_place() -> None:
    """In real time: neither waits for the other, and nothing is early afterwards."""
    now = 0.0
    mixer, out = Interleaver("pcm_s16le", 8000, 2, lambda: now), b""
    piece = {1: bytes([1, 0]) * 800, 2: bytes([2, 0]) * 800}  # 100 ms
    for step in range(200):
        now = step / 10
        out += mixer.feed(1, piece[1])
        if not 50 <= step < 160:  # eleven seconds of nothing
            out += mixer.feed(2, piece[2])
        if step == 150:
            assert len(frames(out, "<i2")) >= 8000 * 15, "what was said is not held up"
    heard = frames(out + mixer.rest(), "<i2")
    assert abs(len(heard) - 160_000) <= 800
    (spoken,) = np.nonzero(heard[:, 1])
    gap = spoken[np.argmax(np.diff(spoken)) :][:2] / 8000
    np.testing.assert_allclose(gap, [5.0, 16.0], atol=0.2)


@pytest.mark.parametrize("sizes", [(101, 50), (100, 51), (3, 1)])
def test_a_leg_may_end_in_half_a_sample(sizes: tuple[int, int]) -> None:
    mixer = Interleaver("pcm_s16le", 8000, 2)
    out = mixer.feed(1, bytes(sizes[0])) + mixer.feed(2, bytes(sizes[1])) + mixer.rest()
    assert len(out) == 2 * (max(sizes) - max(sizes) % 2)


def test_what_cannot_be_put_together_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        Interleaver("auto", 8000, 2)
    with pytest.raises(InvalidRequest):
        Interleaver("alaw", 0, 2)
    with pytest.raises(InvalidRequest, match="leg 3"):
        Interleaver("alaw", 8000, 2).feed(3, b"x")
