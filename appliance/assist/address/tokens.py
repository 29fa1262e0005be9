"""Numbers in a text and the units after them: what house numbers are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.assist.address.numerals import CHINESE, arabic

STREET, AREA, VILLAGE, HOME, STALL = "street", "area", "village", "home", "stall"
NAMED, OTHER, NONE = "named", "other", ""  # any other name; no name that is known; nothing
LEVELS = ("group", "number", "building", "unit", "floor", "room")  # from the street inwards
MORE = "+"  # part of the piece before


@dataclass(frozen=True, slots=True)
class Piece:
    """One level of an address as it stands in a text."""

    level: str
    said: str
    text: str  # in the normal form: 3号楼, 2单元, 5层, 501室
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Token:
    """A number, and the unit that follows it or "".

    Attributes:
        digits: as they stand there.
    """

    digits: str
    tail: str
    start: int
    end: int

    @property
    def chinese(self) -> bool:
        return self.digits[0] in CHINESE

    @property
    def lettered(self) -> bool:
        """Whether it begins with a letter: A, B3."""
        return self.digits[0].isascii() and self.digits[0].isalpha()

    @property
    def short(self) -> bool:
        """Too short for a room."""
        return len(arabic(self.digits)) < 3


_TAIL = "|".join(
    (
        r"号楼|号栋|号幢|[#＃]楼?|栋楼?|[幢橦撞]楼?|座(?![谈位机椅城山桥])|排(?![水污队名查])",
        r"组(?![织长成装合建团])|号?单元|单(?=[0-9]{3})|门洞?(?![口前外诊市面卫])|层(?![次面出楼])",
        r"楼(?![盘市宇梯道房顶村])|[Ff](?![A-Za-z])|号房|号铺|铺(?![面子路])|档(?!案|次)|商位",
        r"店(?![铺面家里])|室(?![一二两三]厅|内|外)|房(?![间屋子产东租一二两三地])|户(?![外口主])|房间",
        r"号大?院|弄(?!堂)|街(?![道边上])",
        r"号(?![线车路街码桥台店库机站矿井公地文令大酒馆广]|会(?!议)|门(?![卫口面诊市]))",
    )
)
# Before a number: 甲3号, 第二栋, 负一层; else no letter or digit (but for the floor's in 9F1145).
_FRONT = (
    r"(?P<front>[甲乙丙附]|第(?=[0-9一二三四五六七八九十]+[栋幢座单]))|负|地下|"
    r"(?<![A-Za-z0-9])|(?<=[0-9][Ff])"
)
_DIGITS = "|".join(
    (
        r"[A-Za-z]?[0-9]+(?:[A-EG-Za-eg-z](?:[0-9]+)?)?(?![A-EG-Za-eg-z0-9]|国道|省道|县道)",
        r"[A-Za-z](?=[座幢栋橦号楼\-—])|(?<=[-—])[A-Za-z](?![A-Za-z0-9])",
        rf"(?<![0-9{CHINESE}几])[{CHINESE}]+",
    )
)
_TOKEN = re.compile(rf"(?:{_FRONT})(?P<digits>{_DIGITS})(?P<tail>{_TAIL})?")
_WINGED = re.compile("(?P<wing>[0-9]{1,2}[A-Za-z])[0-9]{3,4}")  # 8A1071
_JOINT = re.compile(r"\s*(?:[-—–－_~]+|杠)\s*")
_JOINT_OF_DIGITS = re.compile("[之一]")
_GAP = re.compile(r"(?:[\s,，、_]|[门房](?:牌号?|号|间号?)是?|顶[楼层]|[就也]?是)*")
MOST_JOINED = 4
# What a recogniser makes of the units after a number.
_MISHEARD = (
    (re.compile(rf"(?<=[0-9{CHINESE}])[号浩好豪昊耗][楼娄搂漏喽](?!完|了)"), "号楼"),
    (re.compile(rf"(?<=[0-9{CHINESE}])[单担丹旦蛋][元圆园员原缘源](?!工|林)"), "单元"),
    (re.compile(r"[伞山散](?=号楼|单元)"), "三"),
    (re.compile(r"[而儿尔](?=号楼|单元)"), "二"),
    (re.compile(r"[寺饲似](?=号楼|单元)"), "四"),
    (re.compile(r"[舞伍午](?=号楼|单元)"), "五"),
    (re.compile(r"[留刘](?=号楼|单元)"), "六"),
    (re.compile(r"[酒久](?=号楼|单元)"), "九"),
)


def mended(text: str) -> str:
    """`text` with misheard units as they are written; no character comes or goes."""
    for pattern, unit in _MISHEARD:
        text = pattern.sub(unit, text)
    return text


def tokens(text: str) -> Iterator[Token]:
    """The numbers of `text` that may be a house's."""
    for found in _TOKEN.finditer(text):
        digits, tail = found["digits"], found["tail"] or ""
        winged = _WINGED.fullmatch(digits)
        if winged and text[: found.start()][-1:] not in ("楼", "层"):
            letter = found.start("digits") + winged.end("wing")
            yield Token(text[found.start() : letter], "", found.start(), letter)
            yield Token(text[letter : found.end("digits")], tail, letter, found.end())
        else:
            yield Token(digits, tail, found.start(), found.end())


def joined(text: str, found: Sequence[Token]) -> list[Token]:
    """The first token and those that dashes join to it: 12-3-1001."""
    run = [found[0]]
    for token in found[1:]:
        gap = text[run[-1].end : token.start]
        digits = not (run[-1].tail or run[-1].chinese or token.chinese)
        joint = _JOINT.fullmatch(gap) or (digits and _JOINT_OF_DIGITS.fullmatch(gap))
        if not joint or len(run) == MOST_JOINED:
            break
        run.append(token)
    return run


def touch(text: str, end: int, start: int) -> bool:
    """Whether nothing stands between two numbers but space or a dash."""
    return bool(_GAP.fullmatch(text, end, start) or _JOINT.fullmatch(text, end, start))
