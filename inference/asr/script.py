"""How mainland China writes: simplified characters, full-width marks. Stock Whisper writes either
script at whim, and half-width marks. Both changes go character by character, so that words keep
their times."""

from __future__ import annotations

import re
from functools import cache

from opencc import OpenCC

CHINESE = ("zh", "yue")
FULL_WIDTH = str.maketrans(",?!;:", "，？！；：")
HAN = "\u3400-\u9fff"
# A mark beside Chinese; not the one in 12,000 or 10:30, nor one among Latin words.
_MARK = re.compile(rf"(?<=[{HAN}])\s?[,?!;:]|[,?!;:](?=\s?[{HAN}])|(?<=[0-9%A-Za-z])[,?!;:]$")
# 著 is right in 著名 and its like alone; GB 2312 knows it, so that it tells nothing of the script.
_PARTICLE = re.compile("(?<![显卓名原论编土昭巨专译遗拙知])著(?![名作述书称录者])")
_STOP = re.compile(rf"(?<=[{HAN}])\.(?!\d)")


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")


def mandarin(text: str, language: str) -> str:
    """Text as it is written on the mainland, if it is Chinese; as it is if not."""
    if language not in CHINESE or not text:
        return text
    text = simplified(text, language)
    if not any("\u3400" <= char <= "\u9fff" for char in text):
        return text
    text = _PARTICLE.sub("着", text)
    text = _MARK.sub(lambda mark: mark[0].translate(FULL_WIDTH), text)
    return _STOP.sub("。", text)


def simplified(text: str, language: str) -> str:
    """Chinese text in simplified characters.

    Only text in which a character is traditional beyond doubt is converted: 乾, 著 and others are
    right in either script, and stay as they are in text that is simplified already.
    """
    if language not in CHINESE or not any(map(_is_traditional, text)):
        return text
    return str(_converter().convert(text))


@cache
def _is_traditional(character: str) -> bool:
    """Not in GB 2312, and simplified to another."""
    if not "\u3400" <= character <= "\u9fff":
        return False
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return str(_converter().convert(character)) != character
    return False
