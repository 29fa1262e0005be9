"""A trained model: which category a text is of, how sure that is, and which words said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.assist.category.calibration import Link
from appliance.assist.category.card import Card
from appliance.assist.category.figures import Figures, figures
from appliance.assist.category.grams import OPENING, Occurrences, count_grams, occurrences
from appliance.assist.category.labels import LEVEL, Branches
from appliance.assist.category.spans import Carried, spans
from appliance.assist.category.vocabulary import Vocabulary

Floats = NDArray[np.float32]
AT_ONCE = 256  # texts


@dataclass(frozen=True, slots=True)
class Guess:
    """A label, or a code above labels, and how likely it is, 0..1."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Of grams by labels, in bytes: `step` times `level`; (grams, labels) and (grams,)."""

    level: NDArray[np.int8]
    step: Floats

    @classmethod
    def rounded(cls, exact: Floats) -> Weights:
        step = np.maximum(np.abs(exact).max(axis=1), 1e-9) / 127
        return cls(np.rint(exact / step[:, None]).astype(np.int8), step.astype(np.float32))


class CategoryModel:
    """Never changes; may be used by several threads.

    Args:
        labels: of the columns of `weights`.
        link: from scores to probabilities.
        card: what it was trained on, how right it is and from which probability on it answers.
        known: digests of the texts it was trained on, ascending.
    """

    def __init__(
        self,
        labels: Sequence[str],
        vocabulary: Vocabulary,
        weights: Weights,
        link: Link,
        card: Card,
        known: NDArray[np.int64],
    ) -> None:
        self.branches = Branches(labels)
        self.vocabulary = vocabulary
        self.weights = weights
        self.link = link
        self.card = card
        self.known = known

    @property
    def labels(self) -> tuple[str, ...]:
        return self.branches.labels

    @property
    def sure(self) -> float:
        """The probability below which it abstains."""
        return self.card.sure

    @property
    def nbytes(self) -> int:
        """Memory of its arrays."""
        weights = self.weights.level.nbytes + self.weights.step.nbytes
        return self.vocabulary.nbytes + weights + self.known.nbytes

    def guesses(self, text: str, most: int = 3) -> tuple[Guess, ...]:
        """The likeliest labels, best first; none for a text that says nothing."""
        return self.guess_many([text], most)[0]

    def guess_many(self, texts: Sequence[str], most: int = 3) -> list[tuple[Guess, ...]]:
        """Of each text; see `guesses`."""
        found = []
        for text, shares in zip(texts, self.probabilities(texts), strict=True):
            best = np.argsort(-shares, kind="stable")[:most] if says_something(text) else ()
            found.append(tuple(Guess(self.labels[each], float(shares[each])) for each in best))
        return found

    def answer(self, text: str) -> Guess | None:
        """The deepest label or code that is sure; None: nothing is, it abstains."""
        shares = self.probabilities([text]) if says_something(text) else None
        told = None if shares is None else self.branches.sure(shares, self.sure)[0]
        return Guess(*told) if told else None

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Of all labels; (texts, labels)."""
        return self.link(self.scores(texts))

    def scores(self, texts: Sequence[str]) -> Floats:
        """About 1 for the right label of a text like those it was trained on; (texts, labels)."""
        found = np.zeros((len(texts), len(self.labels)), np.float32)
        for begin in range(0, len(texts), AT_ONCE):
            self._score(texts[begin : begin + AT_ONCE], found[begin : begin + AT_ONCE])
        return found

    def _score(self, texts: Sequence[str], into: Floats) -> None:
        grams = count_grams(texts, self.vocabulary.opening)
        number, share = self.vocabulary.weigh(grams)
        kept = number >= 0
        number, share, text = number[kept], share[kept], grams.text[kept]
        share *= self.weights.step[number]
        cuts = np.searchsorted(text, np.arange(len(texts) + 1))
        for row, (begin, end) in enumerate(pairwise(cuts)):
            levels = self.weights.level[number[begin:end]]
            into[row] = share[begin:end] @ levels.astype(np.float32)

    def carried(self, text: str, label: str, most: int = 5) -> tuple[Carried, ...]:
        """The parts of a text that spoke for a label, or for a code above labels, strongest first.

        Weights are shares of all that spoke for it.
        """
        return spans(text, *self.contributions(text, label), most)

    def contributions(self, text: str, label: str) -> tuple[Occurrences, NDArray[np.float64]]:
        """What every occurrence in a text adds to its score for a label.

        For a code above labels the mean of those; nothing for a label that is not known.
        """
        under = [place for place, each in enumerate(self.labels) if each.startswith(label)]
        found = occurrences([text])
        if not under:
            return found, np.zeros(len(found.key))
        grams = count_grams([text], self.vocabulary.opening)
        number, share = self.vocabulary.weigh(grams)
        levels = self.weights.level[number][:, under].mean(axis=1)
        adds = np.where(number < 0, 0.0, share * self.weights.step[number] * levels) / grams.count
        each = adds[np.searchsorted(grams.key, found.key)]
        if self.vocabulary.opening:
            first = found.end <= self.vocabulary.opening
            each[first] += adds[np.searchsorted(grams.key, found.key[first] | OPENING)]
        return found, each

    def measure(self, truth: Sequence[str], texts: Sequence[str]) -> Figures:
        """How right it is on texts of known labels."""
        return self.judge(truth, self.probabilities(texts))

    def judge(self, truth: Sequence[str], shares: Floats) -> Figures:
        """The same of probabilities that are known already."""
        told = self.branches.sure(shares, self.sure)
        return figures(truth, self.labels, shares, told, LEVEL if self.branches.codes else None)

    def save(self, path: Path) -> None:
        """To one file, whole or not at all; raises StoreUnavailable."""
        from appliance.assist.category.storage import save

        save(self, path)

    @classmethod
    def load(cls, path: Path) -> CategoryModel:
        """Of a file that `save` wrote; raises SettingsError, StoreDamaged."""
        from appliance.assist.category.storage import load

        return load(path)


def says_something(text: str) -> bool:
    """Whether there is a letter, a digit or a Chinese character in it."""
    return any(map(str.isalnum, text))
