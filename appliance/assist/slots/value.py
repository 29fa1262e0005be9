"""What a slot works on and what it gives back: utterances, and values with their evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.messages import LegRole, SpokenWord


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance as slots see it; a written message is said by a citizen, sentence by sentence.

    Attributes:
        words: may be empty; else they join to `text` (but for punctuation) and say when each
            was said.
    """

    id: str
    role: LegRole
    text: str
    start_ms: int = 0  # from the start of the call
    end_ms: int = 0
    words: tuple[SpokenWord, ...] = ()
    confidence: float = 1.0  # 0..1, of the recognition

    def evidence(self, start: int, end: int, why: str) -> Evidence:
        """That the characters from `start` to `end` are: their words, and when they were said.

        Where words have no times of their own, the utterance's are shared out by characters.
        """
        start_ms, end_ms = self._times(start, end)
        return Evidence(self.id, start_ms, end_ms, self.text[start:end], why)

    def _times(self, start: int, end: int) -> tuple[int, int]:
        at, first, last = 0, None, None
        for word in self.words:
            found = self.text.find(word.text, at)
            if found < 0:
                continue
            at = found + len(word.text)
            if found < end and at > start:
                first = word.start_ms if first is None else first
                last = word.end_ms
        if first is not None and last is not None:
            return first, last
        span, length = self.end_ms - self.start_ms, max(1, len(self.text))
        return self.start_ms + span * start // length, self.start_ms + span * end // length


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a value is what it is."""

    utterance: str  # its id
    start_ms: int
    end_ms: int
    words: str  # as they were said
    why: str  # the rule, in a word or two; or what scored


@dataclass(frozen=True, slots=True)
class Alternative:
    """What it might be instead."""

    text: str
    confidence: float
    code: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A slot's.

    Attributes:
        text: as it stands in the order.
        code: where it is one of a table's (category, unit, division).
        confidence: 0..1, calibrated: of values with 0.9, nine in ten are right.
        parts: what it is made of, where that is more than text (an address's levels).
        question: that would settle it, as the agent should ask it; empty where nothing is open.
    """

    text: str
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    code: str = ""
    alternatives: tuple[Alternative, ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)
    question: str = ""
