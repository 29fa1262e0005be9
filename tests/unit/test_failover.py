"""Two fake engines behind the real failover."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.engine import capacity, capacity_file
from appliance.engine.canary import Canary
from appliance.engine.capacity_file import Capacity
from appliance.engine.failover import FailoverEngine
from appliance.errors import BundleError, EngineTimeout, EngineUnavailable, Overloaded
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.engines import FailoverSettings
from appliance.settings.keeping import StoreSettings
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Priority, Window
from tests.fakes import TEXT, FakeEngine

SOUND = np.full(SAMPLE_RATE_HZ, 0.1, np.float32)
WINDOW = Window(SOUND, language="zh")
SETTINGS = Settings(
    failover=FailoverSettings(
        canary_interval_s=0.02, canary_timeout_s=0.2, successes_to_close=3, dwell_s=0.2
    )
)


class Pair:
    """A failover over two fakes."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.triton, self.cpu = FakeEngine("triton"), FakeEngine("cpu")
        self.metrics = Metrics()
        self.both = FailoverEngine(
            [self.triton, self.cpu], Canary(SOUND, TEXT[:5]), settings, self.metrics
        )

    async def listen(self, priority: Priority = Priority.FINAL, timeout_s: float = 1) -> Hypothesis:
        return await self.both.ask(WINDOW, priority, timeout_s)

    def canaries(self, engine: str, result: str) -> float:
        labels = {"engine": engine, "result": result}
        return self.metrics.registry.get_sample_value("lingting_canary_total", labels) or 0.0

    async def until_in_use(self, name: str) -> None:
        async with asyncio.timeout(5):
            while self.both.in_use.name != name:
                await asyncio.sleep(0.005)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair()
    await made.both.start()
    await made.until_in_use("triton")
    yield made
    await made.both.close()


async def test_the_first_answers_while_it_is_well(pair: Pair) -> None:
    assert (await pair.listen()).engine == "triton"


async def test_a_window_in_flight_is_asked_of_the_other(pair: Pair) -> None:
    pair.triton.delay_s = 0.05
    listening = asyncio.create_task(pair.listen())
    await asyncio.sleep(0.01)
    pair.triton.gone = True
    assert (await listening).engine == "cpu"
    moved = pair.metrics.registry.get_sample_value(
        "lingting_failovers_total", {"from": "triton", "to": "cpu"}
    )
    assert moved == 1


class Three(Pair):
    """Two Tritons that are as good as each other, and the CPU behind both."""

    def __init__(self) -> None:
        super().__init__()
        self.second = FakeEngine("triton-2")
        engines = [self.triton, self.second, self.cpu]
        canary = Canary(SOUND, TEXT[:5])
        self.both = FailoverEngine(engines, canary, SETTINGS, self.metrics, alike=2)

    async def until_group(self, *names: str) -> None:
        async with asyncio.timeout(5):
            while {w.name for w in self.both._group()} != set(names):
                await asyncio.sleep(0.005)


@pytest.fixture
async def three() -> AsyncIterator[Three]:
    made = Three()
    await made.both.start()
    await made.until_group("triton", "triton-2")
    yield made
    await made.both.close()


async def test_a_window_goes_to_who_has_the_least_to_do(three: Three) -> None:
    three.triton.delay_s = three.second.delay_s = 0.05
    answers = await asyncio.gather(*(three.listen() for _ in range(8)))
    assert sorted(a.engine for a in answers) == ["triton"] * 4 + ["triton-2"] * 4
    three.triton.delay_s = 0.5  # one that is slow gets less
    slow = [asyncio.create_task(three.listen(timeout_s=5)) for _ in range(2)]
    await asyncio.sleep(0.1)
    quick = [(await three.listen()).engine for _ in range(4)]
    assert quick == ["triton-2"] * 4
    assert {(await each).engine for each in slow} == {"triton", "triton-2"}


async def test_each_of_several_fails_alone_and_the_cpu_stands_behind_all(three: Three) -> None:
    async with asyncio.timeout(5):
        while three.both.health().live_legs is None:
            await asyncio.sleep(0.01)
    legs = {w.name: w.carries for w in three.both._engines}
    assert three.both.health().live_legs == min(
        legs["triton"] + legs["triton-2"], capacity.most_legs(os.cpu_count() or 1)
    )
    three.second.gone = True
    assert (await three.listen()).engine == "triton"
    await three.until_group("triton")
    assert {(await three.listen()).engine for _ in range(4)} == {"triton"}
    three.triton.gone = True
    assert (await three.listen()).engine == "cpu"
    three.second.gone = False
    await three.until_group("triton-2")
    assert (await three.listen()).engine == "triton-2"


