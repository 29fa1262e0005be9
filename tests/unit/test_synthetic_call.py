"""Calls of the box's own in quiet hours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.call.box import Box
from appliance.engine.canary import Canary, load_canary
from appliance.messages import CallConfig
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store.calls import Filter
from appliance.watch import synthetic_call
from appliance.watch.history import by_label
from appliance.watch.synthetic_call import SyntheticCalls
from tests.fakes import FakeEngine
from tests.integration.gateway import gateway

KNOWN = load_canary(Settings().models.asr)


@pytest.fixture
async def box(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    """What the fake hears of the canary's audio is what is known of it."""
    monkeypatch.setattr(synthetic_call, "load_canary", lambda _: Canary(KNOWN.audio, None))
    made = Box(Settings(), FakeEngine(), Metrics())
    await made.start()
    yield made
    await made.close()


def counted(box: Box, result: str) -> float:
    labels = {"result": result}
    return box.metrics.registry.get_sample_value("lingting_canary_calls_total", labels) or 0.0


async def test_it_goes_the_whole_way_and_is_counted(box: Box) -> None:
    assert await SyntheticCalls(box, 0).call()
    assert counted(box, "good") == 1
    registry = box.metrics.registry
    assert registry.get_sample_value("lingting_canary_call_last_success_timestamp_seconds")
    assert sum(by_label(box.metrics.finals_total, "engine").values()) == 1
    assert box.admission.live_legs == 0


async def test_other_words_and_a_dead_engine_are_failures(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = synthetic_call.load_canary
    monkeypatch.setattr(
        synthetic_call, "load_canary", lambda _: Canary(KNOWN.audio, "完全不同的一句话")
    )
    assert not await SyntheticCalls(box, 0).call()
    box._engine.gone = True  # type: ignore[attr-defined]
    assert not await SyntheticCalls(box, 0).call()
    assert counted(box, "failed") == 2 and box.admission.calls == 0
    failing = "lingting_canary_calls_failing"
    assert box.metrics.registry.get_sample_value(failing) == 2
    box._engine.gone = False  # type: ignore[attr-defined]
    monkeypatch.setattr(synthetic_call, "load_canary", known)
    assert await SyntheticCalls(box, 0).call()
    assert box.metrics.registry.get_sample_value(failing) == 0


async def test_only_when_nobody_else_calls(box: Box) -> None:
    calls = SyntheticCalls(box, 0.3)
    await calls.start()
    for _ in range(8):
        async with box.open_call(CallConfig()):
            await asyncio.sleep(0.1)
    assert not counted(box, "good")
    async with asyncio.timeout(30):
        while not counted(box, "good"):
            await asyncio.sleep(0.1)
    await calls.close()


async def test_it_is_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_call, "load_canary", lambda _: Canary(KNOWN.audio, None))
    async with gateway(tmp_path) as made:
        calling = asyncio.create_task(SyntheticCalls(made.box, 0).call())
        await asyncio.sleep(0.5)
        assert not made.archive.live()
        assert await calling
        assert not await made.archive.page(Filter(), 10)
