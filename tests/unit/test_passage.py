"""Utterances of a recording heard together, and their words given back to each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from appliance.call.passage import MOST_UTTERANCES, Passages, split
from appliance.errors import EngineUnavailable
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Window, Word

LONGEST_S = 9.0


def window(seconds: float, language: str | None = "zh") -> Window:
    return Window(np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32), language)


def heard(*words: tuple[str, int, int], text: str | None = None) -> Hypothesis:
    told = tuple(Word(*word, 0.5) for word in words)
    return Hypothesis("".join(w.text for w in told) if text is None else text, "zh", told)


class PassageEar:
    """Hears one character in the middle of every second, and remembers what it was asked."""

    def __init__(self, told: Callable[[Window], Hypothesis] | None = None) -> None:
        self.asked: list[float] = []
        self._told = told or every_second

    async def __call__(self, asked: Window) -> Hypothesis:
        self.asked.append(asked.duration_s)
        await asyncio.sleep(0)
        return self._told(asked)


def every_second(asked: Window) -> Hypothesis:
    return heard(*(("字", 1000 * s + 300, 1000 * s + 700) for s in range(int(asked.duration_s))))


async def hear(ear: PassageEar, *seconds: float, longest_s: float = LONGEST_S) -> list[Hypothesis]:
    passages = Passages(ear, lambda: longest_s)
    waiting: list[Awaitable[Hypothesis]] = [passages.add(window(s)) for s in seconds]
    passages.close()
    return list(await asyncio.gather(*waiting))


async def test_neighbours_are_heard_together_up_to_a_length() -> None:
    ear = PassageEar()
    parts = await hear(ear, 3, 4, 2, 5)
    assert ear.asked == [9.0, 5.0]
    assert [len(part.text) for part in parts] == [3, 4, 2, 5]


async def test_times_count_from_each_utterance() -> None:
    first, second = await hear(PassageEar(), 3, 2)
    assert [w.start_ms for w in first.words] == [300, 1300, 2300]
    assert [w.start_ms for w in second.words] == [300, 1300]
    assert second.confidence == 0.5


async def test_a_model_that_joins_nothing_hears_each_by_itself() -> None:
    ear = PassageEar()
    await hear(ear, 3, 2, 1, longest_s=0.0)
    assert ear.asked == [3.0, 2.0, 1.0]


async def test_an_utterance_without_a_word_is_heard_once_more_alone() -> None:
    def deaf_from_the_third_second(asked: Window) -> Hypothesis:
        return heard(("头", 300, 700)) if asked.duration_s > 3 else every_second(asked)

    ear = PassageEar(deaf_from_the_third_second)
    first, second = await hear(ear, 3, 2)
    assert ear.asked == [5.0, 2.0]
    assert (first.text, second.text) == ("头", "字字")


async def test_words_that_do_not_make_up_the_text_are_not_trusted() -> None:
    def unlike(asked: Window) -> Hypothesis:
        return heard(("头", 300, 700), text="别的") if asked.duration_s > 3 else every_second(asked)

    ear = PassageEar(unlike)
    await hear(ear, 3, 2)
    assert ear.asked == [5.0, 3.0, 2.0]


async def test_a_passage_holds_few_utterances_so_that_finals_never_wait_for_each_other() -> None:
    ear = PassageEar()
    await hear(ear, *[0.5] * (MOST_UTTERANCES + 2))
    assert ear.asked[0] == 0.5 * MOST_UTTERANCES


async def test_another_language_begins_another_passage() -> None:
    ear = PassageEar()
    passages = Passages(ear, lambda: LONGEST_S)
    waiting = [passages.add(window(2, None)), passages.add(window(2, "en"))]
    passages.close()
    await asyncio.gather(*waiting)
    assert ear.asked == [2.0, 2.0]


async def test_an_error_reaches_every_utterance_of_its_passage() -> None:
    def gone(_: Window) -> Hypothesis:
        raise EngineUnavailable("ask", "gone")

    passages = Passages(PassageEar(gone), lambda: LONGEST_S)
    waiting = [passages.add(window(2)), passages.add(window(2))]
    passages.close()
    for answer in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(answer, EngineUnavailable)


async def test_aborted_nobody_waits_any_more() -> None:
    passages = Passages(PassageEar(), lambda: LONGEST_S)
    under_way = passages.add(window(8))
    gathered = passages.add(window(8))  # sends the first
    await asyncio.sleep(0)
    passages.abort()
    for waiting in (under_way, gathered):
        with pytest.raises(asyncio.CancelledError):
            await waiting


def test_a_word_at_the_edge_is_told_once() -> None:
    over = heard(("一", 200, 600), ("二", 700, 1200))
    first, second = split(over, [1.0, 0.5])
    assert first and second and (first.text, second.text) == ("一二", "")


def test_a_word_belongs_where_its_middle_lies() -> None:
    over = heard(("一", 0, 900), ("二", 800, 1300), ("三", 1900, 2100))
    first, second = split(over, [1.0, 1.0])
    assert first and second
    assert (first.text, second.text) == ("一", "二三")
    assert [(w.start_ms, w.end_ms) for w in second.words] == [(0, 300), (900, 1000)]
