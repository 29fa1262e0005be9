"""What the gateway makes of a Triton that is closed, hangs, or answers what nobody understands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from appliance.engine import dispatch
from appliance.engine.triton import TritonEngine
from appliance.errors import EngineTimeout, EngineUnavailable, InvalidRequest
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import ASR_MODEL, Hypothesis, ModelCard, Priority, Question, Window

WINDOW = Window(np.zeros(16_000, np.float32), "zh")
GOOD = Hypothesis("好", "zh").pack()
Infer = Callable[[Sequence[Question[Any]]], Awaitable[list[dict[str, Any]]]]


class EngineUnderTest(TritonEngine):
    """Of two lanes, whose requests end where a test says."""

    def __init__(self, infer: Infer) -> None:
        super().__init__(Settings(), Metrics())
        self._cards = {ASR_MODEL: ModelCard("m", "1", "MIT", languages=("zh",))}
        self._client = object()  # type: ignore[assignment]
        self._test_infer = infer
        self.cost.lanes = 2

    async def _infer(self, questions: Any, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return await self._test_infer(questions)

    def hear(self) -> asyncio.Task[Hypothesis]:
        return asyncio.create_task(self.ask(WINDOW, Priority.FINAL, None))


async def forever(_: Sequence[Question[Any]]) -> list[dict[str, Any]]:
    await asyncio.Event().wait()
    raise AssertionError


async def close(engine: EngineUnderTest) -> None:
    engine._client = None
    async with asyncio.timeout(5):
        await engine.close()


async def test_closed_with_a_batch_under_way_it_settles_everything() -> None:
    engine = EngineUnderTest(forever)
    waiting = [engine.hear() for _ in range(5)]
    await asyncio.sleep(0.05)
    await close(engine)
    for answer in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(answer, EngineUnavailable)


async def test_a_hanging_instance_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HANG_LEAST_S", "HANG_UNKNOWN_S"):
        monkeypatch.setattr(dispatch, name, 0.1)
    hung = asyncio.Event()

    async def first_hangs(questions: Sequence[Question[Any]]) -> list[dict[str, Any]]:
        if not hung.is_set():
            hung.set()
            return await forever(questions)
        return [GOOD] * len(questions)

    engine = EngineUnderTest(first_hangs)
    stuck = engine.hear()
    await hung.wait()
    assert (await engine.hear()).text == "好"
    with pytest.raises(EngineTimeout):
        await stuck
    assert (await engine.hear()).text == "好", "its place serves again"
    await close(engine)


@pytest.mark.parametrize("answer", [[{"unknown": 1}], [], [GOOD, GOOD], [None]])
async def test_an_answer_that_is_none_costs_its_batch_alone(answer: list[Any]) -> None:
    bad = iter([answer] * 4)

    async def then_well(questions: Sequence[Question[Any]]) -> list[dict[str, Any]]:
        return next(bad, [GOOD] * len(questions))

    engine = EngineUnderTest(then_well)
    for _ in range(4):  # more than there are places
        with pytest.raises(EngineUnavailable):
            await engine.hear()
    assert (await engine.hear()).text == "好"
    await close(engine)


async def test_a_refusal_is_for_its_own_question() -> None:
    async def refuse_the_first(questions: Sequence[Question[Any]]) -> list[dict[str, Any]]:
        return [{"refused": "too loud"}, *[GOOD] * (len(questions) - 1)]

    engine = EngineUnderTest(refuse_the_first)
    first, second = engine.hear(), engine.hear()
    with pytest.raises(InvalidRequest, match="too loud"):
        await first
    assert (await asyncio.gather(second, return_exceptions=True))[0] is not None
    await close(engine)


async def test_a_batch_that_nobody_waits_for_is_taken_back() -> None:
    taken_back = asyncio.Event()

    async def slowly(_: Sequence[Question[Any]]) -> list[dict[str, Any]]:
        try:
            return await forever(_)
        except asyncio.CancelledError:
            taken_back.set()
            raise

    engine = EngineUnderTest(slowly)
    asked = engine.hear()
    await asyncio.sleep(0.05)
    asked.cancel()
    async with asyncio.timeout(5):
        await taken_back.wait()
    await close(engine)
