"""Regular expressions of rules: those by which any text is searched in a moment, and no others.

Python's matcher tries every way in which an expression may fit, and no other thread goes on
meanwhile: one rule that repeats what repeats would stop the box.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONG = 16  # times, from which on a repeat is endless
MOST_WAYS = 1000  # in which what is bounded may fit
MOST_ENDLESS = 1  # repeats without end, one after the other
MOST_LENGTH = 1000  # characters of what is bounded
FOREVER = "it may take forever: something repeated is repeated, or repeats without end follow"
EMPTY = "it repeats what may be nothing"
REPEATS = frozenset({op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT})
Ways = tuple[int, int]  # in which it may fit, but for endless repeats; and how many of those


def checked(text: str) -> str:
    """Raises ValueError for what is none, or may take too long."""
    try:
        tree = parser.parse(text)
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    if _ways(tree)[1] == 0 and tree.getwidth()[1] > MOST_LENGTH:
        raise ValueError(FOREVER)
    return text


def _ways(tree: Iterable[tuple[Any, Any]]) -> Ways:
    """Of what stands one after the other."""
    ways, endless = 1, 0
    for kind, what in tree:
        more, beside = _of_part(kind, what)
        ways, endless = ways * more, endless + beside
        if ways > MOST_WAYS or endless > MOST_ENDLESS:
            raise ValueError(FOREVER)
    return ways, endless


def _of_part(kind: Any, what: Any) -> Ways:
    if kind in REPEATS:
        return _repeated(*what)
    if kind is op.BRANCH:
        return _either(what[1])
    if kind is op.GROUPREF_EXISTS:
        return _either([branch for branch in what[1:] if branch])
    if kind in (op.SUBPATTERN, op.ASSERT, op.ASSERT_NOT):
        return _ways(what[-1])
    return _ways(what) if kind is op.ATOMIC_GROUP else (1, 0)


def _either(branches: Iterable[Any]) -> Ways:
    found = [_ways(branch) for branch in branches]
    return sum(ways for ways, _ in found), max(endless for _, endless in found)


def _repeated(least: int, most: int, body: Any) -> Ways:
    ways, endless = _ways(body)
    if most > 1 and body.getwidth()[0] == 0:
        raise ValueError(EMPTY)
    if most <= LONG:
        return ways**most * (most - least + 1), endless * most
    if ways > 1 or endless:
        raise ValueError(FOREVER)
    return 1, int(least != most)
