"""What is said: a window of one leg -> text and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from inference.tensors.wire import Answer, Question, fields_of

ASR_MODEL = "asr"


@dataclass(frozen=True, slots=True)
class Word:
    """One word (in Chinese: one character) with times from the start of its window."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float  # 0..1, mean token probability


@dataclass(frozen=True, slots=True)
class Hypothesis(Answer):
    """What is said in one window."""

    text: str
    language: str
    words: tuple[Word, ...] = ()
    confidence: float = 0.0  # 0..1, exp of the mean token log probability
    no_speech: float = 0.0  # 0..1
    compression_ratio: float = 0.0
    temperature: float = 0.0  # of the decoding that was kept
    retries: int = 0  # decodings beyond the first

    def pack(self) -> dict[str, Any]:
        words = [[w.text, w.start_ms, w.end_ms, w.confidence] for w in self.words]
        return {**fields_of(self), "words": words}


@dataclass(frozen=True, slots=True)
class Window(Question[Hypothesis]):
    """Some audio of one leg, and how to listen to it."""

    KIND: ClassVar[str] = "window"
    MODEL: ClassVar[str] = ASR_MODEL

    language: str | None = None  # ISO 639-1; None lets the model detect it
    task: str = "transcribe"  # or "translate" (into English)
    prompt: str = ""  # text said before, for context
    prefix: str = ""  # text the answer must begin with
    beam_size: int = 1
    temperature: float = 0.0
    word_times: bool = True
    retries: bool = True  # decode again what fails the quality checks
    draft: bool = False  # text that will be replaced: heard with less margin
    margin_s: float | None = None  # of silence behind the audio; None: the bundle's

    @classmethod
    def unpack(cls, answer: dict[str, Any]) -> Hypothesis:
        return Hypothesis(**{**answer, "words": tuple(Word(*word) for word in answer["words"])})
