"""Names that look like places though no gazetteer has them: 永泰小区, 江干区, 振华三路."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

from appliance.assist.address.numerals import CHINESE

SHORTEST, LONGEST = 2, 6  # characters of a name before its 小区 or 路


@dataclass(frozen=True, slots=True)
class Shape:
    """A stretch of text that ends as names of places do."""

    kind: str  # county, town, village, street, compound
    start: int
    end: int


_ENDS = re.compile(
    "(?P<compound>(?:住宅)?小区|花园|家园|嘉园|佳园|公寓|花苑|佳苑|嘉苑|雅苑|新苑|新村|新城|名苑|名都|家属院|宿舍|"
    "大院|花都|华府|豪庭|庄园|[^公校医法学后前]苑)|"
    "(?P<street>大街|大道|(?<![公马道修走电铁网思一半])路(?![口灯面边过人上政段由线费程费车])|"
    "(?<![大上逛])街(?![道上坊边头面])|巷(?![子道])|胡同)|"
    "(?P<village>社区|村委会|(?<![农乡全新])村(?![民里子委口支长庄干])|屯(?=[，。的那这有在]|$))|"
    "(?P<town>街道(?!上)|(?<![乡城])镇(?![上区里政长])|(?<![家老城本他回])乡(?![下镇里村亲音政长]))|"
    "(?P<county>(?<![小社园新地片区库校山郊林商业发储一二三四五六七八九十0-9A-Za-z])区(?![域别分间块政])|县(?![城里上政长级医]))"
)
_LIMIT = re.compile(
    "[^\u4e00-\u9fff]|[的那个在住是和到从我们你他她它这有去跟与及了着过就都也还吧吗呢啊嗯哦哎喂市区县镇乡村路街道号"
    "把被让给对向往来属归于叫离靠找说问想要能会没不很]"
)
_NO_NAME = re.compile(
    "(?:什么|哪|一|两|几|整|全|本|该|每|别|其他|老旧|旧|附近|隔壁|周边|新建|所有|部分|开放式|农|多|各|主|行政|"
    "反映|投诉|咨询|举报|物业|现在|因为|可以|一条|两条|这条|那条|条|段|出|进|门口|前面|后面|旁边|对面|东|西|南|北)+"
)


_NUMBER = re.compile(f"[0-9{CHINESE}]+")  # 三十八路 is a bus


def shapes(text: str, ends: Container[int] = ()) -> Iterator[Shape]:
    """`ends`: where other names end, so that none begins before."""
    last = 0
    for found in _ENDS.finditer(text):
        start = _begin(text, found.start(), ends, last)
        name = text[start : found.start()]
        if found["county"] and len(name) > 2 and name[-1] in "东西南北中":
            continue  # 江东区 is a county, 机电西区 a part of something
        if len(name) < SHORTEST or _NO_NAME.fullmatch(name) or _NUMBER.fullmatch(name):
            continue
        last = found.end()
        yield Shape(found.lastgroup or "", start, found.end())


def _begin(text: str, end: int, ends: Container[int], last: int) -> int:
    start = end
    while start > last and end - start < LONGEST and (start == end or start not in ends):
        if _LIMIT.match(text[start - 1]):
            break
        start -= 1
    return start
