"""Probes with a known answer, and what an engine is measured to carry."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from appliance.engine import capacity
from appliance.engine.canary import Canary, load_canary
from appliance.engine.capacity import RESERVE, legs_at, measure
from appliance.engine.cost import CostModel
from appliance.errors import BundleError
from inference.bundles import seal
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Priority, Window
from tests.fakes import TEXT, FakeEngine

SOUND = np.full(SAMPLE_RATE_HZ, 0.1, np.float32)


def write_bundle(folder: Path, rate_hz: int = SAMPLE_RATE_HZ, canary: object = None) -> Path:
    with wave.open(str(folder / "canary.wav"), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(bytes(rate_hz * 2))
    facts = {"canary": canary} if canary else {}
    seal(folder, name="t", version="1", kind="whisper", licence="MIT", demo=True, **facts)
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


def always() -> bool:
    return True


async def measured_legs(engine: FakeEngine) -> int | None:
    assert await measure(engine, SOUND, always)
    return legs_at(engine.cost, 2)


async def test_a_faster_engine_is_sold_more_legs() -> None:
    slow = await measured_legs(FakeEngine(delay_s=0.1))
    fast = await measured_legs(FakeEngine(delay_s=0.01))
    assert slow and fast and fast > slow


async def test_weights_too_slow_for_one_call_are_sold_none() -> None:
    cost = CostModel()
    window = Window(np.zeros(4 * SAMPLE_RATE_HZ, np.float32))
    cost.learn(window, Priority.FINAL, Hypothesis("", "zh", work_s=9.0))
    assert legs_at(cost, 2) == 0


async def test_an_engine_that_fails_meanwhile_is_not_measured() -> None:
    dying = FakeEngine(delay_s=0.02)

    async def die() -> None:
        await asyncio.sleep(0.1)
        dying.gone = True

    death = asyncio.create_task(die())
    assert not await measure(dying, SOUND, always)
    await death


async def test_calls_that_come_end_the_measuring() -> None:
    engine = FakeEngine()
    looks = iter([True, False])
    assert await measure(engine, SOUND, lambda: next(looks))
    assert len(engine.listened) == 2, "one length, as a final and as a partial"
    assert {priority for _, priority in engine.listened} == {Priority.RECORDING}


def test_the_gateway_keeps_its_share_of_the_cores() -> None:
    assert legs_at(CostModel(), 2) is None, "nothing is known yet"
    cost = CostModel(lanes=2)
    window = Window(np.zeros(int(capacity.UTTERANCE_S) * SAMPLE_RATE_HZ, np.float32))
    cost.learn(window, Priority.FINAL, Hypothesis("", "zh", work_s=0.2))
    heard = 2 * capacity.UTTERANCE_S / 0.2 / capacity.SPEAKING_SHARE
    gateway = 2 * capacity.GATEWAY_LEGS
    assert legs_at(cost, 2) == int(RESERVE * heard * gateway / (heard + gateway))
