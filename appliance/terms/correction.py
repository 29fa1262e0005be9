"""What was heard -> what was said, where it sounds like a term and the recogniser was unsure.

Nothing is told to the recogniser before: stock Whisper weights follow one such word in place of
what they hear in 4 % of a call, five of them in 69 %. What it wrote is compared by sound instead,
and a term put in only where everything together speaks for it:

    gain = LIKENESS * how much the sound tells - LOSS * what does not fit
         + how unsure the recogniser was of the characters that would change
         - how usual it is to say what was heard, beyond how usual the term's own words are
         + the term's weight - LEAST, more where there are many terms to be like by chance

all in nats. The factors were measured on sentences of two synthetic voices with names of another
province, against 10,000 names, half of the sentences held out; see docs/terms.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from appliance.phonetics.names import Names, SoundedName, Worth
from appliance.phonetics.sounds import FARTHEST, sounds
from appliance.terms.term import Term

LIKENESS, LOSS, LEAST, CROWD = 0.35, 0.5, 1.5, 0.11
MARGIN = 1.0  # nats by which a name must be likelier than any other
LEAST_SHARE = 0.72  # of a term's sound
SUREST = 0.98  # a recogniser that is surer than that is as sure as that
CERTAIN = 0.9  # where it is as sure as that of all that would change, nothing is changed
WORTH = Worth(gain=4.5, left_out=4.6, most=FARTHEST)  # of each character
_BOUNDARY = re.compile(r"[，。！？、；：,.!?;:\s]")
_NUMERALS = re.compile("[0-9零〇一二三四五六七八九幺两]{3,}")


@dataclass(frozen=True, slots=True)
class HeardCharacter:
    """One character of a text, and how sure the recogniser was of it, 0..1."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """A stretch of a text that may be a term, `start` to `end` (exclusive) in characters."""

    start: int
    end: int
    term: Term
    gain: float  # nats; above 0 the term is likelier
    changed: tuple[int, ...] = ()  # the characters that it would change; none: it stands there


class Terms:
    """A list of them, made ready for listening. Immutable.

    Args:
        terms: the first of those that are written alike counts; those with a `fault` never do.
        pairs: how often two characters stand side by side in what is said here ("工业"): what is
            usual is not taken for a name that sounds like it.
    """

    def __init__(self, terms: Sequence[Term], pairs: Mapping[str, int] | None = None) -> None:
        named = {term.text: term for term in reversed(terms) if not term.fault}
        self.terms = tuple(reversed(named.values()))
        self.pairs = pairs or {}
        self._least = LEAST + CROWD * math.log(len(self.terms) + 1)
        said = [SoundedName(term.text, (WORTH,) * len(term.text)) for term in self.terms]
        self._names = Names(said, sounds())

    def __len__(self) -> int:
        return len(self.terms)

    def alike(
        self, heard: Sequence[HeardCharacter], pairs: Mapping[str, int]
    ) -> Iterator[Likeness]:
        """All that may be in a text, those that are written as they should be included."""
        text = "".join(each.text for each in heard)
        for found in self._names.heard(text) if self.terms else ():
            term, said = self.terms[found.name], text[found.start : found.end]
            if said == term.text:
                yield Likeness(found.start, found.end, term, math.inf)
            elif found.share >= LEAST_SHARE and not _is_fixed(said, term.text):
                lost = found.score / found.share - found.score
                gain = LIKENESS * found.score - LOSS * lost + term.weight - self._least
                gain += _doubt(heard, found.start, found.end, term.text)
                gain -= _usual(said, term.text, pairs)
                changed = tuple(found.start + at for at in _changed(said, term.text))
                if min(heard[at].confidence for at in changed) < CERTAIN:
                    yield Likeness(found.start, found.end, term, gain, changed)


def corrections(heard: Sequence[HeardCharacter], *lists: Terms) -> list[Likeness]:
    """What should be changed, by start; none overlaps another, nor a term that stands there."""
    pairs = next((each.pairs for each in lists if each.pairs), {})
    likely = [like for each in lists for like in each.alike(heard, pairs) if like.gain > 0]
    right = {at for like in likely if not like.changed for at in range(like.start, like.end)}
    kept: list[Likeness] = []
    for like in sorted(likely, key=lambda like: (-like.gain, like.start - like.end)):
        clear = not any(like.start < other.end and other.start < like.end for other in kept)
        if like.changed and clear and right.isdisjoint(like.changed):
            kept.append(like)
    sure = (like for like in kept if not any(_rivals(like, other) for other in likely))
    return sorted(sure, key=lambda like: like.start)


def _rivals(like: Likeness, other: Likeness) -> bool:
    """Whether another name is about as likely there: then neither is put in."""
    apart = other.end <= like.start or like.end <= other.start
    part = other.term.text in like.term.text or like.term.text in other.term.text
    return not apart and not part and other.gain > like.gain - MARGIN


def pairs_in(texts: Sequence[str], least: int = 2) -> dict[str, int]:
    """How often two characters stand side by side, of those that do so `least` times."""
    counts: dict[str, int] = {}
    for text in texts:
        for at in range(len(text) - 1):
            pair = text[at : at + 2]
            counts[pair] = counts.get(pair, 0) + 1
    return {pair: count for pair, count in counts.items() if count >= least and pair.isalpha()}


def _is_fixed(said: str, term: str) -> bool:
    """No term goes across a pause, and none in the place of a number."""
    number = _NUMERALS.search(said)
    return bool(_BOUNDARY.search(said)) or bool(number and number[0] not in term)


def _changed(said: str, term: str) -> list[int]:
    """The characters of `said` that the term would change."""
    ops = Levenshtein.editops(said, term)
    return sorted({min(op.src_pos, len(said) - 1) for op in ops})


def _doubt(heard: Sequence[HeardCharacter], start: int, end: int, term: str) -> float:
    """Log odds, by the recogniser itself, that what would be changed is wrong."""
    said = "".join(each.text for each in heard[start:end])
    doubt = 0.0
    for at in _changed(said, term):
        sure = min(SUREST, max(1 - SUREST, heard[start + at].confidence))
        doubt += math.log((1 - sure) / sure)
    return doubt


def _usual(said: str, term: str, pairs: Mapping[str, int]) -> float:
    """Of the characters that would be changed: how usual they are with their neighbours."""
    beyond = _most_usual(said, _changed(said, term), pairs)
    return max(0.0, beyond - _most_usual(term, _changed(term, said), pairs))


def _most_usual(text: str, at: Sequence[int], pairs: Mapping[str, int]) -> float:
    around = {text[i : i + 2] for k in at for i in (k - 1, k) if i >= 0}
    return math.log1p(max((pairs.get(pair, 0) for pair in around), default=0))