async def test_it_comes_back_after_dwell_and_probes(pair: Pair) -> None:
    pair.triton.gone = True
    await pair.listen()
    await pair.until_in_use("cpu")
    pair.triton.gone = False
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await pair.until_in_use("triton")
    assert loop.time() - begun >= 0.15


async def test_a_liar_is_found_out(pair: Pair) -> None:
    """READY, quick, and wrong: only a known answer shows it."""
    pair.triton._hear = lambda window: Hypothesis("谢谢观看", "zh")  # type: ignore[method-assign]
    await pair.until_in_use("cpu")
    assert "canary" in pair.both.health().parts["triton"]


async def test_a_busy_engine_is_waited_for(pair: Pair) -> None:
    """It answers others: however long its queue, a final asked without a time gets its turn."""
    turn = asyncio.Lock()

    async def slowly(question: object, priority: Priority, timeout_s: float | None) -> Hypothesis:
        try:
            async with asyncio.timeout(timeout_s), turn:  # one after the other
                await asyncio.sleep(0.04)
        except TimeoutError as error:
            raise EngineTimeout("ask", "late") from error
        return pair.triton._hear(WINDOW)

    pair.triton.ask = slowly  # type: ignore[method-assign, assignment]
    asking = [pair.both.ask(WINDOW, Priority.FINAL, None) for _ in range(20)]
    heard = await asyncio.gather(*asking)
    assert {each.engine for each in heard} == {"triton"}
    assert pair.canaries("triton", "late") and not pair.canaries("triton", "failed")


async def test_one_that_answers_nobody_is_left(pair: Pair) -> None:
    pair.triton.delay_s = 60
    begun = asyncio.get_running_loop().time()
    assert (await pair.both.ask(WINDOW, Priority.FINAL, None)).engine == "cpu"
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_stopped_engine_is_left_after_its_time(pair: Pair) -> None:
    pair.triton.delay_s = 10
    assert (await pair.listen(timeout_s=0.1)).engine == "cpu"


async def test_late_windows_alone_do_not_open_the_breaker(pair: Pair) -> None:
    pair.triton.delay_s = 0.1
    for _ in range(5):
        with pytest.raises(EngineUnavailable):
            await pair.listen(Priority.PARTIAL, timeout_s=0.05)
    assert pair.both.in_use.name == "triton"


async def test_an_engine_that_came_up_late_is_used() -> None:
    made = Pair()
    made.triton.gone = True
    await made.both.start()
    await asyncio.sleep(0.1)
    made.triton.gone = False
    await made.until_in_use("triton")
    await made.both.close()


async def test_what_waiting_does_not_mend_is_started_anew(pair: Pair) -> None:
    closed: list[str] = []

    async def close() -> None:
        closed.append("triton")
        pair.triton.gone = False

    pair.triton.close = close  # type: ignore[method-assign]
    pair.triton.gone = True
    async with asyncio.timeout(5):
        while not closed:
            await asyncio.sleep(0.01)
    await pair.until_in_use("triton")


async def test_a_full_engine_passes_on_finals_only(pair: Pair) -> None:
    pair.triton.queue = 0
    assert (await pair.listen(Priority.FINAL)).engine == "cpu"
    with pytest.raises(Overloaded):
        await pair.listen(Priority.PARTIAL)


async def test_both_gone_is_said(pair: Pair) -> None:
    pair.triton.gone = pair.cpu.gone = True
    with pytest.raises(EngineUnavailable):
        await pair.listen()
    async with asyncio.timeout(5):
        while pair.both.health().ok:
            await asyncio.sleep(0.01)
    assert pair.both.health().reason


async def test_it_starts_without_the_first() -> None:
    made = Pair()
    made.triton.gone = True
    await made.both.start()
    assert (await made.listen()).engine == "cpu"
    await made.both.close()


async def test_a_corrupt_bundle_stops_the_start() -> None:
    made = Pair()

    async def corrupt() -> None:
        raise BundleError("load the speech model", "model.bin is altered")

    made.cpu.start = corrupt  # type: ignore[method-assign]
    made.triton.gone = True
    with pytest.raises(BundleError, match=r"model\.bin"):
        await made.both.start()


