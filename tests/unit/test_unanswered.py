"""Gaps as they are now: of each hotline system its own, found anew when something has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from appliance.assist.knowledge.unanswered import UnansweredQuestions
from appliance.store.asked import OpenQuestion


class StoredQuestions:
    """As the store has them."""

    def __init__(self) -> None:
        self.questions = [
            OpenQuestion("1", 0, "残疾人证怎么补办", tenant="a"),
            OpenQuestion("2", 0, "残疾人证丢了", tenant="b"),
            OpenQuestion("3", 0, "公积金怎么提取", tenant="b"),
        ]
        self.read = 0

    async def stamp(self) -> tuple[object, ...]:
        return (len(self.questions),)

    async def open(self, most: int) -> Sequence[OpenQuestion]:
        self.read += 1
        return self.questions[:most]


async def test_each_hotline_system_sees_its_own_and_nothing_is_read_twice() -> None:
    asked: Any = StoredQuestions()
    found = UnansweredQuestions(asked, lambda each: "公积金" in each.text, lambda: 1)
    mine = [[each.call_id for each in gap.questions] for gap in await found.gaps("a")]
    assert mine == [["1"]]
    assert [len(gap.questions) for gap in await found.gaps("b")] == [1]
    assert await found.gaps("nobody") == []
    assert await found.refresh() == 1 and asked.read == 1
    asked.questions.append(OpenQuestion("4", 0, "暖气不热", tenant="a"))
    assert len(await found.gaps("a")) == 2 and asked.read == 2


async def test_what_takes_long_is_not_waited_for() -> None:
    asked: Any = StoredQuestions()
    found = UnansweredQuestions(asked, lambda _: False, lambda: 1)
    before = await found.gaps()
    found._took_s = 9.0
    asked.questions.append(OpenQuestion("4", 0, "暖气不热", tenant="a"))
    assert await found.gaps() == before and asked.read == 1
    assert await found.refresh() > len(before)
