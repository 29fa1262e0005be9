"""How alike texts are: two short ones by the pairs they share, many by all that they hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.assist.text.grams import TermCounts, counts, is_single
from appliance.assist.text.index import SearchQuery, indexed

SHORT = 8  # characters; what is shorter says too little


def likeness(one: str, other: str) -> float:
    """0..1: the share of character pairs that both have (Dice)."""
    if min(len(one), len(other)) < SHORT:
        return float(one == other)
    mine, theirs = pairs(one), pairs(other)
    return 2 * len(mine & theirs) / (len(mine) + len(theirs))


def pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}


def likenesses(texts: Sequence[str], single: float = 0.0) -> NDArray[np.float32]:
    """Of each text to each: 0..1, by what both hold, the rare above all.

    Args:
        single: what single characters weigh beside pairs and words; 0 unless texts are short.

    Returns:
        [n, n], symmetric; 1 of a text to itself, unless it holds nothing.
    """
    found = counts(texts) if single else _without_singles(counts(texts))
    index = indexed(found, norm=1.0, single=single)
    by_text = found.key[np.argsort(found.text, kind="stable")]
    begin = np.append(0, np.cumsum(np.bincount(found.text, minlength=len(texts))))
    alike = np.zeros((len(texts), len(texts)), np.float32)
    for at in range(len(texts)):
        held = by_text[begin[at] : begin[at + 1]]
        alike[at] = index.scores(SearchQuery(held, np.ones(len(held), np.float32)))
    alike /= np.maximum(alike.diagonal(), 1e-6)[:, None]
    both: NDArray[np.float32] = np.minimum(np.sqrt(alike * alike.T), np.float32(1))
    return both


def _without_singles(found: TermCounts) -> TermCounts:
    kept = ~is_single(found.key)
    return TermCounts(found.text[kept], found.key[kept], found.count[kept], found.texts)