async def test_a_slow_engine_is_used_and_then_judged_by_its_own_pace() -> None:
    """Large weights on a CPU need longer than the least time for their canary."""
    made = Pair()
    made.triton.gone = True
    made.cpu.delay_s = 0.4  # twice what a probe may take at least
    await made.both.start()
    assert (await made.listen()).engine == "cpu"
    async with asyncio.timeout(10):
        while made.canaries("cpu", "good") < 3:
            await asyncio.sleep(0.05)
    assert made.both.health().ok and not made.canaries("cpu", "failed")
    made.cpu.delay_s = 5.0
    async with asyncio.timeout(10):
        while made.both.health().ok:
            await asyncio.sleep(0.05)
    await made.both.close()


async def test_one_that_lies_from_the_start_is_started_anew() -> None:
    made = Pair()
    starts = 0

    async def start() -> None:
        nonlocal starts
        starts += 1

    made.triton.start = start  # type: ignore[method-assign]
    made.triton._hear = lambda window: Hypothesis("谢谢观看", "zh")  # type: ignore[method-assign]
    await made.both.start()
    async with asyncio.timeout(10):
        while starts < 2:
            await asyncio.sleep(0.05)
    await made.both.close()


async def test_one_that_failed_while_it_was_measured_is_measured_again() -> None:
    made = Pair()
    made.cpu.gone = True
    made.triton.delay_s = 0.05
    await made.both.start()
    await asyncio.sleep(0.1)
    made.triton.gone = True  # in the middle of its measurement
    await asyncio.sleep(0.3)
    assert made.both.health().live_legs is None
    made.triton.gone = False
    async with asyncio.timeout(10):
        while not (legs := made.both.health().live_legs):
            await asyncio.sleep(0.05)
    assert legs > capacity.LEAST_LEGS
    await made.both.close()


def measured(pair: Pair, legs: int, **other: object) -> Capacity:
    card = pair.triton.card()
    about = {"model": f"{card.name} {card.version}", "device": card.device}
    about |= {"cores": os.cpu_count() or 1, **other}
    return Capacity(legs, 0.6, 0.4, measured_at=1.8e9, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{}, {"model": "another 1"}, {"cores": 999}], ids=str)
async def test_what_was_measured_with_calls_is_believed_while_nothing_changed(
    tmp_path: Path, other: dict[str, object]
) -> None:
    settings = SETTINGS.model_copy(update={"store": StoreSettings(folder=tmp_path / "store")})
    capacity_file.write(settings.capacity_file, "triton", measured(Pair(), 7, **other))
    pair = Pair(settings)
    await pair.both.start()
    await pair.until_in_use("triton")
    async with asyncio.timeout(10):
        while pair.both.health().live_legs is None:
            await asyncio.sleep(0.05)
    assert (pair.both.health().live_legs == 7) is not bool(other)
    await pair.both.close()


def test_capacities_of_engines_are_kept_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "capacity.json"
    one, other = measured(Pair(), 40), measured(Pair(), 12)
    capacity_file.write(path, "triton", one)
    capacity_file.write(path, "cpu", other)
    assert capacity_file.read(path) == {"triton": one, "cpu": other}
    good = json.loads(path.read_text())
    wrong = [{**good["cpu"], "legs": legs} for legs in (None, 0, -4, "many", 2.5)]
    wrong.append({**good["cpu"], "cores": "two"})
    for nonsense in ("", "[]", '{"cpu": {}}', "{", *(json.dumps({"cpu": each}) for each in wrong)):
        path.write_text(nonsense)
        assert capacity_file.read(path) == {}, nonsense


async def test_nothing_ends_the_watch(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(pair.both, "_measure_if_due", bug)
    before = pair.canaries("triton", "good")
    async with asyncio.timeout(5):
        while pair.canaries("triton", "good") < before + 3:
            await asyncio.sleep(0.01)


async def test_a_model_that_was_exchanged_is_told_once(pair: Pair) -> None:
    def told() -> list[str]:
        samples = [s for m in pair.metrics.model_info.collect() for s in m.samples]
        return [s.labels["version"] for s in samples if s.labels["engine"] == "triton"]

    assert set(told()) == {pair.triton.card().version}
    newer = replace(pair.triton.card(), version="9")
    pair.triton.card = lambda model="asr": newer  # type: ignore[method-assign]
    pair.triton.gone = True
    await pair.until_in_use("cpu")
    pair.triton.gone = False
    await pair.until_in_use("triton")
    assert set(told()) == {"9"}
