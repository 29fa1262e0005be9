"""What a spreadsheet would take for a formula: others' words in tables that people open."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
MARK = "'"  # before it, and a spreadsheet shows it as it is


def plain(text: str) -> str:
    return f"{MARK}{text}" if text[:1] in FORMULA else text


def unmarked(text: str) -> str:
    """What `plain` was given."""
    return text[1:] if text[:1] == MARK and text[1:2] in FORMULA else text
