"""What a refused caller is told about coming back."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

import pytest

from appliance.call import admission
from appliance.call.admission import Admission
from appliance.errors import Overloaded
from appliance.metrics import Metrics
from appliance.sections import Limits


def refused(box: Admission) -> float:
    with pytest.raises(Overloaded) as refusal:
        box.talk("riva", 2)
    assert f"{round(refusal.value.retry_after_s)} s" in str(refusal.value)
    return refusal.value.retry_after_s


def test_a_refused_call_comes_back_after_what_calls_take_to_end() -> None:
    box, now = Admission(Limits(live_legs=2), Metrics(), lambda: 2), 0.0
    guess = admission.RETRY_LIVE_S
    with patch.object(admission.time, "monotonic", lambda: now):
        box.talk("riva", 2)
        assert refused(box) == guess
        for _ in range(30):  # one ends every twenty seconds
            now += 20
            box.close(2)
            box.talk("riva", 2)
    assert refused(box) == pytest.approx(20, rel=0.05)


def test_while_finals_are_late_no_more_calls_are_taken() -> None:
    """Whatever was measured when the machine was quieter."""
    late_s = 0.0
    box = Admission(Limits(), Metrics(), lambda: 40, late_s=lambda: late_s)
    for _ in range(5):
        box.talk("riva", 2)
    late_s = 3.2
    assert box.capacity == 10
    with pytest.raises(Overloaded, match=r"10 live legs are busy, finals come 3\.2 s late"):
        box.talk("riva", 2)
    for _ in range(5):
        box.close(2)
    box.talk("riva", 2)  # the first is taken: how else would it be known?
    late_s = 0.0
    assert box.capacity == 40


def test_a_night_without_calls_is_no_gap() -> None:
    box, now = Admission(Limits(live_legs=2), Metrics(), lambda: 2), 0.0
    with patch.object(admission.time, "monotonic", lambda: now):
        for pause_s in (0, 36_000):
            now += pause_s
            box.talk("riva", 2)
            box.close(2)
        box.talk("riva", 2)
    assert refused(box) <= admission.LONGEST_GAP_S


async def test_recordings_likewise() -> None:
    limits = Limits(recordings=1, recordings_waiting=0)
    box = Admission(limits, Metrics(), lambda: 2)
    async with box.recording("openai"):
        with pytest.raises(Overloaded) as refusal:
            async with box.recording("openai"):
                raise AssertionError
    assert refusal.value.retry_after_s == admission.RETRY_RECORDING_S
    for _ in range(30):
        async with box.recording("openai"):
            await asyncio.sleep(0)
    async with box.recording("openai"):
        with pytest.raises(Overloaded) as refusal:
            async with box.recording("openai"):
                raise AssertionError
    assert refusal.value.retry_after_s < 1
