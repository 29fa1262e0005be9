"""What a loaded bundle says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from inference.tensors.wire import Answer, Question


@dataclass(frozen=True, slots=True)
class ModelCard(Answer):
    """Name, licence and limits of a model."""

    name: str
    version: str
    licence: str
    languages: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    window_s: float = 0.0  # the longest window it takes
    joined_s: float = 0.0  # of utterances of a recording that are heard together
    hop_s: float = 0.0  # between windows, for models that hear a call in overlapping ones
    description: str = ""
    device: str = "cpu"
    compute_type: str = ""  # CTranslate2's, where it runs the model
    lanes: int = 1  # questions, or groups of them, worked on at once
    notice: str = ""  # what everybody who reads its text should know


@dataclass(frozen=True, slots=True)
class CardQuestion(Question[ModelCard]):
    """Asked of any model; whether it answers tells whether it is loaded."""

    KIND: ClassVar[str] = "card"

    @classmethod
    def unpack(cls, answer: dict[str, Any]) -> ModelCard:
        for name in ("languages", "tasks"):
            answer[name] = tuple(answer[name])
        return ModelCard(**answer)


CARD = CardQuestion(np.zeros(0, np.float32))
