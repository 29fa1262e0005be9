"""BM25 over characters, pairs of them, and words of letters and digits.

Words of a dictionary were measured beside them and brought nothing (docs/knowledge.md). What is
rare counts more than plain BM25 has it, single characters least: questions of citizens are long
and full of what every question holds. What a key is worth is known when a question is asked, by all
texts that are there then: indexes are put together without counting anything anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from appliance.assist.text.grams import Ints, TermCounts, counts, distinct, is_single

Scores = NDArray[np.float32]

SATURATION, LENGTH = 1.2, 0.8  # BM25's k1 and b
RARITY, SINGLE_RARITY, SINGLE = 1.25, 2.0, 0.1  # powers of idf, and what single ones weigh
EVERYWHERE = 0.1  # share of texts that hold a single character, from which on it says nothing
OTHERS = 200  # texts that are taken to be beside those that there are: of few, all is common
AGAIN = 2.0  # from which count on a key of a question weighs little more


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """Of what is indexed: by it a question is weighed.

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

    def held(self, keys: Ints) -> Ints:
        """How many texts hold each of `keys`."""
        if not len(self.keys):
            return np.zeros(len(keys), np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.holding[at], 0)

    def weights(self, keys: Ints) -> Scores:
        """What each of `keys` is worth where it is found."""
        texts, holding, single = self.texts + OTHERS, self.held(keys), is_single(keys)
        idf = np.log1p((texts - holding + 0.5) / (holding + 0.5))
        worth = np.where(single, self.single * idf**SINGLE_RARITY, idf**RARITY)
        worth[single & (holding > EVERYWHERE * texts)] = 0
        return worth.astype(np.float32)


def together(parts: Sequence[TermStatistics], keys: Ints) -> TermStatistics:
    """Of all that is counted in several, for some keys alone, ascending."""
    texts = np.array([part.texts for part in parts], np.float64)
    share = texts / max(float(texts.sum()), 1.0)
    return TermStatistics(
        keys,
        np.sum([part.held(keys) for part in parts], axis=0, dtype=np.int64),
        int(texts.sum()),
        float(share @ [part.length for part in parts]) or 1.0,
        float(share @ [part.weight for part in parts]) or 1.0,
        parts[0].single,
    )


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


@dataclass(frozen=True, slots=True)
class Index:
    """Texts, searched by all that a question holds. What a key is worth is not in it.

    Attributes:
        begin: of each key of the statistics where its texts begin; and the end.
        text: the texts of each key, ascending.
        gain: what a key gives a text that holds it, half as many bytes as a score.
    """

    statistics: TermStatistics
    begin: Ints
    text: NDArray[np.int32]
    gain: NDArray[np.float16]

    def __len__(self) -> int:
        return self.statistics.texts

    @property
    def bytes(self) -> int:
        held = (self.statistics.keys, self.statistics.holding, self.begin, self.text, self.gain)
        return sum(array.nbytes for array in held)

    def scores(self, question: SearchQuery, by: TermStatistics | None = None) -> Scores:
        """Of every text, 0: nothing in common.

        Args:
            by: the statistics by which the question is weighed; None: those of these texts.
        """
        keys = self.statistics.keys
        at = np.minimum(np.searchsorted(keys, question.keys), max(len(keys) - 1, 0))
        worth = question.weight * (by or self.statistics).weights(question.keys)
        known = np.flatnonzero((keys[at] == question.keys) & (worth > 0)) if len(keys) else at[:0]
        scores: Scores = np.zeros(len(self), np.float32)
        if not len(known):
            return scores
        begin, end = self.begin[at[known]], self.begin[at[known] + 1]
        spans = [slice(b, e) for b, e in zip(begin.tolist(), end.tolist(), strict=True)]
        gains = np.concatenate([self.gain[span] for span in spans]).astype(np.float32)
        gains *= np.repeat(worth[known], end - begin)
        np.add.at(scores, np.concatenate([self.text[span] for span in spans]), gains)
        return scores


def indexed(
    found: TermCounts,
    others: Sequence[TermStatistics] = (),
    *,
    norm: float = 0.0,
    single: float = SINGLE,
) -> Index:
    """Texts by what occurs in them.

    Args:
        others: of texts that are searched beside these: by all of them these are weighed.
        norm: power of what a text weighs in all that its scores are divided by: long questions
            would else find long texts.
        single: what single characters weigh beside pairs and words.
    """
    begins = np.flatnonzero(np.diff(found.key, prepend=-1))
    keys, holding = found.key[begins], np.diff(begins, append=len(found.key))
    length = np.bincount(found.text, found.count, found.texts)
    mean = float(length.mean()) if len(keys) else 1.0
    own = TermStatistics(keys, holding, found.texts, mean, single=single)
    by = together([*others, own], keys)
    longer = SATURATION * (1 - LENGTH + LENGTH * length / by.length)
    gain = found.count * (SATURATION + 1) / (found.count + longer[found.text])
    if norm and len(keys):
        worth = gain * np.repeat(by.weights(keys), holding)
        weight = np.maximum(np.sqrt(np.bincount(found.text, worth**2, found.texts)), 1e-6)
        own = replace(own, weight=float(weight.mean()))
        gain /= ((weight / together([*others, own], keys[:0]).weight) ** norm)[found.text]
    begin = np.append(begins, len(found.key))
    return Index(own, begin, found.text.astype(np.int32), gain.astype(np.float16))


def joined(parts: Sequence[tuple[Index, NDArray[np.bool_]]]) -> Index:
    """One index for several, in their order; of each the texts that are kept."""
    few = [_kept(index, keep) for index, keep in parts]
    keys = distinct(np.concatenate([index.statistics.keys for index in few]))
    holding = np.sum([index.statistics.held(keys) for index in few], axis=0, dtype=np.int64)
    begin = np.append(0, np.cumsum(holding))
    text, gain = np.empty(begin[-1], np.int32), np.empty(begin[-1], np.float16)
    free, texts = begin[:-1].copy(), 0  # where the next text of each key comes to stand
    for index in few:
        at = np.searchsorted(keys, index.statistics.keys)
        held = index.statistics.holding
        there = np.repeat(free[at] - index.begin[:-1], held) + np.arange(len(index.text))
        text[there], gain[there] = index.text + np.int32(texts), index.gain
        free[at] += held
        texts += len(index)
    of_all = together([index.statistics for index in few], keys)
    return Index(of_all, begin, text, gain)


def _kept(index: Index, keep: NDArray[np.bool_]) -> Index:
    """Without the texts that are not kept."""
    if keep.all():
        return index
    held = keep[index.text]
    upto = np.append(0, np.cumsum(held))[index.begin]
    holding = np.diff(upto)
    some = holding > 0
    number = (np.cumsum(keep) - 1).astype(np.int32)
    statistics = replace(
        index.statistics,
        keys=index.statistics.keys[some],
        holding=holding[some],
        texts=int(keep.sum()),
    )
    begin = np.append(upto[:-1][some], upto[-1])
    return Index(statistics, begin, number[index.text[held]], index.gain[held])
