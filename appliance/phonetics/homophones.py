"""Texts by their sound: those that are told apart by their characters alone become the same text.

Tones do not count, nor what whole regions do not tell apart: zh and z, ch and c, sh and s; in and
ing, en and eng. Nor do 您 and 你, of which a telephone leaves the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from appliance.phonetics import readings

_TABLE = re.compile(r"([a-z]+)([^a-z]+)")


def same_sound(text: str) -> str:
    """As long as `text`: 贵姓 and 贵性 are one; what is no character stays what it is."""
    return text.translate(_first_of_each())


@cache
def _first_of_each() -> Mapping[int, str]:
    """By character, one that stands for all that sound so, by its usual reading."""
    first, found = dict[str, str](), dict[int, str]()
    for syllable, chars in _TABLE.findall(re.sub(r"\s", "", readings.FIRST)):
        sound = re.sub(r"^([zcs])h", r"\1", re.sub(r"(?<=[ie]n)g$", "", syllable))
        for char in chars:
            found[ord(char)] = first.setdefault(sound, char)
    return found | {ord("您"): found[ord("你")]}
