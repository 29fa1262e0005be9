"""From the weight of every pair of characters to the words that a reader would underline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.assist.category.grams import CHARACTER_BITS, Occurrences

STRONG = 0.3  # of the strongest pair: less is not underlined
PARTICLES = "的了着过吗呢吧啊是就都也在我你他她们把被"  # not underlined at the ends of a word


@dataclass(frozen=True, slots=True)
class Carried:
    """Characters `start` to `end` of a text, and their share of all that spoke for its label."""

    start: int
    end: int
    weight: float


def spans(
    text: str, found: Occurrences, spoke: NDArray[np.float64], most: int
) -> tuple[Carried, ...]:
    """The strongest words, strongest first: runs of pairs that spoke for it. What is said several
    times is one of them, where it is said first.

    Args:
        spoke: what each occurrence added to the score.
    """
    alone = np.zeros(len(text))  # by character
    single = found.key >> CHARACTER_BITS == 0
    alone[found.start[single]] = spoke[single]
    strength = np.where(single, 0.0, spoke)
    strength += (alone[found.start] + alone[found.end - 1]) / 2
    total = np.maximum(spoke, 0).sum()
    if strength.max(initial=0.0) <= 0 or total <= 0:
        return ()
    covered = np.zeros(len(text) + 2, bool)
    for place in np.flatnonzero(strength >= STRONG * strength.max()):
        covered[found.start[place] + 1 : found.end[place] + 1] = True
    edges = np.flatnonzero(covered[1:] != covered[:-1]).reshape(-1, 2)
    words: dict[str, Carried] = {}
    for start, end in (_trimmed(text, *edge) for edge in edges.tolist()):
        inside = (found.start >= start) & (found.end <= end)
        weight = float(spoke[inside].sum() / total)
        first = words.get(text[start:end], Carried(start, end, 0.0))
        words[text[start:end]] = Carried(first.start, first.end, first.weight + weight)
    return tuple(sorted(words.values(), key=lambda word: -word.weight)[:most])


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    word = text[start:end]
    if bare := word.strip(PARTICLES):
        start += word.index(bare)
        return start, start + len(bare)
    return start, end
