"""How transcripts are scored: one normaliser, character error rate, digits, invented text.

Every accuracy this product publishes is computed here. References and hypotheses are in spoken
form, so hypotheses are taken before inverse text normalisation; Arabic digits in either are read
one by one, which is right for phone and document numbers and wrong for amounts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

RESAMPLES = 2000  # for an interval
CONFIDENCE = 0.95
SEED = 12345  # of the resampling
DIGITS = "零一二三四五六七八九"
_SPOKEN = str.maketrans(
    {**{str(i): digit for i, digit in enumerate(DIGITS)}, "幺": "一", "〇": "零"}
)
_DROPPED = frozenset("PZSC")  # Unicode: punctuation, separators, symbols, control


def normalise(text: str) -> str:
    """The form in which texts are compared.

    NFKC, lower case, no punctuation, spaces or symbols; Arabic digits as characters, 幺 as 一:
    "电话 138，" -> 电话一三八.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(char for char in folded if unicodedata.category(char)[0] not in _DROPPED)
    return kept.translate(_SPOKEN)


@dataclass(frozen=True, slots=True)
class Score:
    """Edits (substituted, inserted and deleted characters) against reference characters."""

    edits: int
    characters: int

    @property
    def rate(self) -> float:
        """Edits per reference character; with an empty reference, 0.0 or infinity."""
        if self.characters:
            return self.edits / self.characters
        return float("inf") if self.edits else 0.0


def score(pairs: Iterable[tuple[str, str]]) -> Score:
    """Edits and characters summed over (reference, hypothesis) pairs."""
    edits = characters = 0
    for reference, hypothesis in pairs:
        expected = normalise(reference)
        edits += Levenshtein.distance(expected, normalise(hypothesis))
        characters += len(expected)
    return Score(edits, characters)


def interval(
    pairs: Sequence[tuple[str, str]], speakers: Sequence[str]
) -> tuple[float, float] | None:
    """Bounds of the error rate, by resampling speakers, for one's recordings are alike; where there
    is one speaker, or nobody said who speaks, by resampling recordings.

    None where there are not two of either. The same pairs give the same bounds.
    """
    units: dict[object, list[tuple[str, str]]] = {}
    for number, (pair, name) in enumerate(zip(pairs, speakers, strict=True)):
        units.setdefault(name if len(set(speakers)) > 1 else number, []).append(pair)
    if len(units) < 2:
        return None
    each = [score(some) for some in units.values()]
    edits = np.array([s.edits for s in each])
    characters = np.array([s.characters for s in each])
    draw = np.random.default_rng(SEED).integers(0, len(each), (RESAMPLES, len(each)))
    rates = edits[draw].sum(axis=1) / np.maximum(1, characters[draw].sum(axis=1))
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(rates, [outside, 1 - outside])
    return float(low), float(high)


def cer(reference: str, hypothesis: str) -> float:
    """Character error rate of one pair, 0.0 when equal; may exceed 1.0."""
    return score([(reference, hypothesis)]).rate


def digits(text: str) -> str:
    """Only the digit characters (零 to 九) of the normalised text, in order."""
    return "".join(character for character in normalise(text) if character in DIGITS)


def digit_accuracy(pairs: Iterable[tuple[str, str]]) -> float:
    """Share of the references' digits that came out right, 0.0 to 1.0; 1.0 without any digit.

    Both sides are reduced to their digits and aligned; each substituted, missing or invented digit
    counts as one error, at most as many an item as it has digits.
    """
    wrong = total = 0
    for reference, hypothesis in pairs:
        expected = digits(reference)
        wrong += min(Levenshtein.distance(expected, digits(hypothesis)), len(expected))
        total += len(expected)
    return 1.0 - wrong / total if total else 1.0


def invented_characters(hypotheses: Iterable[str]) -> int:
    """Normalised characters written for sounds in which nobody speaks; a perfect model writes 0."""
    return sum(len(normalise(hypothesis)) for hypothesis in hypotheses)
