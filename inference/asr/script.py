"""Mainland China reads simplified characters; stock Whisper writes either, at whim."""

from __future__ import annotations

from functools import cache

from opencc import OpenCC

CHINESE = ("zh", "yue")


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")


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
