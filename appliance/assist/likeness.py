"""How alike two short texts are."""

from __future__ import annotations

SHORT = 8  # characters; what is shorter says too little


def likeness(one: str, other: str) -> float:
    """0..1: the share of character pairs that both have (Dice)."""
    if min(len(one), len(other)) < SHORT:
        return float(one == other)
    mine, theirs = pairs(one), pairs(other)
    return 2 * len(mine & theirs) / (len(mine) + len(theirs))


def pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}
