"""Where places lie, as trimmed codes of divisions: 1402, 140213, 140213001 ..."""

from __future__ import annotations

from collections.abc import Sequence

LENGTHS = (2, 4, 6, 9, 12)  # of a code of each level


def within(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """The deeper of each two that lie in one another; none where none do."""
    found = {
        a if len(a) > len(b) else b
        for a in one
        for b in other
        if a.startswith(b) or b.startswith(a)
    }
    return tuple(sorted(found))


def prefix(codes: Sequence[str]) -> str:
    """The deepest division that all of them lie in."""
    first = codes[0]
    for length in reversed(LENGTHS):
        if length <= len(first) and all(code.startswith(first[:length]) for code in codes):
            return first[:length]
    return ""


def levels(code: str) -> tuple[str, ...]:
    """The divisions that a division lies in, and itself last."""
    return tuple(code[:length] for length in LENGTHS if length <= len(code))
