"""What an administrator reads, in both languages: Chinese, or English where that is asked for."""

from __future__ import annotations

import os
from typing import Literal

Language = Literal["zh", "en"]


class Bilingual(str):
    """A sentence in English, as programs read it, that knows itself in Chinese."""

    __slots__ = ("zh",)
    zh: str

    def __new__(cls, en: str, zh: str) -> Bilingual:
        made = super().__new__(cls, en)
        made.zh = zh
        return made


def in_language(text: str, language: Language) -> str:
    """As a person reads it; what has no Chinese stays as it is."""
    return text.zh if language == "zh" and isinstance(text, Bilingual) else str(text)


def own_language() -> Language:
    """As the installer has it: Chinese, unless the terminal is set to English."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "zh"
