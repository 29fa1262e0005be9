"""What citizens say is searched by expressions of our own: none of them takes forever.

Python's matcher holds every other thread: one that doubles its time with each character of a
stammer would stop the box.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import appliance.assist
import appliance.call

SHORT, LONG = 8, 16  # times that a piece is said again
TIMES_LONGER = 50.0  # of a text twice as long: a polynomial of the fifth degree has 32
LEAST_S = 0.005  # below which a clock tells nothing
MOST_PIECES = 40
ENDS = ("", "水", "X", "。")
_SYNTAX = re.compile(r"\(\?P?<?[^>)]*>|\(\?[:=!<]+|[\\^$*+?{}|()\[\]]")


def ours() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every expression that a module of those rooms holds."""
    for room in (appliance.assist, appliance.call):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    yield f"{module.name}.{name}", value


PATTERNS = dict(ours())


def pieces(pattern: re.Pattern[str]) -> list[str]:
    """What it is made of: words, and single characters."""
    plain = _SYNTAX.sub(" ", pattern.pattern)
    words = [word for word in plain.split() if len(word) <= 6]
    return list(dict.fromkeys([*words, *plain.replace(" ", "")]))[:MOST_PIECES]


def took(pattern: re.Pattern[str], text: str) -> float:
    began = time.perf_counter()
    for _ in pattern.finditer(text):
        pass
    return time.perf_counter() - began


def test_a_stammer_is_known() -> None:
    stammer = re.compile("(?:[啊哦]+，?)*水")
    grown = took(stammer, "啊" * LONG + "X") / took(stammer, "啊" * SHORT + "X")
    assert grown > TIMES_LONGER


@pytest.mark.parametrize("name", PATTERNS)
def test_none_takes_forever(name: str) -> None:
    pattern = PATTERNS[name]
    for piece in pieces(pattern):
        for end in ENDS:
            longer = took(pattern, piece * LONG + end)
            if longer > LEAST_S:
                again = min(took(pattern, piece * LONG + end) for _ in range(3))
                shorter = min(took(pattern, piece * SHORT + end) for _ in range(3))
                assert again < max(LEAST_S, TIMES_LONGER * shorter), (piece, end)
