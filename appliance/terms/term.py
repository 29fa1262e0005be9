"""What a city, a hotline system or a caller wants heard right."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_TERMS, LONGEST_TERM = 10_000, 64  # of a list; characters of one
SHORTEST_TERM = 2  # one character sounds like dozens of others: it is never put in
_NUMBER = re.compile("[0-9零〇一二三四五六七八九十百千万亿幺两点.]+")


@dataclass(frozen=True, slots=True)
class Term:
    """One of them.

    Attributes:
        weight: nats in its favour, when something like it is heard; negative: it is seldom said.
        category: for people; "" where nobody sorts them.
    """

    text: str
    weight: float = 0.0
    category: str = ""

    @property
    def fault(self) -> str:
        """Why nothing that was heard is ever taken for it; "" if it can be."""
        if len(self.text) < SHORTEST_TERM:
            return "one character sounds like many others"
        if _NUMBER.fullmatch(self.text):
            return "it is a number, and numbers are never changed by a list"
        return ""
