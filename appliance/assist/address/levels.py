"""Which level of an address a number is, by its unit and by what stands before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.assist.address.numerals import DIGITS, arabic
from appliance.assist.address.tokens import (
    AREA,
    HOME,
    LEVELS,
    MORE,
    NAMED,
    NONE,
    OTHER,
    STALL,
    STREET,
    VILLAGE,
    Piece,
    Token,
)

TELEPHONE = 11  # digits
LONGEST = 5  # digits of a number; longer ones are postcodes and telephones
_KIND = {
    **dict.fromkeys(("号楼", "号栋", "号幢", "栋", "栋楼", "幢", "幢楼", "橦"), "building"),
    **dict.fromkeys(("撞", "座", "#", "＃", "#楼", "＃楼", "排"), "building"),
    **dict.fromkeys(("单元", "号单元", "单"), "unit"),
    **dict.fromkeys(("层", "楼", "F", "f"), "floor"),
    **dict.fromkeys(("室", "房", "号房", "号铺", "铺", "档", "商位", "店", "房间", "户"), "room"),
    **dict.fromkeys(("号院", "号大院", "弄"), "number"),
}
_MEASURED = re.compile(r"\s*[年月日点块元万个人户平米斤公分秒次路多来号％%.:：克度]")
# Before a car's number, or the rest of a telephone's.
_PLATE = re.compile(r"(?:[车牌号码晋京津冀蒙陕鲁豫辽沪是电话单]\s*[A-Za-z]{0,2}|[0-9])\s*$")
_WING = re.compile("[0-9]{1,2}[A-Za-z]")
_LETTERED_WING = re.compile("[A-Za-z][0-9]{1,2}")
_ROOM = re.compile("[A-Za-z]?[0-9]{3,5}[A-Za-z]?")
_WRITTEN = re.compile("[^的了吗呢是在我你他她有没来去，。？！月日]{1,60}")  # an address and no talk
_MARKET = re.compile("市场|[商服鞋纺贸材]城|商贸")
_OFFICES = ("中心", "广场", "大楼", "国际", "公寓")
_LAST = re.compile(r"[\s_，,。；]*($|[店铺摊商(（]|电联|电话)")


@dataclass(frozen=True, slots=True)
class Spot:
    """What stands around numbers.

    Attributes:
        before: the piece of the same address right before them.
        where: else what is named there (STREET, AREA, VILLAGE, HOME, STALL, NAMED, OTHER, NONE).
        follows: another number stands right behind.
    """

    text: str
    before: Piece | None
    where: str
    follows: bool

    @property
    def outer(self) -> str:
        """The level before, or ""."""
        return self.before.level if self.before else ""

    def last(self, token: Token) -> bool:
        """Whether the address ends there."""
        return bool(_LAST.match(self.text, token.end))

    def in_market(self, token: Token) -> bool:
        return bool(_MARKET.search(self.text, 0, token.start))


def levels(run: Sequence[Token], spot: Spot) -> list[str]:
    """Each number's level; "" for what is no part of an address, MORE for what belongs to the one
    before. `run`: numbers that dashes join, or one alone."""
    if len(run) > 1:
        return _of_run(run, spot)
    token = run[0]
    return [_by_tail(token, spot) if token.tail else _bare(token, spot)]


def _of_run(run: Sequence[Token], spot: Spot) -> list[str]:
    first, last, rest = run[0], run[-1], len(run) - 1
    if any(len(token.digits) > LONGEST for token in run) or _is_telephone(run):
        return [NONE] * len(run)
    if first.chinese and first.short and not first.tail and last.short and rest == 1:
        return [NONE, NONE]  # 三杠五 alone may be a score
    if spot.where in (STREET, VILLAGE, AREA) and first.tail in ("", "号", "弄"):
        return _on_street(run, spot.where)
    if spot.outer == "floor":
        return ["room", *[MORE] * rest]
    if _KIND.get(last.tail) == "floor" and not first.tail and rest == 1:
        return ["floor", MORE] if _range(first, last, 2) else ["building", "floor"]
    if _KIND.get(first.tail) == "floor":
        return ["floor", "room", MORE, MORE][: len(run)]
    plain = first.digits.isdecimal() and spot.where != HOME
    if not spot.before and plain and rest == 1 and last.tail == "号" and last.short:
        return _on_street(run, spot.where)
    inwards = _pair(first, last, spot.outer) if rest == 1 else _inwards(len(run), spot.outer)
    told = [
        level if level == MORE else _KIND.get(token.tail, level)
        for token, level in zip(run, inwards, strict=False)
    ]
    return [*told, *[NONE] * (len(run) - len(told))]  # no address has so many levels


def _is_telephone(run: Sequence[Token]) -> bool:
    """139-3526-8074 and what is heard of it, as no unit has three digits: 393-526-8074."""
    written = all(token.digits.isdecimal() and not token.tail for token in run)
    return written and len(run) > 2 and (not run[-2].short or _length(run) >= TELEPHONE)


def _length(run: Sequence[Token]) -> int:
    return sum(len(token.digits) for token in run)


def _pair(first: Token, last: Token, outer: str) -> list[str]:
    inside = outer in ("building", "unit")
    if not first.short and (inside or last.digits == "1"):
        return ["room", MORE]  # 1703-2
    if outer == "building" and last.tail == "号" and _range(first, last):
        return ["room", MORE]
    if outer == "unit":
        return ["floor", "room"] if not last.short else ["room", MORE]
    if outer == "building":
        return ["unit", "room"]
    if not first.short and len(last.digits) >= 3 and _range(first, last):
        return ["room", MORE]  # 605-606室
    return ["building", "room" if last.tail in ("室", "号") or not last.short else "unit"]


def _inwards(count: int, outer: str) -> list[str]:
    """What is left below the level `outer`, for so many numbers."""
    left = LEVELS[LEVELS.index(outer or "number") + 1 :]
    if count < len(left):
        left = tuple(level for level in left if level != "floor")
    return [*left, NONE, NONE, NONE][:count]


def _range(first: Token, last: Token, most: int = 20) -> bool:
    """Whether the two are from one to another."""
    if not (first.digits.isdecimal() and last.digits.isdecimal()):
        return False
    return 0 < int(last.digits) - int(first.digits) <= most


def _on_street(run: Sequence[Token], where: str) -> list[str]:
    """15-96号 is house 96 of number 15; 133-143号 are several numbers, 92-2号 is one."""
    if len(run) > 2:
        inwards = ["number", "building", "unit", "room"]
        if len(run) == 3 and run[0].tail:
            return ["number", "building", "unit" if run[2].short else "room"]
        return inwards if len(run) == 4 else inwards[1:]
    if where in (VILLAGE, AREA) and not run[1].short and not run[1].tail:
        return ["building", "room"]
    numbered = run[1].tail == "号" and where != VILLAGE
    first, last = (int(arabic(t.digits)) if t.digits.isdecimal() else 0 for t in run)
    if not run[0].tail and (last <= 1 or (numbered and (last <= 3 or 0 < last - first < 100))):
        return ["number", MORE]
    return ["number", "building"]


def _by_tail(token: Token, spot: Spot) -> str:
    tail = token.tail
    if tail == "号":
        return _numbered(token, spot)
    if tail == "组":
        return "group" if not spot.before and spot.where in (VILLAGE, AREA) else ""
    if tail in ("门", "门洞", "街"):
        inside = "floor" if tail == "街" else "building"  # 四区二楼15街 is a market's
        return "unit" if spot.outer == inside else ""
    level = _KIND.get(tail, "")
    if level == "building" and spot.before and _is_inside(spot.before):
        return level if spot.outer == level and not token.lettered else ""
    if _is_count(token, spot) and not (spot.follows and tail != "座"):
        return ""
    if level == "room" and token.short and not (spot.before or spot.where in (STREET, HOME)):
        return ""  # 三室一厅
    if tail == "排":
        named = spot.before or spot.where in (VILLAGE, HOME)
        return ("number" if spot.follows else level) if named else ""
    return level


def _is_inside(before: Piece) -> bool:
    """Whether a building can hardly follow: B幢C座, 4号楼6楼A座."""
    return before.level != "number" and not before.said.endswith("号")


def _is_count(token: Token, spot: Spot) -> bool:
    """两栋楼, 三个单元, 一座, 五户: so many of them, not which."""
    if token.digits == "两" or (token.tail.endswith("栋楼") and token.chinese):
        return True
    if token.tail == "座" and token.chinese:
        return True
    if not token.chinese or spot.before:
        return False
    return token.tail == "户" or spot.text.startswith(("都", "全部", "全都"), token.end)


def _numbered(token: Token, spot: Spot) -> str:
    """The level of a 号."""
    if spot.before:
        return {
            "building": "unit" if spot.follows else "room",
            "number": "building",  # 650号12号, 660弄10号
            "unit": "room",
            "floor": "room",
        }.get(spot.outer, "")
    if spot.where in (STREET, VILLAGE, AREA):
        return "number"
    last = spot.last(token)
    if spot.where == HOME:
        house = spot.follows or not last or len(arabic(token.digits)) < 4
        return "building" if house and not spot.in_market(token) else "room"
    if spot.where == STALL:
        return "room"
    inside = not last and not token.chinese and bool(_WRITTEN.fullmatch(spot.text))
    if spot.where and (spot.follows or inside):
        return "building"  # 丰家兜71号1717
    return "number" if spot.where == NAMED else ""


def _bare(token: Token, spot: Spot) -> str:
    """The level of a number without a unit."""
    if not spot.before and _PLATE.search(spot.text, max(0, token.start - 4), token.start):
        return ""
    if spot.outer in ("", "number"):
        if _is_wing(token, spot):
            return "building"
        if token.lettered and not _ROOM.fullmatch(token.digits):
            return ""
    if _MEASURED.match(spot.text, token.end) or (token.chinese and len(token.digits) < 3):
        return ""
    if token.chinese and set(token.digits) - set(DIGITS):
        told = arabic(token.digits)
        return "room" if spot.before and told.isdecimal() and len(told) > 2 else ""
    if not spot.before:
        return _alone(token, spot)
    if spot.outer == "building":
        return "unit" if token.short else "room"
    inside = spot.outer in ("unit", "floor") or (spot.outer == "number" and not token.short)
    return "room" if inside else ""


def _is_wing(token: Token, spot: Spot) -> bool:
    """Whether it is a building: B3, the 8A of 8A1071, the A of A-866."""
    if _WING.fullmatch(token.digits) and spot.follows and spot.where != NONE:
        return True
    if not token.lettered or not (spot.before or spot.where):
        return False
    part = spot.text[token.end : token.end + 1] in ("区", "期", "馆", "门", "口")
    return spot.follows or (bool(_LETTERED_WING.fullmatch(token.digits)) and not part)


def _alone(token: Token, spot: Spot) -> str:
    """The level of a number without a unit that follows a name."""
    if spot.where == STREET:
        return "" if token.chinese else "number"
    last = spot.last(token)
    if spot.where == HOME:
        if spot.follows and token.digits.isdecimal() and len(token.digits) < 4:
            return "building"  # 小区13 2950室
        if _WING.fullmatch(token.digits) and last:
            return "building"
    if not _ROOM.fullmatch(token.digits):
        return ""
    if spot.where in (HOME, STALL) or (last and spot.where in (OTHER, NAMED)):
        return "room"
    offices = spot.text[: token.start].endswith(_OFFICES) and len(token.digits) == 4
    return "room" if spot.where == OTHER and (offices or spot.in_market(token)) else ""
