"""A bundle takes over while calls run, or does not: whatever happens, the old or the new serves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import numpy as np
import pytest

from appliance.engine.failover import READY
from appliance.engine.protocol import SpeechEngine
from appliance.engine.switch import ModelSwitch
from appliance.errors import BundleError, Conflict, EngineUnavailable, InvalidRequest
from appliance.health import Health
from appliance.metrics import Metrics
from appliance.models import loading as loading_module
from appliance.models.library import HeldBundle, ModelLibrary
from appliance.models.lineup import FILE, Lineup, variant_name
from appliance.models.loading import BundleLoading
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
    shipped = [SERVES, *(PROJECT / "bundles" / name for name in ("whisper-base", "emotion-words"))]
    return ModelLibrary(tmp_path / "models", TrustedKeys(trusted), shipped, "0.1.0")


class Stage:
    """A box in small: an engine, calls, a rollout."""

    def __init__(self, folder: Path, library: ModelLibrary) -> None:
        self.engine, self.library = TwoEars(), library
        self.switch = ModelSwitch(self.engine, Metrics())
        self.lineup, self.late_s = Lineup(folder, library), 0.0
        self.engine.base = SERVES
        self.loading = BundleLoading(library, self.lineup, self.switch, SERVES)
        self.loading.start()
        self.rollout = Rollout(self.loading, self.switch, lambda: self.late_s, tell=self.tell)
        self.told: list[tuple[str, ...]] = []
        self.bundle: HeldBundle = library.find("whisper-base")

    async def tell(self, *what: str) -> None:
        self.told.append(what)

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
    real = loading_module.load_canary
    monkeypatch.setattr(loading_module, "load_canary", lambda f: replace(real(f), text=None))


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
    assert [act for act, *_ in stage.told] == ["bundle.leads", "bundle.settled"]
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
    act, ref, why = stage.told[-1]
    assert (act, ref) == ("bundle.back", stage.bundle.ref) and "alike" in why
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
    await stage.loading.change(lambda state: replace(state, trial=stage.bundle.ref))
    assert [*stage.lineup.variants().values()] == [stage.bundle.folder]
    (tmp_path / "models" / FILE).write_text("{")
    assert stage.lineup.variants() == {}
    await stage.loading.change(lambda state: replace(state, trial=stage.bundle.ref))
    stage.loading.start()
    assert stage.lineup.variants() == {} and stage.lineup.base() is None


@pytest.mark.usefixtures("deaf_canary")
async def test_it_is_called_off_while_it_is_being_activated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing gigabytes takes its time, and cannot be cut off."""
    real = stage.library.activate

    def slowly(slot: str, ref: str) -> HeldBundle:
        time.sleep(0.5)
        return real(slot, ref)

    monkeypatch.setattr(stage.library, "activate", slowly)
    stage.rollout.begin(stage.bundle, replace(POLICY, automatic=False))
    await stage.until(STAGE.READY)
    stage.rollout.promote()
    await asyncio.sleep(0.25)
    await asyncio.gather(*(stage.rollout.abort() for _ in range(3)), return_exceptions=True)
    assert stage.rollout.state().stage is STAGE.BACK
    assert stage.library.slots()["asr"].active == "" and stage.switch.leading == ""


@pytest.mark.usefixtures("deaf_canary")
async def test_whoever_calls_it_off_again_and_again_changes_nothing(stage: Stage) -> None:
    stage.rollout.begin(stage.bundle, replace(POLICY, windows=1000, automatic=False))
    await stage.until(STAGE.SHADOW)
    stage.rollout.promote()
    await stage.until(STAGE.LEADING)
    calls = (stage.rollout.abort() for _ in range(5))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert any(not isinstance(each, Exception) for each in told)
    await stage.until(STAGE.BACK)
    await stage.call()
    assert stage.asked == "" and stage.library.slots()["asr"].active == ""


