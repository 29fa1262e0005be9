"""Entries of a knowledge base, made: clauses of a city pack, put together anew, with its places.

They read like answers and mean nothing; what they share with real ones is what a search costs:
how long they are, which characters they hold, how common each is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from appliance.assist.city.pack import CityPack

_BREAK = re.compile(r"[，。；;！？!?,、\s]+")
ASKS = ("怎么办", "找哪个部门", "要什么材料", "多久能办好", "收不收费", "有什么规定", "能不能代办")
OPENS = ("你好，我想问一下，", "请问", "我家在这儿住，", "", "", "")
USUAL_CLAUSES, SPREAD = 12.0, 0.7  # of an answer: the median, and the deviation of its logarithm
MOST_CLAUSES = 120
AMOUNT_UNITS = ("元", "个工作日", "天", "%", "平方米")


@dataclass(frozen=True, slots=True)
class MadeEntry:
    """One, and what a citizen asks who wants it.

    Attributes:
        copies: number of the entry that it repeats in other words; None: it is new.
    """

    title: str
    answer: str
    asked: str
    copies: int | None = None

    def fields(self) -> dict[str, Any]:
        """As the door takes it."""
        return {"questions": [self.title], "answer": self.answer, "source": "bench"}


def made_entries(pack: CityPack, count: int, copies: float, seed: int = 0) -> list[MadeEntry]:
    """So many.

    Args:
        copies: share of them that ask what an earlier one asks, and say another amount.
    """
    rng = np.random.default_rng(seed)
    clauses, places = _clauses(pack), [each.name for each in pack.divisions]
    made: list[MadeEntry] = []
    for at in range(count):
        if at and rng.random() < copies:
            made.append(_copy(rng, made, int(rng.integers(at))))
        else:
            made.append(_entry(rng, clauses, places))
    return made


def _clauses(pack: CityPack) -> list[str]:
    texts = [each.text for each in pack.taxonomy.examples]
    texts += [each.responsibilities for each in pack.units]
    found = (clause for text in texts for clause in _BREAK.split(text))
    return list(dict.fromkeys(clause for clause in found if len(clause) > 3))


def _entry(rng: np.random.Generator, clauses: Sequence[str], places: Sequence[str]) -> MadeEntry:
    place, matter = _one(rng, places), _some(rng, clauses, 2)
    title = f"{place}{matter[0]}{_one(rng, ASKS)}"
    length = min(MOST_CLAUSES, max(3, round(float(rng.lognormal(np.log(USUAL_CLAUSES), SPREAD)))))
    said = [*matter, *_some(rng, clauses, length)]
    answer = f"{place}：{_amount(rng)}，"
    answer += "".join(f"{each}{'。' if rng.random() < 0.3 else '，'}" for each in said)
    asked = f"{_one(rng, OPENS)}{place}这边{matter[0]}，{'，'.join(_some(rng, clauses, 2))}"
    short = f"{matter[0]}{_one(rng, ASKS)}，在{place}"
    return MadeEntry(title, f"{answer}以上。", asked if rng.random() < 0.5 else short)


def _copy(rng: np.random.Generator, made: Sequence[MadeEntry], of: int) -> MadeEntry:
    """Of one that is there, with the amount changed."""
    first = made[of]
    head, _, rest = first.answer.partition("，")
    place = head.partition("：")[0]
    title = f"{first.title}呢？" if rng.random() < 0.5 else f"请问{first.title}"
    answer = f"{place}：{_amount(rng)}，{rest}"
    return replace(first, title=title, answer=answer, copies=of)


def _one(rng: np.random.Generator, among: Sequence[str]) -> str:
    return among[int(rng.integers(len(among)))]


def _some(rng: np.random.Generator, clauses: Sequence[str], count: int) -> list[str]:
    """The first of them more often than the last."""
    at = (len(clauses) * rng.random(count) ** 2).astype(int)
    return [clauses[each] for each in at.tolist()]


def _amount(rng: np.random.Generator) -> str:
    return f"标准为{rng.integers(1, 5000)}{_one(rng, AMOUNT_UNITS)}"
