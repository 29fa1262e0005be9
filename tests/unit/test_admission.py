"""What a refused caller is told about coming back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from unittest.mock import patch

import pytest

from appliance.call import admission
from appliance.call.admission import Admission
from appliance.errors import Overloaded
from appliance.messages import CallConfig
from appliance.metrics import Metrics
from appliance.settings.calls import LimitsSettings

LIVE, SENT = CallConfig(door="riva"), CallConfig(door="openai", live=False)


def refused(box: Admission) -> float:
    with pytest.raises(Overloaded) as refusal:
        box.talk(LIVE, 2)
    assert f"{round(refusal.value.retry_after_s)} s" in str(refusal.value)
    return refusal.value.retry_after_s


def test_a_refused_call_comes_back_after_what_calls_take_to_end() -> None:
    box, now = Admission(LimitsSettings(live_legs=2), Metrics(), lambda: 2), 0.0
    guess = admission.RETRY_LIVE_S
    with patch.object(admission.time, "monotonic", lambda: now):
        box.talk(LIVE, 2)
        assert refused(box) == guess
        for _ in range(30):  # one ends every twenty seconds
            now += 20
            box.close(LIVE, 2)
            box.talk(LIVE, 2)
    assert refused(box) == pytest.approx(20, rel=0.05)


def test_while_finals_are_late_no_more_calls_are_taken() -> None:
    """Whatever was measured when the machine was quieter."""
    late_s = 0.0
    box = Admission(LimitsSettings(), Metrics(), lambda: 40, late_s=lambda: late_s)
    for _ in range(5):
        box.talk(LIVE, 2)
    late_s = 3.2
    assert box.capacity == 10
    with pytest.raises(Overloaded, match=r"10 live legs are busy, finals come 3\.2 s late"):
        box.talk(LIVE, 2)
    for _ in range(5):
        box.close(LIVE, 2)
    box.talk(LIVE, 2)  # the first is taken: how else would it be known?
    late_s = 0.0
    assert box.capacity == 40


def test_a_night_without_calls_is_no_gap() -> None:
    box, now = Admission(LimitsSettings(live_legs=2), Metrics(), lambda: 2), 0.0
    with patch.object(admission.time, "monotonic", lambda: now):
        for pause_s in (0, 36_000):
            now += pause_s
            box.talk(LIVE, 2)
            box.close(LIVE, 2)
        box.talk(LIVE, 2)
    assert refused(box) <= admission.LONGEST_GAP_S


async def test_recordings_likewise() -> None:
    limits = LimitsSettings(recordings=1, recordings_waiting=0)
    box = Admission(limits, Metrics(), lambda: 2)
    async with box.recording(SENT):
        with pytest.raises(Overloaded) as refusal:
            async with box.recording(SENT):
                raise AssertionError
    assert refusal.value.retry_after_s == admission.RETRY_RECORDING_S
    for _ in range(30):
        async with box.recording(SENT):
            await asyncio.sleep(0)
    async with box.recording(SENT):
        with pytest.raises(Overloaded) as refusal:
            async with box.recording(SENT):
                raise AssertionError
    assert refusal.value.retry_after_s < 1


def test_a_place_for_a_decoder_is_there_before_its_process() -> None:
    box = Admission(LimitsSettings(decoders=1), Metrics(), lambda: 2)
    with (
        box.decoder(LIVE),
        pytest.raises(Overloaded, match="1 processes decode"),
        box.decoder(LIVE),
    ):
        raise AssertionError
    with box.decoder(LIVE):
        pass


def test_every_door_uploads_by_one_count_and_is_refused_by_its_own_name() -> None:
    metrics = Metrics()
    box = Admission(LimitsSettings(recordings=1, recordings_waiting=0), metrics, lambda: 2)
    with (
        box.upload("openai", SENT),
        pytest.raises(Overloaded, match="read the upload"),
        box.upload("riva", SENT),
    ):
        raise AssertionError
    labels = {"door": "riva", "reason": "recordings"}
    refused = metrics.registry.get_sample_value("lingting_calls_refused_total", labels)
    assert refused == 1


def test_one_credential_does_not_take_its_systems_whole_share() -> None:
    box = Admission(LimitsSettings(live_legs=8), Metrics(), lambda: 8)
    greedy, modest = (replace(LIVE, tenant="a", credential=name) for name in ("old", "new"))
    box.open(modest)  # it is known, and holds nothing yet
    box.talk(modest, 2)
    box.close(modest, 2)
    taken = 0
    with pytest.raises(Overloaded, match="kept for other"):
        while True:
            box.talk(greedy, 2)
            taken += 2
    assert taken == 6
    box.talk(modest, 2)
