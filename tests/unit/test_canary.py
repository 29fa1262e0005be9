"""Probes with a known answer, and what an engine is measured to carry."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from appliance.engine import capacity
from appliance.engine.canary import Canary, load_canary
from appliance.engine.capacity import (
    LEAST_LEGS,
    MOST_LEGS,
    RESERVE,
    TOGETHER,
    legs_at,
    measure_legs,
    rate,
)
from appliance.errors import BundleError
from inference.tensors import SAMPLE_RATE_HZ
from tests.fakes import TEXT, FakeEngine

SOUND = np.full(SAMPLE_RATE_HZ, 0.1, np.float32)


def write_bundle(folder: Path, rate_hz: int = SAMPLE_RATE_HZ, canary: object = None) -> Path:
    with wave.open(str(folder / "canary.wav"), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(bytes(rate_hz * 2))
    manifest = {"canary": canary} if canary else {}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


async def test_the_known_answer_is_asked_for() -> None:
    engine = FakeEngine()
    assert (await Canary(SOUND, TEXT[:5]).probe(engine, 1)).ok
    verdict = await Canary(SOUND, "完全别的").probe(engine, 1)
    assert not verdict.ok and TEXT[:5] in verdict.reason


async def test_one_wrong_character_is_rounding_not_a_lie() -> None:
    assert (await Canary(SOUND, "您好你要反").probe(FakeEngine(), 1)).ok


async def test_a_slow_or_dead_engine_fails_it() -> None:
    slow, dead = FakeEngine(delay_s=1), FakeEngine()
    dead.gone = True
    canary = Canary(SOUND, None)
    assert not (await canary.probe(slow, 0.05)).ok
    assert not (await canary.probe(dead, 1)).ok


def test_a_bundle_brings_its_own(tmp_path: Path) -> None:
    made = write_bundle(tmp_path, canary={"audio": "canary.wav", "text": "您好"})
    canary = load_canary(made)
    assert canary.text == "您好" and len(canary.audio) == SAMPLE_RATE_HZ


def test_without_one_a_tone_is_asked(tmp_path: Path) -> None:
    canary = load_canary(write_bundle(tmp_path))
    assert canary.text is None and len(canary.audio)


@pytest.mark.parametrize(
    "canary", [{"audio": "gone.wav", "text": "x"}, {"text": "x"}, {"audio": "manifest.json"}, "x"]
)
def test_a_broken_one_is_named(tmp_path: Path, canary: object) -> None:
    with pytest.raises(BundleError, match=str(tmp_path)):
        load_canary(write_bundle(tmp_path, canary=canary))


def test_another_rate_is_refused(tmp_path: Path) -> None:
    made = write_bundle(tmp_path, 8000, {"audio": "canary.wav", "text": "您好"})
    with pytest.raises(BundleError, match="16 kHz"):
        load_canary(made)


async def test_a_faster_engine_is_sold_more_legs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MEASURE_S", 0.3)
    slow = await measure_legs(FakeEngine(delay_s=0.1), SOUND)
    fast = await measure_legs(FakeEngine(delay_s=0.01), SOUND)
    assert slow and fast and fast > slow


async def test_an_engine_that_fails_meanwhile_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity, "MEASURE_S", 0.3)
    dying = FakeEngine(delay_s=0.02)

    async def die() -> None:
        await asyncio.sleep(0.1)
        dying.gone = True

    death = asyncio.create_task(die())
    assert await measure_legs(dying, SOUND) is None
    await death


async def test_a_queue_shorter_than_we_ask_at_once_is_measured_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity, "MEASURE_S", 0.3)
    assert await measure_legs(FakeEngine(delay_s=0.01, queue=2), SOUND)


def test_the_median_round_counts() -> None:
    steady = [0.1 * (i // TOGETHER) for i in range(8 * TOGETHER)]
    disturbed = [t + (2.0 if i >= 5 * TOGETHER else 0.0) for i, t in enumerate(steady)]
    assert rate(steady) == pytest.approx(TOGETHER / 0.1)
    assert rate(disturbed) == pytest.approx(rate(steady))
    assert rate([0.1]) == pytest.approx(1 / capacity.MEASURE_S)


def test_the_gateway_keeps_its_share_of_the_cores() -> None:
    assert legs_at(0.0, 2) == LEAST_LEGS
    assert legs_at(1e9, 64) == MOST_LEGS
    heard = 100 * capacity.INTERVAL_S / capacity.SPEAKING_SHARE  # legs, had the gateway no work
    assert legs_at(100, 2) == int(RESERVE * heard * 800 / (heard + 800))
