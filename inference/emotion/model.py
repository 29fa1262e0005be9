"""The emotion model: an encoder's features and prosody through a small head, fused with words.

The head is linear over standardised features: pooled output of a speech encoder (run by
CTranslate2), prosody, and prosody against the speaker's own baseline. Its scores and the words'
evidence are fused by another linear map, whose probabilities are calibrated; below a threshold the
model says that it is unsure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from inference.answering import Handler, Model
from inference.bundles import Manifest
from inference.emotion.prosody import NAMES, prosody
from inference.tensors import (
    EMOTIONS,
    LEVELS,
    SAMPLE_RATE_HZ,
    Audio,
    EmotionScores,
    EmotionWindow,
    InvalidQuestion,
    ModelCard,
    Question,
)

LONGEST_S = 12.0  # of an utterance; a mood shows sooner
SHORTEST_S = 0.3  # below this the model is unsure
MOST_SOUNDS = 3  # features that are named
CALM = EMOTIONS.index("calm")

Matrix = npt.NDArray[np.float32]
Scores = TypeVar("Scores", npt.NDArray[np.float32], npt.NDArray[np.float64])


class EmotionEncoder(Protocol):
    """A speech model's encoder."""

    device: str

    def pooled(self, audio: Sequence[Audio]) -> Matrix:
        """[utterances, features]: mean and deviation over time of its output."""


@dataclass(frozen=True, slots=True)
class Head:
    """head.npz of a bundle. Features are [prosody, prosody - baseline, known, encoder]."""

    mean: Matrix  # [features]
    deviation: Matrix
    weight: Matrix  # [features, emotions]
    bias: Matrix
    level_weight: Matrix  # [features]
    level_bias: Matrix  # [1]
    fusion: Matrix  # [2 emotions, emotions]: the head's log probabilities, then the words'
    fusion_bias: Matrix
    level_fusion: Matrix  # [3]: the head's level, strength of the words, and 1
    cuts: Matrix  # [2]: where low becomes medium, and medium high
    threshold: Matrix  # [1]: least probability of an emotion that is told

    def features(self, sound: Matrix, baseline: Matrix, known: Matrix, encoded: Matrix) -> Matrix:
        """Standardised [n, features]; what is not known of a speaker is taken to be usual."""
        relative = np.where(known[:, None] > 0, sound - baseline, 0.0)
        raw = np.concatenate([sound, relative, known[:, None], encoded], axis=1)
        scaled = np.clip((raw - self.mean) / self.deviation, -4.0, 4.0)
        own = slice(len(NAMES), 2 * len(NAMES))
        scaled[:, own] = np.where(known[:, None] > 0, scaled[:, own], 0.0)
        return np.asarray(scaled, np.float32)


class EmotionModel(Model):
    """Answers EmotionWindow."""

    def __init__(self, manifest: Manifest, head: Head, encoder: EmotionEncoder) -> None:
        self._manifest, self._head, self._encoder = manifest, head, encoder

    @property
    def card(self) -> ModelCard:
        manifest = self._manifest
        return ModelCard(
            manifest.name,
            manifest.version,
            manifest.licence,
            languages=manifest.languages,
            tasks=("emotion",),
            window_s=LONGEST_S,
            description=manifest.description,
            device=self._encoder.device,
            demo=manifest.demo,
        )

    def handlers(self) -> Mapping[type[Question[Any]], Handler]:
        return {EmotionWindow: self.feel}

    def feel(self, questions: Sequence[EmotionWindow]) -> list[EmotionScores | InvalidQuestion]:
        """The mood of each utterance; those of different calls are heard together."""
        wrong = [_wrong(question) for question in questions]
        felt = iter(self._feel([q for q, why in zip(questions, wrong, strict=True) if not why]))
        return [InvalidQuestion(why) if why else next(felt) for why in wrong]

    def _feel(self, questions: list[EmotionWindow]) -> list[EmotionScores]:
        if not questions:
            return []
        audio = [q.audio[: int(LONGEST_S * SAMPLE_RATE_HZ)] for q in questions]
        sound = np.stack([prosody(each) for each in audio])
        known = np.array([bool(q.baseline) for q in questions], np.float32)
        nothing = (0.0,) * len(NAMES)
        baseline = np.array([q.baseline or nothing for q in questions], np.float32)
        features = self._head.features(sound, baseline, known, self._encoder.pooled(audio))
        lexical = np.array([q.lexical for q in questions], np.float32)
        answers = []
        for row, question in enumerate(questions):
            told = len(question.audio) >= SHORTEST_S * SAMPLE_RATE_HZ and sound[row].any()
            answers.append(
                self._one(features[row], lexical[row], sound[row], len(questions), told=bool(told))
            )
        return answers

    def _one(
        self, features: Matrix, lexical: Matrix, sound: Matrix, batch: int, *, told: bool
    ) -> EmotionScores:
        head = self._head
        heard = log_softmax(features @ head.weight + head.bias)
        both = np.concatenate([heard, lexical])
        probabilities = np.exp(log_softmax(both @ head.fusion + head.fusion_bias))
        best = int(probabilities.argmax())
        sure = told and probabilities[best] >= head.threshold[0]
        level = features @ head.level_weight + head.level_bias[0]
        strength = np.array([level, lexical[best], 1.0], np.float32) @ head.level_fusion
        rank = 0 if best == CALM else int((strength > head.cuts).sum())
        manifest = self._manifest
        return EmotionScores(
            probabilities=tuple(round(float(p), 4) for p in probabilities),
            emotion=EMOTIONS[best] if sure else "",
            level=LEVELS[rank] if sure else "",
            words_share=round(self._words_share(heard, lexical, best), 4),
            sounds=self._sounds(features, best),
            prosody=tuple(round(float(value), 4) for value in sound),
            model=f"{manifest.name} {manifest.version}",
            demo=manifest.demo,
            batch=batch,
        )

    def _words_share(self, heard: Matrix, lexical: Matrix, best: int) -> float:
        """Of the evidence for `best` over the others that came from words."""
        fusion, count = self._head.fusion, len(EMOTIONS)
        edge = fusion[:, best] - np.delete(fusion, best, axis=1).mean(axis=1)
        words = max(0.0, float(lexical @ edge[count:]))
        sounds = max(0.0, float((heard - heard.mean()) @ edge[:count]))
        return words / (words + sounds) if words else 0.0

    def _sounds(self, features: Matrix, best: int) -> tuple[tuple[str, float], ...]:
        """Which named features of the voice spoke most for `best`, and their shares."""
        weight, count = self._head.weight, len(NAMES)
        edge = weight[:, best] - np.delete(weight, best, axis=1).mean(axis=1)
        parts = features * edge
        named = parts[:count] + parts[count : 2 * count]
        total = float(np.maximum(parts, 0.0).sum()) or 1.0
        order = np.argsort(-named)[:MOST_SOUNDS]
        return tuple((NAMES[i], round(float(named[i]) / total, 4)) for i in order if named[i] > 0)


def log_softmax(scores: Scores) -> Scores:
    """Over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    result: Scores = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _wrong(question: EmotionWindow) -> str:
    """Why a question cannot be answered; empty if it can."""
    if not len(question.audio):
        return "the audio is empty"
    if not np.isfinite(question.audio).all():
        return "the audio holds NaN or infinity"
    if len(question.lexical) != len(EMOTIONS):
        return f"lexical evidence is of {len(EMOTIONS)} emotions"
    if question.baseline and len(question.baseline) != len(NAMES):
        return f"a baseline has {len(NAMES)} values"
    return ""
