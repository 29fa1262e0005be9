"""The ways a place's name is said: whole, without 区 or 小区, without the city in front."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import IntEnum

from appliance.phonetics.names import Worth
from appliance.phonetics.sounds import FARTHEST

DIVISIONS = ("province", "city", "county", "town", "village")  # from the widest


class Weight(IntEnum):
    """What a character of a name tells, by its place in it."""

    CORE = 0  # the name itself
    KIND = 1  # 花园, 路, 医院: tells a little, and is at times left out
    LIGHT = 2  # 区, 街道, 小区: what people leave out or say one for another
    LEAD = 3  # the city before the name of what lies in it
    PART = 5  # 二期, 东区, 1号院: not always said
    WITHIN = 4  # the county or town at the front of 左云县医院, which many names share


WORTH = {
    Weight.CORE: Worth(4.5, 4.6, FARTHEST),
    Weight.KIND: Worth(2.6, 1.0, 6.5),
    Weight.LIGHT: Worth(1.2, 0.4, 2.6),
    Weight.LEAD: Worth(0.6, 0.0, 1.2),
    Weight.WITHIN: Worth(2.8, 2.0, 5.0),
    Weight.PART: Worth(2.6, 0.2, 7.0),
}


@dataclass(frozen=True, slots=True)
class Form:
    """One way of saying one place."""

    place: int  # its number in the gazetteer
    text: str
    core: tuple[int, int]  # from, to
    weights: tuple[Weight, ...]

    @property
    def within(self) -> int:
        """How many of its characters are a division in front."""
        return self.weights.count(Weight.WITHIN)

    @property
    def part(self) -> int:
        """How many of its characters are a 二期 or 东区, which is not always said."""
        return self.weights.count(Weight.PART)

    @property
    def tail(self) -> str:
        """What follows the core: 区, 花园小区."""
        return self.text[self.core[1] :]


_COMMITTEE = re.compile("(?:社区)?(?:居民委员会|居委会)$|村?(?:村民委员会|村村委会|村委会)$")
_OFFICE = re.compile("(?<=街道)办事处$|街道办$")
_TAILS = {
    "province": "省|市|自治区|[回壮]族自治区|维吾尔自治区|特别行政区",
    "city": "市|地区|盟|[^市县]{1,6}族自治州|自治州",
    "county": "[^市县]{1,6}族自治县|自治县|自治旗|新区|区|县|市|旗|林区",
    "town": "[^镇乡]{1,4}族乡|街道|镇|乡|苏木",
    "village": "社区|村",
}
_LIGHT = re.compile("(?:住宅)?小区$|住宅区$|社区$|生活区$")
_KIND = re.compile(
    "(?:大街|大道|路|街|巷|胡同|公路|高速|花园|家园|嘉园|佳园|雅园|花苑|佳苑|嘉苑|雅苑|新苑|公寓|新村|新区|新城|"
    "家属院|家属楼|宿舍|大院|苑|园|府|城|庭|里)$"
)
_NO_CORE = re.compile(
    "[0-9A-Za-z零〇一二三四五六七八九十百第]+|(?:经济|技术|高新|工业|开发|示范|新|老)+|政府|和谐|幸福|公园|学校|医院|火车|汽车"
)
# What is said of any such place, whatever one a city's table means by it.
GENERAL = re.compile(
    "[东西南北]门|菜市场|市场|(?:批发|农贸)市场|超市|商场|(?:办事|政务|服务)大厅|[市区县](?:人民)?(?:政府|医院|中医院|法院|公安局)|广场|公园|学校|小学|中学|"
    "医院|幼儿园|派出所|社区|小区|村委会|居委会|工地|停车场|加油站|(?:公交|自来水|热力|供电|燃气|物业)公司|车站|宿舍|"
    "开发区|新区|老城|市委|中心|大楼|高速口|收费站"
)
_PART = re.compile("[0-9A-Za-z一二三四五六七八九十东西南北中]+(?:期|区|号院|院|片区)$")
_SHORTENED = ("street", "compound")  # kinds whose 路 or 花园 people leave out
LEAST_CORE = 2  # characters


def proper(name: str) -> str:
    """A name as it is used: 古店村委会 is 古店村, 康吉社区居民委员会 is 康吉社区."""
    found = _COMMITTEE.search(name)
    if found and found.start():
        return name[: found.start()] + ("社区" if "居" in found[0] else "村")
    return _OFFICE.sub(lambda office: "街道" if office[0] == "街道办" else "", name)


def forms(
    place: int, kind: str, name: str, lead: str, divisions: Container[str] = ()
) -> Iterator[Form]:
    """The forms of one name.

    Args:
        lead: the name of the city, which people put in front or leave out (大同市, 大同).
        divisions: cores that mean a division where they stand alone: 左云 of 左云县医院.
    """
    text = proper(name)
    if kind == "village" and not text.endswith(("社区", "村")):
        text += "社区" if "居" in name else "村"
    begin = _lead(text, lead) if kind not in DIVISIONS else 0
    end = _core_end(text, kind)
    if end - begin < LEAST_CORE or _NO_CORE.fullmatch(text, begin, end):
        end = len(text)
    if kind in DIVISIONS and text[begin:end] == lead.removesuffix("市"):
        end = len(text)  # 大同 is the city, not what was its 大同县
    within = begin
    if kind not in DIVISIONS:
        if text[begin:end] in divisions:
            end = len(text)
        within = _within(text, begin, end, divisions)
    if end - begin < LEAST_CORE:
        begin = 0
    part = _PART.search(text, begin, end) if kind == "compound" else None
    last = part.start() if part and part.start() - within >= LEAST_CORE else end
    middle = _light_from(text, kind, end)
    weights = (
        [Weight.LEAD] * begin + [Weight.WITHIN] * (within - begin) + [Weight.CORE] * (last - within)
    )
    weights += (
        [Weight.PART] * (end - last)
        + [Weight.KIND] * (middle - end)
        + [Weight.LIGHT] * (len(text) - middle)
    )
    if len(text) >= LEAST_CORE:
        yield Form(place, text, (begin, end), tuple(weights))


def _lead(text: str, lead: str) -> int:
    short = lead.removesuffix("市")
    for part in (lead, short):
        if part and text.startswith(part) and len(text) - len(part) >= 3:
            rest = text[len(part) :]  # what was 大同县医院 is no other county's 县医院
            return 0 if rest[0] in "县区" and GENERAL.fullmatch(rest) else len(part)
    return 0


def _within(text: str, begin: int, end: int, divisions: Container[str]) -> int:
    """Where the division in front of a name ends, if more than its 区 is left."""
    for length in (4, 3, 2):
        at = begin + length
        if end - at >= LEAST_CORE and text[begin:at] in divisions:
            return at
    return begin


def _core_end(text: str, kind: str) -> int:
    if kind in _TAILS:
        found = re.search(f"(?:{_TAILS[kind]})$", text)
        return found.start() if found else len(text)
    end = _light_from(text, kind, 0)
    if kind not in _SHORTENED:
        return len(text)  # 御东学府 is not its 御东学府幼儿园
    found = _KIND.search(text, 0, end)
    return found.start() if found and found.start() >= LEAST_CORE else end


def _light_from(text: str, kind: str, end: int) -> int:
    if kind in _TAILS:
        return end
    found = _LIGHT.search(text)
    return max(end, found.start()) if found and found.start() >= LEAST_CORE else len(text)
