"""Who speaks when: windows of a call -> voices; all its voices -> turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from inference.tensors.wire import Answer, Audio, Question, fields_of, from_text, to_text

DIARIZATION_MODEL = "diarization"
MOST_SPEAKERS = 20


@dataclass(frozen=True, slots=True)
class Voices(Answer):
    """The voices of one window. Voiceprints: kept for one call, in memory, never written."""

    active: NDArray[np.bool_]  # [frames, voices]
    embeddings: NDArray[np.float32]  # [voices, dimension]; NaN where a voice is not heard

    def pack(self) -> dict[str, Any]:
        active, embeddings = to_text(np.packbits(self.active)), to_text(self.embeddings)
        shapes = {"shape": self.active.shape, "dimension": self.embeddings.shape[1]}
        return {**fields_of(self), "active": active, "embeddings": embeddings, **shapes}

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> Voices:
        """The inverse of `pack`."""
        frames, voices = fields.pop("shape")
        bits = np.unpackbits(from_text(fields["active"], np.uint8), count=frames * voices)
        embeddings = from_text(fields["embeddings"], np.float32)
        fields["active"] = bits.astype(np.bool_).reshape(frames, voices)
        fields["embeddings"] = embeddings.reshape(voices, fields.pop("dimension"))
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class VoiceWindow(Question[Voices]):
    """Audio of at most the model's window; shorter is filled up with silence."""

    KIND: ClassVar[str] = "voices"
    MODEL: ClassVar[str] = DIARIZATION_MODEL

    @classmethod
    def unpack(cls, answer: dict[str, Any]) -> Voices:
        return Voices.parse(answer)


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker speaking without a break; times in seconds from the first window's start."""

    start_s: float
    end_s: float
    speaker: int  # counted from 0 in the order of first words


@dataclass(frozen=True, slots=True)
class Turns(Answer):
    """Who speaks when, by start."""

    turns: tuple[Turn, ...]

    def pack(self) -> dict[str, Any]:
        turns = [[turn.start_s, turn.end_s, turn.speaker] for turn in self.turns]
        return {**fields_of(self), "turns": turns}


@dataclass(frozen=True, slots=True)
class Clustering(Question[Turns]):
    """All windows of a call, each one hop after the last: which voices are one speaker's?

    `audio` is empty.
    """

    KIND: ClassVar[str] = "gathering"
    MODEL: ClassVar[str] = DIARIZATION_MODEL

    voices: tuple[Voices, ...] = ()
    length_s: float = 0.0  # of the audio the windows were cut from
    least: int = 1  # speakers
    most: int = MOST_SPEAKERS

    def pack(self) -> dict[str, Any]:
        fields = fields_of(self, leave_out="audio")
        return {**fields, "voices": [voices.pack() for voices in self.voices]}

    @classmethod
    def parse(cls, audio: Audio, fields: dict[str, Any]) -> Self:
        voices = tuple(Voices.parse(packed) for packed in fields["voices"])
        return cls(audio=audio, **{**fields, "voices": voices})

    @classmethod
    def unpack(cls, answer: dict[str, Any]) -> Turns:
        return Turns(**{**answer, "turns": tuple(Turn(*turn) for turn in answer["turns"])})
