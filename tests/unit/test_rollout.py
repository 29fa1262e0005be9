"""A bundle takes over while calls run, or does not: whatever happens, the old or the new serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.engine.protocol import SpeechEngine
from appliance.engine.switch import ModelSwitch
from appliance.errors import Conflict, EngineUnavailable
from appliance.metrics import Metrics
from appliance.models.library import HeldBundle, ModelLibrary
from appliance.models.lineup import FILE, Lineup
from appliance.models.rollout import Rollout, RolloutPolicy, RolloutStage
from appliance.models.signing import TrustedKeys
from appliance.settings.section import PROJECT
from inference.tensors import Hypothesis, Priority, Window
from tests.fakes import FakeEngine

SERVES = PROJECT / "bundles" / "asr-demo"
STAGE = RolloutStage
POLICY = RolloutPolicy(share=1.0, windows=4, automatic=True)


class TwoEars(FakeEngine):
    """Hears with one voice or another, by variant."""

    def __init__(self) -> None:
        super().__init__("two")
        self.new_hears: Callable[[Hypothesis], Hypothesis] = lambda heard: heard
        self.broken: str | None = None
        self.led = ""

    def _hear(self, window: Window) -> Hypothesis:
        heard = super()._hear(window)
        if window.variant == self.broken and window.variant:
            raise EngineUnavailable("ask", "the new one is broken")
        return self.new_hears(heard) if window.variant else heard

    def lead(self, variant: str, canary: Any) -> None:
        self.led = variant


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    new = PROJECT / "bundles" / "whisper-base"
    return ModelLibrary(tmp_path / "models", TrustedKeys(trusted), [SERVES, new], "0.1.0")


class Stage:
    """A box in small: an engine, calls, a rollout."""

    def __init__(self, folder: Path, library: ModelLibrary) -> None:
        self.engine, self.library = TwoEars(), library
        self.switch = ModelSwitch(self.engine, Metrics())
        self.lineup = Lineup(folder, library)
        self.rollout = Rollout(library, self.lineup, self.switch, SERVES)
        self.bundle: HeldBundle = library.find("whisper-base")

    async def until(self, *stages: RolloutStage) -> None:
        async with asyncio.timeout(10):
            while self.rollout.state().stage not in stages:
                await self.call()
            while STAGE.BACK in stages and self.engine.served:  # until it is let go of
                await asyncio.sleep(0.05)

    async def call(self, engine: SpeechEngine | None = None) -> Hypothesis:
        """One final of a call; of a new one unless it is named."""
        window = Window(0.1 * np.ones(16_000, np.float32))
        if engine:
            return await engine.ask(window, Priority.FINAL, None)
        with self.switch.pinned() as mine:
            heard = await mine.ask(window, Priority.FINAL, None)
        await asyncio.sleep(0.01)
        return heard

    @property
    def asked(self) -> str:
        """Which variant the last question was for."""
        return self.engine.asked[-1][0].variant


@pytest.fixture
async def stage(tmp_path: Path, library: ModelLibrary) -> AsyncIterator[Stage]:
    (tmp_path / "models").mkdir()
    made = Stage(tmp_path / "models", library)
    yield made
    await made.rollout.close()
    await made.switch.close()


@pytest.fixture
def deaf_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake does not hear words: its canary is one without a text."""
    real = __import__("appliance.models.rollout", fromlist=["load_canary"]).load_canary
    monkeypatch.setattr(
        "appliance.models.rollout.load_canary", lambda folder: replace(real(folder), text=None)
    )


@pytest.mark.usefixtures("deaf_canary")
async def test_it_takes_over_and_the_old_ones_calls_end_as_they_began(stage: Stage) -> None:
    with stage.switch.pinned() as old:
        stage.rollout.begin(stage.bundle, POLICY)
        await stage.until(STAGE.SETTLING)
        variant = stage.switch.leading
        assert stage.library.slots()["asr"].active == stage.bundle.ref
        assert stage.engine.led == variant and variant in stage.engine.served
        await stage.call(old)
        assert stage.asked == ""
        await stage.call()
        assert stage.asked == variant
        assert stage.rollout.state().old_calls == 1
    await stage.until(STAGE.DONE)
    assert stage.engine.base == stage.bundle.folder and not stage.engine.served
    assert stage.switch.leading == "" and not stage.lineup.variants()
    with pytest.raises(Conflict, match="serves already"):
        stage.rollout.begin(stage.bundle, POLICY)


async def test_a_bundle_whose_canary_is_wrong_never_hears_a_call(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.engine.new_hears = lambda heard: replace(heard, text="完全不是这句话的内容啊啊啊")
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.BACK)
    assert "canary" in stage.rollout.state().reason
    assert not stage.library.slots()["asr"].active and not stage.engine.served


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_hears_otherwise_does_not_lead(stage: Stage) -> None:
    stage.engine.new_hears = lambda heard: replace(heard, text="全都不一样")
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.BACK)
    assert "alike" in stage.rollout.state().reason
    assert not stage.library.slots()["asr"].active


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_turns_bad_once_it_leads_goes_back_by_itself(stage: Stage) -> None:
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.LEADING)
    stage.engine.new_hears = lambda heard: replace(heard, text="突然不对了")
    await stage.until(STAGE.BACK)
    assert stage.library.slots()["asr"].active == "" and stage.switch.leading == ""
    await stage.call()
    assert stage.asked == ""


@pytest.mark.usefixtures("deaf_canary")
async def test_somebody_decides_and_may_call_it_off(stage: Stage) -> None:
    stage.rollout.begin(stage.bundle, replace(POLICY, automatic=False))
    with pytest.raises(Conflict, match="being tried"):
        stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.READY)
    assert stage.switch.leading == ""
    told = await stage.rollout.abort()
    assert told.stage is STAGE.BACK and told.reason == "it was called off"
    await stage.until(STAGE.BACK)
    assert not stage.engine.served and not stage.lineup.variants()
    with pytest.raises(Conflict):
        await stage.rollout.abort()
    with pytest.raises(Conflict):
        stage.rollout.promote()


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_cannot_be_loaded_is_told_and_the_old_goes_on(stage: Stage) -> None:
    stage.engine.gone = True
    stage.rollout.begin(stage.bundle, POLICY)
    async with asyncio.timeout(5):
        while stage.rollout.state().stage is not STAGE.BACK:
            await asyncio.sleep(0.05)
    assert "gone" in stage.rollout.state().reason


async def test_a_start_after_a_kill_tries_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.lineup.put_on_trial(stage.bundle.ref)
    assert [*stage.lineup.variants().values()] == [stage.bundle.folder]
    (tmp_path / "models" / FILE).write_text("{")
    assert stage.lineup.variants() == {}
    stage.lineup.put_on_trial(stage.bundle.ref)
    stage.rollout.start()
    assert stage.lineup.variants() == {}
