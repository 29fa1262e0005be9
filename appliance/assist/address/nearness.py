"""Where beside a place: 对面, 门口往东五十米, A路和B街交叉口."""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.assist.address.numerals import NUMBER

_WAYS = "[东西南北]{1,2}"
_FAR = rf"(?:大概|大约|约)?{NUMBER}(?:多|来)?(?:米|公里|里地|里)"
_NEAR = re.compile(
    rf"的?(?P<near>(?:斜?对[面过门]|旁边?|附近|周边|周围|隔壁|后[面头身]|前[面头]|门口|大门口?|[东西南北]门口?|院[里内]|"
    rf"楼[下顶后前]|地下(?:室|车库)|十字路口|丁字路口|路口|口上|里[面头]|{_WAYS}[边侧面头]|{_WAYS}角|入口|出口|出入口|"
    rf"交[叉汇](?:口|处|路口)|边上|沿线|沿街)(?:往?{_WAYS}{_FAR}|{_WAYS}侧)?|"
    rf"(?:再|一直)?[往向朝]{_WAYS}(?:走|边)?(?:{_FAR})?(?:路[东西南北])?)"
)
JOINED = re.compile("[和与跟同、到及]|至|交")
CROSSING = re.compile("的?(?:那个)?(?:交[叉汇](?:路?口|处)?|十字路口|路口|拐角|交界)")


@dataclass(frozen=True, slots=True)
class Near:
    """A word of where beside a place."""

    text: str
    start: int
    end: int


def near(text: str, end: int) -> Near | None:
    """What follows at `end` of where beside the place that ends there."""
    found = _NEAR.match(text, end)
    if not found:
        return None
    return Near(found["near"], found.start("near"), found.end())


def crossing(text: str, one_end: int, other_start: int, other_end: int) -> bool:
    """Whether two streets are named for where they meet."""
    between = text[one_end:other_start]
    return bool(JOINED.fullmatch(between)) and bool(CROSSING.match(text, other_end))
