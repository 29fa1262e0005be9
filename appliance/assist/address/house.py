"""House numbers down to the room: 三号楼二单元五零一, 3栋2-501, A座602, 12号院, 12-3-1001.

The same words mean other things elsewhere (三号 is a day, 三栋楼 is a count), so a number without a
unit of its own counts only where a name, or another piece, stands right before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from appliance.assist.address.levels import Spot, levels
from appliance.assist.address.numerals import CHINESE, arabic
from appliance.assist.address.tokens import (
    MORE,
    NONE,
    OTHER,
    Piece,
    Token,
    joined,
    mended,
    tokens,
    touch,
)

_SIDE = re.compile("(?P<unit>[东西中南北]单元)|(?P<room>[东西中左右][户手]|[东西]边户)")
_WHERE = re.compile(
    "(?P<area>镇|乡|街道|县|市)|(?P<village>村|社区|[组队屯庄])|"
    "(?P<stall>市场|商城|大厦|[配衫装纺材鞋革饰贸珠]城)|"
    "(?P<street>[^0-9二三四五六七八九十][路街道弄巷线]|胡同|[东西南北中]段|[路道巷弄])|"
    "(?P<home>[区园苑坊里寓府庭院舍期])"
)
_NORMAL = {
    **{"group": "组", "number": "号", "building": "号楼"},
    **{"unit": "单元", "floor": "层", "room": "室"},
}
_PLAIN = {"楼": "层", "F": "层", "f": "层", "户": "室", "门": "单元", "门洞": "单元"}
_ALONE = re.compile(
    rf"(?:[嗯啊哦呃是在，,。就那个住\s])*(?P<digits>[0-9]+[A-Za-z]?|[A-Za-z][0-9]*|[{CHINESE}]+)"
    r"[号楼栋]?(?:[的吧啊呀嘛，,。！\s])*"
)


def pieces(said: str, names: Mapping[int, str]) -> tuple[Piece, ...]:
    """What `said` tells of house numbers.

    Args:
        names: where names end, and what is named (STREET, AREA, VILLAGE, HOME, STALL, NAMED).
    """
    text = mended(said)
    numbers = list(tokens(text))
    found: list[Piece] = []
    at = 0
    while at < len(numbers):
        run = joined(text, numbers[at:])
        at += len(run)
        before = _before(text, [*found, *_sided_units(text)], run[0].start)
        where = NONE if before else _where(text, run[0].start, names)
        follows = at < len(numbers) and touch(text, run[-1].end, numbers[at].start)
        for token, level in zip(run, levels(run, Spot(text, before, where, follows)), strict=True):
            if level == MORE and found:
                found[-1] = _longer(text, found[-1], token)
            elif level:
                found.append(_piece(text, token, level))
    return tuple(
        replace(piece, said=said[piece.start : piece.end]) for piece in _with_sides(text, found)
    )


def bare(text: str, asked: Sequence[str]) -> tuple[Piece, ...]:
    """A number alone, as an answer to a question for one of the levels `asked`: 三, 五零一吧."""
    found = _ALONE.fullmatch(text)
    if not found or not asked:
        return ()
    said = found["digits"]
    short = len(arabic(said)) < 3
    level = next((each for each in asked if short == (each not in ("room", "number"))), asked[0])
    body = arabic(said).upper()
    return (Piece(level, said, body + _NORMAL[level], found.start("digits"), found.end("digits")),)


def _where(text: str, start: int, names: Mapping[int, str]) -> str:
    """What stands before the number that begins at `start`."""
    end = start
    while end and (text[end - 1].isspace() or text[end - 1] in "_,，、的-"):
        end -= 1
    if end in names:
        return names[end]
    for length in (2, 1):
        found = _WHERE.fullmatch(text, max(0, end - length), end)
        if found and end - length >= 0 and found.lastgroup:
            return found.lastgroup
    return OTHER if end else NONE


def _longer(text: str, piece: Piece, token: Token) -> Piece:
    said = text[piece.start : token.end]
    body = piece.text.removesuffix(_NORMAL[piece.level])
    tail = token.tail or _NORMAL[piece.level]
    return Piece(piece.level, said, f"{body}-{arabic(token.digits)}{tail}", piece.start, token.end)


def _piece(text: str, token: Token, level: str) -> Piece:
    said = text[token.start : token.end]
    body = arabic(said[: len(said) - len(token.tail)]).upper()
    tail = _PLAIN.get(token.tail, token.tail) if level != "number" else token.tail
    return Piece(level, said, body + (tail or _NORMAL[level]), token.start, token.end)


def _before(text: str, found: Sequence[Piece], start: int) -> Piece | None:
    """The piece that stands right before `start`."""
    last = max((p for p in found if p.end <= start), key=lambda p: p.end, default=None)
    return last if last and touch(text, last.end, start) else None


def _sided_units(text: str) -> list[Piece]:
    """东单元 is a unit as 二单元 is."""
    found = (match for match in _SIDE.finditer(text) if match["unit"])
    return [Piece("unit", match[0], match[0], match.start(), match.end()) for match in found]


def _with_sides(text: str, found: Sequence[Piece]) -> list[Piece]:
    """And which side of the stairs: 三单元五楼东户."""
    sides = [Piece(m.lastgroup or "", m[0], m[0], m.start(), m.end()) for m in _SIDE.finditer(text)]
    ends = {piece.end for piece in found if piece.level in ("unit", "floor", "building")}
    sides = [side for side in sides if side.level == "unit" or side.start in ends]
    return sorted([*found, *sides], key=lambda piece: piece.start)
