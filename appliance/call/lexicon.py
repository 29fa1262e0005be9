"""What the words of an utterance say of its mood: a city pack's lexicon, read with its grammar.

Longest matches win. A negated word counts for nothing; a degree adverb before it raises or lowers
its level. Swearing is evidence of anger, a demand made again of annoyance. Hints lean to a mood,
and whoever is spoken to directly is more often scolded than thanked: neither is enough to tell one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.errors import SettingsError
from appliance.messages import Cue, Emotion, Level

FILE = "lexicon.toml"
WEIGHTS = {Level.LOW: 0.5, Level.MEDIUM: 1.0, Level.HIGH: 1.6}
SWEARING, REPEAT = 1.8, 0.8  # weights, for furious and for annoyed
HINT, ADDRESS = 0.3, 0.2  # weights, too little for a mood to be told
AROUSED = (Emotion.ANNOYED, Emotion.FURIOUS, Emotion.ANXIOUS)
STRONG, WEAK = 1.35, 0.6  # factors of degree adverbs
REACH = 3  # characters before a word in which a negation or an adverb belongs to it
MOST = 4.0  # of one emotion: ten swear words are not ten times as furious
EMOTIONS = tuple(Emotion)


@dataclass(frozen=True, slots=True)
class LexiconHit:
    """A word of the lexicon in a text."""

    word: str
    emotion: Emotion
    weight: float


@dataclass(frozen=True, slots=True)
class LexiconEvidence:
    """What the words of one utterance say."""

    found: tuple[LexiconHit, ...]

    @property
    def scores(self) -> tuple[float, ...]:
        """By emotion, in the order of `Emotion`; 0: nothing."""
        totals = dict.fromkeys(EMOTIONS, 0.0)
        for each in self.found:
            totals[each.emotion] += each.weight
        return tuple(min(MOST, totals[emotion]) for emotion in EMOTIONS)

    def cues(self, emotion: Emotion, share: float) -> tuple[Cue, ...]:
        """The words that spoke for `emotion`, which together carried `share` of the evidence."""
        mine = [each for each in self.found if each.emotion is emotion]
        total = sum(each.weight for each in mine) or 1.0
        return tuple(Cue("word", f.word, round(share * f.weight / total, 4)) for f in mine)


class Lexicon:
    """Immutable; `read` a text."""

    def __init__(self, words: Mapping[str, tuple[Emotion, float]], grammar: Grammar) -> None:
        self._words, self._grammar = words, grammar
        self._pattern = _any_of((*words, *grammar.neutral))
        self._address = _any_of((*grammar.polite, *grammar.addresses))

    def read(self, text: str) -> LexiconEvidence:
        """LexiconEvidence in `text`, in the order it is said."""
        found = []
        for match in self._pattern.finditer(text):
            word = match[0]
            if word in self._grammar.neutral:
                continue
            emotion, weight = self._words[word]
            before = re.split("[，。？！]", text[: match.start()])[-1][-REACH:]
            factor = self._grammar.factor(before)
            if factor:
                found.append(LexiconHit(word, emotion, weight * factor))
        addressed = (match[0] for match in self._address.finditer(text))
        if word := next((each for each in addressed if each not in self._grammar.polite), ""):
            found += [LexiconHit(word, emotion, ADDRESS) for emotion in AROUSED]
        return LexiconEvidence(tuple(found))


@dataclass(frozen=True, slots=True)
class Grammar:
    """What stands before a word and changes it."""

    negations: tuple[str, ...]
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    neutral: tuple[str, ...] = ()  # phrases with a word of the lexicon in them that carry nothing
    addresses: tuple[str, ...] = ()  # words for whoever is spoken to
    polite: tuple[str, ...] = ()  # phrases with one that scold nobody

    def factor(self, before: str) -> float:
        """0: negated."""
        if before.endswith(self.negations):
            return 0.0
        if any(adverb in before for adverb in self.strong):
            return STRONG
        return WEAK if any(adverb in before for adverb in self.weak) else 1.0


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """The longest first; nothing matches where there are none."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def load_lexicon(pack: Path) -> Lexicon:
    """Of a city pack; raises SettingsError naming what is wrong."""
    path = pack / FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return _lexicon(raw)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            "read the city pack", f"{path}: {error}", "set [city] pack to a city pack's folder"
        ) from error


def _lexicon(raw: Mapping[str, Any]) -> Lexicon:
    hints, address = raw.get("hints", {}), raw.get("address", {})
    words: dict[str, tuple[Emotion, float]] = {}
    for emotion in EMOTIONS:
        words |= dict.fromkeys(_texts(hints.get(emotion.value, ())), (emotion, HINT))
        for level, weight in WEIGHTS.items():
            for word in _texts(raw.get(emotion.value, {}).get(level.value, ())):
                words[word] = (emotion, weight)
    words |= dict.fromkeys(_texts(raw["swearing"]["words"]), (Emotion.FURIOUS, SWEARING))
    words |= dict.fromkeys(_texts(raw["repeats"]["words"]), (Emotion.ANNOYED, REPEAT))
    grammar = Grammar(
        _texts(raw["negation"]["words"]),
        _texts(raw["degree"]["strong"]),
        _texts(raw["degree"]["weak"]),
        _texts(raw.get("neutral", {}).get("words", ())),
        _texts(address.get("words", ())),
        _texts(address.get("polite", ())),
    )
    return Lexicon(words, grammar)


def _texts(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(word, str) and word for word in value):
        raise ValueError(f"{value!r} is no list of words")
    return tuple(value)
