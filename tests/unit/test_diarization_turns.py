"""Windows cut and put together again."""

from __future__ import annotations

import numpy as np
import pytest

from inference.diarization.turns import Frames, Turn, merge, to_turns
from inference.diarization.windows import cut

FRAMES = Frames(step_s=0.1, centre_s=0.05)
RATE_HZ = 16_000


@pytest.mark.parametrize(("seconds", "windows"), [(3, 1), (10, 1), (11, 2), (12, 2), (14.5, 4)])
def test_every_sample_is_in_a_window(seconds: float, windows: int) -> None:
    audio = np.arange(int(seconds * RATE_HZ), dtype=np.float32)
    made = cut(audio, 10.0, 2.0)
    assert made.shape == (windows, 10 * RATE_HZ)
    assert made[0, 0] == 0 and made[-1].max() == audio[-1]


def test_voices_that_swap_places_keep_their_speakers() -> None:
    """The second window calls first whom the first window calls second."""
    active = np.zeros((2, 100, 2), np.float32)
    active[0, :40, 0] = active[0, 50:, 1] = 1
    active[1, :20, 1] = active[1, 30:80, 0] = 1
    speakers = np.array([[0, 1], [1, 0]])
    turns = to_turns(merge(active, speakers, FRAMES, hop_s=2.0, most=2), FRAMES, 12.0)
    assert [turn.speaker for turn in turns] == [0, 1]
    assert (turns[0].start_s, turns[0].end_s) == pytest.approx((0.05, 4.05))
    assert turns[1].start_s == pytest.approx(5.05)


def test_as_many_speak_as_are_counted() -> None:
    active = np.ones((1, 10, 2), np.float32)
    both = merge(active, np.array([[0, 1]]), FRAMES, hop_s=2.0, most=2)
    one = merge(active, np.array([[0, 1]]), FRAMES, hop_s=2.0, most=1)
    assert both.sum() == 20 and one.sum() == 10


def test_nobody_speaks() -> None:
    assert to_turns(np.zeros((5, 2), np.bool_), FRAMES, 1.0) == []


def test_who_speaks_first_is_the_first_speaker() -> None:
    chosen = np.zeros((20, 2), np.bool_)
    chosen[:5, 1] = chosen[10:, 0] = True
    assert to_turns(chosen, FRAMES, 1.8) == [
        Turn(0.05, pytest.approx(0.55), 0),
        Turn(pytest.approx(1.05), 1.8, 1),
    ]
