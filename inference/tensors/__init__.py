"""The wire contract between the gateway and the models: all that the one knows of the other.

A `Question` about audio is asked of a model and gets its `Answer`:

    Window      -> Hypothesis   what is said            asr
    VoiceWindow -> Voices       which voices are heard  diarization
    Clustering  -> Turns        who speaks when         diarization
    EmotionWindow -> EmotionScores  in what mood        emotion
    CARD        -> ModelCard    what the model is       any
"""

from __future__ import annotations

from typing import Any

from inference.tensors.card import CARD, CardQuestion, ModelCard
from inference.tensors.emotion import EMOTION_MODEL, EMOTIONS, LEVELS, EmotionScores, EmotionWindow
from inference.tensors.speakers import (
    DIARIZATION_MODEL,
    MOST_SPEAKERS,
    Clustering,
    Turn,
    Turns,
    Voices,
    VoiceWindow,
)
from inference.tensors.speech import ASR_MODEL, Hypothesis, Window, Word
from inference.tensors.wire import (
    ANSWERED,
    AUDIO,
    BAD_BUNDLE,
    FAILED,
    FRAME_HEAD,
    OPTIONS,
    REFUSAL,
    REFUSED,
    RESULT,
    SAMPLE_RATE_HZ,
    Answer,
    AnswerT,
    Audio,
    Bytes,
    InvalidQuestion,
    Packed,
    Priority,
    Question,
    from_bytes_tensor,
    pack_frame,
    pack_question,
    pack_questions,
    served_name,
    split_frame,
    to_bytes_tensor,
    to_rows,
)
from inference.tensors.wire import unpack_question as _unpack_question

KINDS: dict[str, type[Question[Any]]] = {
    kind.KIND: kind for kind in (CardQuestion, Window, VoiceWindow, Clustering, EmotionWindow)
}


def unpack_question(audio: Audio, options: Bytes) -> Question[Any]:
    """The inverse of `pack_question`; raises InvalidQuestion on anything malformed."""
    return _unpack_question(audio, options, KINDS)


__all__ = [
    "ANSWERED",
    "ASR_MODEL",
    "AUDIO",
    "BAD_BUNDLE",
    "CARD",
    "DIARIZATION_MODEL",
    "EMOTIONS",
    "EMOTION_MODEL",
    "FAILED",
    "FRAME_HEAD",
    "KINDS",
    "LEVELS",
    "MOST_SPEAKERS",
    "OPTIONS",
    "REFUSAL",
    "REFUSED",
    "RESULT",
    "SAMPLE_RATE_HZ",
    "Answer",
    "AnswerT",
    "Audio",
    "Bytes",
    "CardQuestion",
    "Clustering",
    "EmotionScores",
    "EmotionWindow",
    "Hypothesis",
    "InvalidQuestion",
    "ModelCard",
    "Packed",
    "Priority",
    "Question",
    "Turn",
    "Turns",
    "VoiceWindow",
    "Voices",
    "Window",
    "Word",
    "from_bytes_tensor",
    "pack_frame",
    "pack_question",
    "pack_questions",
    "served_name",
    "split_frame",
    "to_bytes_tensor",
    "to_rows",
    "unpack_question",
]
