"""Who is answered next, and together with whom; what a question costs."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest

from appliance.engine import dispatch
from appliance.engine.cost import MOST_BATCH_S, CostModel
from appliance.engine.dispatch import Dispatcher, QueuedQuestion
from appliance.errors import EngineTimeout, Overloaded
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Priority, Window

PLACES = dict.fromkeys(Priority, 100)


def window(seconds: float = 4.0) -> Window:
    return Window(np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32))


def known(cost_s: float) -> CostModel:
    cost = CostModel()
    for priority in Priority:
        cost.learn(window(), priority, Hypothesis("", "zh", work_s=cost_s))
    return cost


async def waiting(jobs: Dispatcher, *asked: tuple[Window, Priority]) -> list[asyncio.Task[object]]:
    tasks = [asyncio.create_task(jobs.ask(w, p, None)) for w, p in asked]
    await asyncio.sleep(0)
    return tasks


async def give_up(tasks: list[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_finals_go_before_partials_before_recordings() -> None:
    jobs = Dispatcher(CostModel(), 1, PLACES, "ask")
    asked = [(window(), p) for p in (Priority.RECORDING, Priority.PARTIAL, Priority.FINAL)]
    tasks = await waiting(jobs, *asked)
    order = [(await jobs.take())[0].priority for _ in asked]
    assert order == [Priority.FINAL, Priority.PARTIAL, Priority.RECORDING]
    await give_up(tasks)


async def test_the_shortest_partial_goes_first() -> None:
    jobs = Dispatcher(CostModel(), 1, PLACES, "ask")
    tasks = await waiting(jobs, *((window(s), Priority.PARTIAL) for s in (6.0, 0.4, 3.0)))
    lengths = [(await jobs.take())[0].question.duration_s for _ in range(3)]
    assert lengths == [0.4, 3.0, 6.0]
    await give_up(tasks)


@pytest.mark.parametrize("cost_s", [0.05, 0.2, 3.0])
async def test_a_batch_is_no_longer_than_an_urgent_question_may_wait(cost_s: float) -> None:
    jobs = Dispatcher(known(cost_s), 64, PLACES, "ask")
    tasks = await waiting(jobs, *[(window(), Priority.FINAL)] * 20)
    batch = await jobs.take()
    assert len(batch) == max(1, int(MOST_BATCH_S / cost_s + 1e-9))
    await give_up(tasks)


async def test_while_nobody_speaks_batches_are_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Dispatcher(known(0.2), 64, PLACES, "ask")
    tasks = await waiting(jobs, *[(window(), Priority.RECORDING)] * 20)
    assert len(await jobs.take()) == int(dispatch.QUIET_BATCH_S / 0.2 + 1e-9)
    live = await waiting(jobs, (window(), Priority.PARTIAL))
    await jobs.take()
    assert len(await jobs.take()) == int(MOST_BATCH_S / 0.2)
    await give_up([*tasks, *live])


async def test_recordings_and_suspects_stay_apart() -> None:
    jobs = Dispatcher(CostModel(), 8, PLACES, "ask")
    tasks = await waiting(jobs, (window(), Priority.FINAL), (window(), Priority.RECORDING))
    assert len(await jobs.take()) == 1
    (recording,) = await jobs.take()
    recording.alone = True
    await jobs.put(recording)
    others = await waiting(jobs, (window(), Priority.RECORDING))
    assert [job.alone for job in await jobs.take()] == [True]
    await give_up([*tasks, *others])


async def test_a_full_queue_and_a_late_answer_are_said() -> None:
    jobs = Dispatcher(CostModel(), 1, dict.fromkeys(Priority, 2), "ask")
    tasks = await waiting(jobs, *[(window(), Priority.PARTIAL)] * 2)
    with pytest.raises(Overloaded):
        await jobs.ask(window(), Priority.PARTIAL, None)
    await give_up(tasks)
    with pytest.raises(EngineTimeout):
        await jobs.ask(window(), Priority.FINAL, 0.01)


async def test_what_is_given_up_is_not_taken() -> None:
    jobs = Dispatcher(CostModel(), 8, PLACES, "ask")
    await give_up(await waiting(jobs, (window(), Priority.FINAL)))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            batch: list[QueuedQuestion] = await jobs.take()
            pytest.fail(f"{batch}")


def test_costs_are_learned_by_length_and_company() -> None:
    cost = CostModel()
    assert cost.seconds(4.0) is None and cost.longest_s() is None
    cost.learn(window(4.0), Priority.FINAL, Hypothesis("", "zh", work_s=0.2))
    assert cost.seconds(4.0) == pytest.approx(0.2)
    longest = cost.longest_s()
    assert longest and longest > 1.0, "longer audio in proportion"
    cost.learn(window(4.0), Priority.FINAL, Hypothesis("", "zh", work_s=0.05, batch=8))
    assert cost.seconds(4.0, together=8) == pytest.approx(0.05)
    assert cost.seconds(4.0) == pytest.approx(0.2), "company is told apart"
    for _ in range(200):
        cost.learn(window(4.0), Priority.FINAL, Hypothesis("", "zh", work_s=0.4))
    assert cost.seconds(4.0) == pytest.approx(0.4, rel=0.01), "it follows the machine"
    assert set(cost.table()) == {4.0} and set(cost.table()[4.0]) == {1, 8}
