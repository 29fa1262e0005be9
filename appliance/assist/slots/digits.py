"""Digits as they are spoken: where an utterance has strings of them, and what else they may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.slots.turns import CACHED, plain

_DIGITS = {
    **{char: char for char in "0123456789"},
    **dict(zip("零〇○一二三四五六七八九", "000123456789", strict=True)),
    **dict(zip("幺壹贰叁肆伍陆柒捌玖", "1123456789", strict=True)),
}
_TIMES = dict(zip("一二两三四五六123456", "122345" + "6123456", strict=True))
# What a recogniser writes for a digit it did not take for one. Believed only between digits, and
# only where a number of the right length comes of it.
_ALIKE = {
    **dict.fromkeys("要妖腰邀么摇夭", "1"),
    **dict.fromkeys("医衣依伊", "1"),
    **dict.fromkeys("儿而耳尔", "2"),
    **dict.fromkeys("散伞", "3"),
    **dict.fromkeys("是事似死", "4"),
    **dict.fromkeys("吴午舞无武屋", "5"),
    **dict.fromkeys("流留刘溜", "6"),
    **dict.fromkeys("其期起器旗妻气", "7"),
    **dict.fromkeys("吧把爸巴", "8"),
    **dict.fromkeys("就酒久旧", "9"),
    **dict.fromkeys("林灵领铃另", "0"),
}
_D = "[" + "".join(_DIGITS) + "]"
_SPOKEN = re.compile(rf"(?P<times>[一二两三四五六1-6])个(?P<what>{_D})|(?P<digit>{_D})")
# Between digits of one number: pauses, and words that only say that there is more to come.
_GAP = re.compile(
    r"^(?:[\s，,、。.．\-－—…:：]|[嗯呃啊哦额哎诶欸唉呀哈]|然后|接着|后面|完了|再|是|那个|"
    r"这个|就|"
    r"等一下|等等|我看看|你记一?下|后头|中间)*$"
)
# After these a group of digits is taken back, or was a question to oneself.
_BREAK = re.compile(r"不对|不是|错了|说错|重新|重说|再说一遍|再来一遍|几来着|几了|什么来着")
_UNIT = re.compile(
    r"^(?:[十百千万亿]|多?(?:号楼|号院|单元|楼|室|栋|幢|弄|年|月|日|点(?!点)|分(?!机)|块|"
    r"元|层|岁|米|吨|公里|公斤|斤|度|户|人|"
    r"辆|路(?!口)|天|周|套|次|回|%|％|毛|小时|个(?!零|一|二|三|四|五|六|七|八|九|幺|\d)|"
    r"平|亩|只|份|期|站))"
)
_OPEN = re.compile(r"^(?:几|什么|多少|啥)")  # 八八几来着


@dataclass(frozen=True, slots=True)
class Group:
    """Digits said in one breath.

    Attributes:
        joined: goes on with the group before it, in the same utterance.
        broken: what came before it was taken back (不对, 说错了).
        shaky: how many of its digits were words that only sound like digits.
    """

    digits: str
    start: int
    end: int
    joined: bool
    broken: bool
    shaky: int = 0


@lru_cache(maxsize=CACHED)
def groups(text: str) -> tuple[Group, ...]:
    """Strings of digits in `text`; not quantities with a unit (三号楼, 五百块)."""
    return tuple(_grouped(plain(text), alike=False))


@lru_cache(maxsize=CACHED)
def groups_alike(text: str) -> tuple[Group, ...]:
    """The same, where words that sound like digits count as such if digits are next to them."""
    return tuple(_grouped(plain(text), alike=True))


def has_digits(text: str) -> bool:
    """Whether any digit is said at all; cheap."""
    return bool(_SPOKEN.search(text))


def _grouped(text: str, *, alike: bool) -> Iterator[Group]:
    last_end = -1
    for digits, start, end, shaky in _strings(text, alike=alike):
        if _UNIT.match(text[end:]) or _in_code(text, start, end):
            last_end = -1
            continue
        if _OPEN.match(text[end:]):
            continue
        between = text[last_end:start] if last_end >= 0 else text[max(0, start - 8) : start]
        broken = bool(_BREAK.search(between))
        joined = last_end >= 0 and (broken or bool(_GAP.match(between)))
        yield Group(digits, start, end, joined, broken, shaky)
        last_end = end


def _in_code(text: str, start: int, end: int) -> bool:
    """Whether letters stand next to the digits, as in order numbers and licence plates."""
    around = text[max(0, start - 1) : start] + text[end : end + 1]
    return any(char.isascii() and char.isalpha() for char in around)


def _strings(text: str, *, alike: bool) -> Iterator[tuple[str, int, int, int]]:
    """(digits, start, end, doubtful ones) of digits that follow each other without a gap."""
    digits, start, end, shaky = "", -1, -1, 0
    for said, first, last, doubtful in _spoken(text, alike=alike):
        if digits and first != end:
            yield digits, start, end, shaky
            digits, shaky = "", 0
        if not digits:
            start = first
        digits, end, shaky = digits + said, last, shaky + doubtful
    if digits:
        yield digits, start, end, shaky


def _spoken(text: str, *, alike: bool) -> Iterator[tuple[str, int, int, int]]:
    sure = {match.start(): match for match in _SPOKEN.finditer(text)}
    ends = {match.end() for match in sure.values()}
    at = 0
    while at < len(text):
        match = sure.get(at)
        if match:
            yield _value(match), at, match.end(), 0
            at = match.end()
            continue
        if alike and text[at] in _ALIKE and (at in ends or at + 1 in sure):
            yield _ALIKE[text[at]], at, at + 1, 1
        at += 1


def _value(match: re.Match[str]) -> str:
    """两个八 -> 88, 幺 -> 1."""
    if match["digit"]:
        return _DIGITS[match["digit"]]
    return _DIGITS[match["what"]] * int(_TIMES[match["times"]])