@pytest.mark.usefixtures("deaf_canary")
async def test_the_way_back_is_as_it_was_before(stage: Stage) -> None:
    """What `rollback` would go back to is not the bundle that was thrown out."""
    stage.library.activate("asr", SERVES.name)
    before = stage.library.slots()["asr"]
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.LEADING)
    with pytest.raises(Conflict, match="being tried"):
        stage.rollout.check_free("asr")
    stage.engine.new_hears = lambda heard: replace(heard, text="突然不对了")
    await stage.until(STAGE.BACK)
    assert stage.library.slots()["asr"] == before
    stage.rollout.check_free("emotion")


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_another_has_to_stand_in_for_goes_back(stage: Stage) -> None:
    """Behind a standby of its own the engines are well, and every window is answered."""
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.LEADING)
    stage.engine.new_hears = lambda heard: replace(heard, model="standby 1")
    await stage.until(STAGE.BACK)
    assert "did not answer itself" in stage.rollout.state().reason


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_fails_calls_while_it_leads_goes_back(stage: Stage) -> None:
    """Its canary passes, real windows do not: nobody stands in."""
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.LEADING)
    stage.engine.broken = variant_name(stage.bundle.ref)
    async with asyncio.timeout(10):
        while stage.rollout.state().stage is not STAGE.BACK:
            with contextlib.suppress(EngineUnavailable):
                await stage.call()
    assert "did not answer itself" in stage.rollout.state().reason


@pytest.mark.usefixtures("deaf_canary")
async def test_an_engine_that_dies_of_it_sends_it_back(stage: Stage) -> None:
    parts = {"triton": READY, "cpu": READY}
    stage.engine.health = lambda: Health(True, parts=parts)  # type: ignore[method-assign]
    stage.rollout.begin(stage.bundle, replace(POLICY, automatic=False))
    await stage.until(STAGE.READY)
    parts["triton"] = "open: it is gone"
    await stage.until(STAGE.BACK)
    assert "triton does not answer" in stage.rollout.state().reason


async def test_what_could_not_hear_every_call_is_not_tried(stage: Stage) -> None:
    with pytest.raises(InvalidRequest, match="takes a"):
        stage.rollout.begin(stage.library.find("emotion-words"), POLICY)

    def fits(folder: Path) -> None:
        raise BundleError("choose a language", "it knows yue alone")

    stage.loading._fits = fits
    with pytest.raises(BundleError, match="yue"):
        stage.rollout.begin(stage.bundle, POLICY)


@pytest.mark.usefixtures("deaf_canary")
async def test_a_damaged_file_of_what_serves_keeps_nobody_from_starting(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "models" / "active.json").write_text("{")
    stage.loading.start()
    assert not stage.rollout.under_way


@pytest.mark.usefixtures("deaf_canary")
async def test_what_another_has_heard_is_not_taken_for_its(stage: Stage) -> None:
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.SHADOW)
    stage.engine.new_hears = lambda heard: replace(heard, model="standby 1")
    for _ in range(20):
        await stage.call()
    assert stage.rollout.state().windows < POLICY.windows
    assert stage.rollout.state().stage is STAGE.SHADOW


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_cannot_answer_does_not_lead(stage: Stage) -> None:
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.SHADOW)
    stage.engine.broken = variant_name(stage.bundle.ref)
    await stage.until(STAGE.BACK)
    assert "not answered" in stage.rollout.state().reason


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_makes_finals_late_goes_back(stage: Stage) -> None:
    stage.rollout.begin(stage.bundle, replace(POLICY, windows=1000, automatic=False))
    await stage.until(STAGE.SHADOW)
    stage.rollout.promote()
    await stage.until(STAGE.LEADING)
    stage.late_s = 4.0
    await stage.until(STAGE.BACK)
    assert "4.0 s late" in stage.rollout.state().reason


@pytest.mark.usefixtures("deaf_canary")
async def test_one_that_cannot_take_the_place_leads_on_beside_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.models.rollout.AGAIN_S", 0.2)
    real, refused = stage.engine.rebase, EngineUnavailable("load a model", "no memory")
    monkeypatch.setattr(stage.engine, "rebase", AsyncMock(side_effect=refused))
    stage.rollout.begin(stage.bundle, POLICY)
    await stage.until(STAGE.SETTLING)
    async with asyncio.timeout(5):
        while not stage.rollout.state().reason:
            await stage.call()
    assert "no memory" in stage.rollout.state().reason
    await stage.call()
    assert stage.asked == variant_name(stage.bundle.ref)
    with pytest.raises(Conflict, match="must end first"):
        stage.rollout.begin(stage.bundle, POLICY)
    with pytest.raises(Conflict, match="has taken over"):
        await stage.rollout.abort()
    monkeypatch.setattr(stage.engine, "rebase", real)
    await stage.until(STAGE.DONE)
    assert stage.switch.leading == "" and not stage.rollout.state().reason
