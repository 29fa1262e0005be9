"""BM25 over characters, pairs of them, and words of letters and digits.

Words of a dictionary were measured beside them and brought nothing (docs/knowledge.md). What is
rare counts more than plain BM25 has it, single characters least: questions of citizens are long
and full of what every question holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from appliance.assist.text.grams import Ints, TermCounts, counts, is_single

Scores = NDArray[np.float32]

SATURATION, LENGTH = 1.2, 0.8  # BM25's k1 and b
RARITY, SINGLE_RARITY, SINGLE = 1.25, 2.0, 0.1  # powers of idf, and what single ones weigh
OTHERS = 200  # texts that are taken to be beside those that there are: of few, all is common
AGAIN = 2.0  # from which count on a key of a question weighs little more


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """Of what is indexed: by it what came later, and passages, are weighed alike.

    Attributes:
        keys: ascending.
        holding: how many texts hold each.
        texts: how many there are.
        length: the mean, in keys.
        weight: the mean of what texts weigh in all.
        single: what single characters weigh beside pairs and words.
    """

    keys: Ints
    holding: Ints
    texts: int
    length: float
    weight: float = 1.0
    single: float = SINGLE

    def weights(self, keys: Ints) -> Scores:
        """What each of `keys` is worth where it is found."""
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        known = self.keys[at] == keys if len(self.keys) else np.zeros(len(keys), bool)
        holding = np.where(known, self.holding[at], 0) if len(self.keys) else np.zeros(len(keys))
        texts = self.texts + OTHERS
        idf = np.log1p((texts - holding + 0.5) / (holding + 0.5))
        single = is_single(keys)
        worth: Scores = np.where(single, self.single * idf**SINGLE_RARITY, idf**RARITY)
        return worth.astype(np.float32)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a question holds: keys, ascending, and how much each matters, >= 0."""

    keys: Ints
    weight: Scores


def query_of(parts: Sequence[tuple[str, float]]) -> SearchQuery:
    """A question of some texts, each with how much it matters."""
    found = counts([text for text, _ in parts])
    matters = np.array([weight for _, weight in parts], np.float32)
    keys, at = np.unique(found.key, return_inverse=True)
    weighed = found.count * (AGAIN + 1) / (found.count + AGAIN) * matters[found.text]
    weight = np.zeros(len(keys), np.float32)
    np.maximum.at(weight, at, weighed.astype(np.float32))
    return SearchQuery(keys, weight)


class Index:
    """Texts, searched by all that a question holds. Never changed.

    Args:
        found: what occurs in the texts.
        by: by whose statistics it is weighed; None: its own.
        norm: power of what a text weighs in all that its scores are divided by: long questions
            would else find long texts.
    """

    def __init__(
        self,
        found: TermCounts,
        by: TermStatistics | None = None,
        *,
        norm: float = 0.0,
    ) -> None:
        keys, at, holding = np.unique(found.key, return_inverse=True, return_counts=True)
        length = np.bincount(found.text, found.count, found.texts)
        mean = float(length.mean()) if len(keys) else 1.0
        own = TermStatistics(keys, holding, found.texts, mean)
        self.statistics = by or own
        longer = SATURATION * (1 - LENGTH + LENGTH * length / self.statistics.length)
        gain = found.count * (SATURATION + 1) / (found.count + longer[found.text])
        gain *= self.statistics.weights(keys)[at]
        weight = np.sqrt(np.bincount(found.text, gain**2, found.texts))
        if by is None and len(keys):
            self.statistics = replace(own, weight=float(weight.mean()))
        gain /= (np.maximum(weight, 1e-6)[found.text] / self.statistics.weight) ** norm
        order = np.argsort(at, kind="stable")
        self._keys, self._texts = keys, found.texts
        self._begin = np.append(0, np.cumsum(holding))
        self._text = found.text[order].astype(np.int32)
        self._gain: Scores = gain[order].astype(np.float32)

    def __len__(self) -> int:
        return self._texts

    @property
    def bytes(self) -> int:
        held = (self._keys, self._begin, self._text, self._gain, self.statistics.holding)
        return sum(array.nbytes for array in held)

    def scores(self, question: SearchQuery) -> Scores:
        """Of every text, 0: nothing in common."""
        _, mine, theirs = np.intersect1d(
            self._keys, question.keys, assume_unique=True, return_indices=True
        )
        begin, end = self._begin[mine], self._begin[mine + 1]
        spans = [slice(b, e) for b, e in zip(begin.tolist(), end.tolist(), strict=True)]
        if not spans:
            return np.zeros(self._texts, np.float32)
        texts = np.concatenate([self._text[span] for span in spans])
        gains = np.concatenate(
            [
                self._gain[span] * weight
                for span, weight in zip(spans, question.weight[theirs].tolist(), strict=True)
            ]
        )
        summed: Scores = np.bincount(texts, gains, self._texts).astype(np.float32)
        return summed
