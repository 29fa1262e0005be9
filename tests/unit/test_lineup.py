"""Which bundle hears which call, and bundles beside the active one, taken and let go of."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.engine.canary import Canary
from appliance.engine.switch import ModelSwitch, ShadowTally
from appliance.errors import BundleError, EngineUnavailable, InvalidRequest, NotFound
from appliance.metrics import Metrics
from appliance.models import loading as loading_module
from appliance.models.beside import BesideServing
from appliance.models.library import ModelLibrary
from appliance.models.lineup import FILE, BesideBundle, Lineup, LineupState, choose
from appliance.models.loading import BundleLoading
from appliance.models.signing import TrustedKeys
from appliance.settings.section import PROJECT
from inference.tensors import Hypothesis, Priority, Window
from tests.fakes import FakeEngine

BUNDLES = PROJECT / "bundles"
YUE = BesideBundle("yue@1", (), ("yue",))
TOWN = BesideBundle("town@2", ("town-hotline",), ())


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (("", "", None), None),
        (("", "local", "zh"), None),
        (("town", "local", "zh"), "town+2"),
        (("town 2", "local", "zh"), "town+2"),
        (("town@2", "local", "zh"), "town+2"),
        (("town 3", "local", "zh"), None),
        (("", "town-hotline", "zh"), "town+2"),
        (("", "local", "yue"), "yue+1"),
        (("yue", "town-hotline", "zh"), "yue+1"),  # what a caller names goes first
        (("", "town-hotline", "yue"), "town+2"),  # then the system
    ],
)
def test_a_call_gets_the_bundle_that_is_meant_for_it(
    asked: tuple[str, str, str | None], chosen: str | None
) -> None:
    assert choose([YUE, TOWN], *asked) == chosen


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    (tmp_path / "trusted").mkdir()
    (tmp_path / "models").mkdir()
    shipped = [BUNDLES / name for name in ("asr-demo", "whisper-base", "emotion-words")]
    return ModelLibrary(tmp_path / "models", TrustedKeys(tmp_path / "trusted"), shipped, "0.1.0")


@pytest.fixture
def lineup(tmp_path: Path, library: ModelLibrary) -> Lineup:
    return Lineup(tmp_path / "models", library)


def test_the_file_is_read_as_it_was_written(tmp_path: Path, lineup: Lineup) -> None:
    assert lineup.state() == LineupState()
    assert lineup.base() is None and not lineup.is_kept
    state = LineupState("whisper-base@2", "new@1", (YUE, TOWN))
    lineup.write(state)
    assert lineup.state() == state and lineup.base() == BUNDLES / "whisper-base"
    assert lineup.state().refs == ["yue@1", "town@2", "new@1"]
    assert lineup.variants() == {}  # the library has none of them
    (tmp_path / "models" / FILE).write_text(json.dumps({"beside": [{}]}))
    assert lineup.state() == LineupState()


class BesideBox:
    """An engine, its switch, and what is served beside."""

    def __init__(self, library: ModelLibrary, lineup: Lineup) -> None:
        self.engine = FakeEngine()
        self.switch = ModelSwitch(self.engine, Metrics())
        self.library, self.lineup = library, lineup
        self.loading = BundleLoading(library, lineup, self.switch, BUNDLES / "whisper-base")
        self.loading.start()
        self.beside = BesideServing(self.loading, self.switch)

    async def variant_of(self, model: str = "", language: str | None = None) -> str:
        """Which variant a call is heard by."""
        window = Window(0.1 * np.ones(16_000, np.float32))
        with self.switch.pinned(model, "local", language) as mine:
            await mine.ask(window, Priority.FINAL, None)
        return self.engine.asked[-1][0].variant


@pytest.fixture
async def box(library: ModelLibrary, lineup: Lineup, monkeypatch: pytest.MonkeyPatch) -> BesideBox:
    """The fake hears no words: its canary is one without a text."""
    real = loading_module.load_canary
    monkeypatch.setattr(loading_module, "load_canary", lambda f: replace(real(f), text=None))
    made = BesideBox(library, lineup)
    made.beside.start()
    return made


async def test_a_bundle_is_taken_for_some_calls_and_let_go_of(box: BesideBox) -> None:
    demo = box.library.find("asr-demo")
    await box.beside.add(demo, [], ["yue"])
    variant = demo.ref.replace("@", "+")
    assert await box.variant_of() == "" and await box.variant_of(language="yue") == variant
    assert await box.variant_of(model="asr-demo") == variant
    again = BesideBox(box.library, box.lineup)  # as after a restart
    again.beside.start()
    while not again.engine.served:  # calls do not wait for that
        await asyncio.sleep(0.01)
    assert await again.variant_of(language="yue") == variant
    with box.switch.pinned("asr-demo"):
        removing = asyncio.create_task(box.beside.remove(demo.ref))
        await asyncio.sleep(0.3)
        assert not removing.done() and variant in box.engine.served  # its call runs
        assert await box.variant_of(language="yue") == ""
    await removing
    assert not box.engine.served and not box.lineup.state().beside
    with pytest.raises(NotFound, match="is not served beside"):
        await box.beside.remove(demo.ref)


async def test_what_is_loaded_is_not_removed(box: BesideBox) -> None:
    demo = box.library.find("asr-demo")
    assert box.loading.uses("whisper-base@2") and not box.loading.uses(demo.ref)
    await box.beside.add(demo, [], ["yue"])
    assert box.loading.uses(demo.ref)
    await box.beside.remove("asr-demo")  # by its name alone
    assert not box.loading.uses(demo.ref)


async def test_changes_come_one_after_another(box: BesideBox) -> None:
    """A trial that ends while another bundle is taken must not undo that."""
    demo, loading = box.library.find("asr-demo"), box.loading
    await asyncio.gather(
        box.beside.add(demo, [], ["yue"]),
        loading.change(lambda state: replace(state, trial="asr-demo@none")),
        loading.change(lambda state: replace(state, trial="")),
    )
    assert [*box.engine.served] == [demo.ref.replace("@", "+")]


async def test_one_of_another_language_is_served_beside(box: BesideBox) -> None:
    """Whatever the language of calls that name none."""

    def fits(folder: Path) -> None:
        raise BundleError("choose a language", "it knows yue alone")

    box.loading._fits = fits
    await box.beside.add(box.library.find("asr-demo"), [], ["yue"])
    assert len(box.beside.bundles) == 1


async def test_what_goes_away_while_it_is_heard_is_let_go_of(
    box: BesideBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hear(canary: Canary) -> str:
        raise EngineUnavailable("ask", "it has just gone")

    monkeypatch.setattr(box.loading, "hear", hear)
    with pytest.raises(EngineUnavailable):
        await box.beside.add(box.library.find("asr-demo"), [], ["yue"])
    assert not box.lineup.state().beside and not box.engine.served


async def test_what_cannot_be_served_beside_changes_nothing(box: BesideBox) -> None:
    with pytest.raises(InvalidRequest, match="takes a ctranslate2-whisper"):
        await box.beside.add(box.library.find("emotion-words"), [], [])
    box.engine.gone = True
    with pytest.raises(EngineUnavailable):
        await box.beside.add(box.library.find("asr-demo"), [], [])
    box.engine.gone = False
    assert box.beside.bundles == () and box.lineup.state() == LineupState()


async def test_one_that_fails_its_canary_is_let_go_of(
    box: BesideBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "没有人说过的另外一句话"
    canary = loading_module.load_canary(BUNDLES / "asr-demo")
    monkeypatch.setattr(loading_module, "load_canary", lambda f: replace(canary, text=wrong))
    with pytest.raises(BundleError, match="canary failed"):
        await box.beside.add(box.library.find("asr-demo"), [], ["yue"])
    assert not box.engine.served and await box.variant_of(language="yue") == ""


def test_a_tally_tells_how_alike_and_at_what_cost() -> None:
    tally = ShadowTally()
    assert tally.agreement == 1 and tally.cost == 1
    tally.add(Hypothesis("您好。", "zh", work_s=0.2), Hypothesis("您好", "zh", work_s=0.4))
    assert tally.agreement == 1 and tally.cost == pytest.approx(2)
    tally.add(Hypothesis("路灯坏了", "zh", work_s=0.2), Hypothesis("路灯", "zh", work_s=0.2))
    assert tally.agreement == pytest.approx(1 - 2 / 6) and tally.windows == 2
    tally.add(Hypothesis("", "zh"), Hypothesis("。", "zh"))  # nobody has said anything
    assert tally.windows == 2
