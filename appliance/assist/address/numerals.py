"""Numbers as people say and write them inside addresses."""

from __future__ import annotations

import re

DIGITS = "零〇一二两三四五六七八九幺"
CHINESE = DIGITS + "十百"
NUMBER = rf"(?:[0-9０-９]+|[{CHINESE}]+)"
_ARABIC = str.maketrans(DIGITS + "０１２３４５６７８９", "001223456789" + "1" + "0123456789")
_ROOM = re.compile(r"(\d?)十(\d?)0(\d)")  # 十一零三 is room 3 on floor 11
_PLACES = re.compile(r"(?:(\d)百)?零?(?:(\d?)十)?(\d?)")


def arabic(said: str) -> str:
    """`said` with its numbers in digits: 十二 -> 12, 五零一 -> 501, 三百零二 -> 302, A座 -> A座."""
    return re.sub(f"[{CHINESE}０-９]+", lambda found: _value(found[0]), said)


def _value(said: str) -> str:
    digits = said.translate(_ARABIC)
    if digits.isdecimal():
        return digits
    if room := _ROOM.fullmatch(digits):
        tens, ones, number = room.groups()
        return f"{tens or 1}{ones or 0}0{number}"
    found = _PLACES.fullmatch(digits.replace("0", "零"))
    if not found:
        return said
    hundreds, tens, ones = found.groups()
    tens = "1" if tens == "" else tens  # 十二: a ten that is not counted is one
    return str(int(hundreds or 0) * 100 + int(tens or 0) * 10 + int(ones or 0))
