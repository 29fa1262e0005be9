"""In what mood: an utterance's sound, and what its words say -> calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from inference.tensors.wire import Answer, Audio, Question

EMOTION_MODEL = "emotion"
EMOTIONS = ("calm", "happy", "disappointed", "anxious", "annoyed", "furious", "sad")
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class EmotionScores(Answer):
    """How an utterance feels."""

    probabilities: tuple[float, ...]  # by EMOTIONS, calibrated, sum 1
    emotion: str  # of EMOTIONS; "" where the model is unsure
    level: str  # of LEVELS; "" where the model is unsure
    words_share: float  # of the evidence for `emotion` that came from the words, 0..1
    sounds: tuple[tuple[str, float], ...]  # what in the voice spoke for it, and its share
    prosody: tuple[float, ...]  # of this utterance; a baseline is the mean of some

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> EmotionScores:
        """The inverse of `pack`."""
        for name in ("probabilities", "prosody"):
            fields[name] = tuple(fields[name])
        fields["sounds"] = tuple((str(name), float(share)) for name, share in fields["sounds"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class EmotionWindow(Question[EmotionScores]):
    """One utterance; of a long one the beginning is heard."""

    KIND: ClassVar[str] = "mood"
    MODEL: ClassVar[str] = EMOTION_MODEL

    lexical: tuple[float, ...] = (0.0,) * len(EMOTIONS)  # evidence in the words, by EMOTIONS
    baseline: tuple[float, ...] = ()  # mean prosody of the speaker so far; empty: not known

    @classmethod
    def parse(cls, audio: Audio, fields: dict[str, Any]) -> Self:
        tuples = {name: tuple(map(float, fields.get(name, ()))) for name in ("lexical", "baseline")}
        return cls(audio=audio, **{**fields, **tuples})

    @classmethod
    def unpack(cls, answer: dict[str, Any]) -> EmotionScores:
        return EmotionScores.parse(answer)
