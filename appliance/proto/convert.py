"""Our messages as those of lingting.hotline.v1, and the words both doors tell them by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2

from appliance.messages import (
    Alert,
    CallState,
    Emotion,
    EmotionEstimate,
    Final,
    LegRole,
    Level,
    Partial,
    SpokenWord,
    TermCorrection,
)
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

STATES = {state: getattr(pb.Call, f"STATE_{state.name}") for state in CallState}
ROLES = {
    LegRole.AGENT: pb.ROLE_AGENT,
    LegRole.CITIZEN: pb.ROLE_CITIZEN,
    LegRole.UNKNOWN: pb.ROLE_UNSPECIFIED,
}
EMOTIONS = {emotion: getattr(pb, f"EMOTION_{emotion.name}") for emotion in Emotion}
LEVELS = {level: getattr(pb, f"LEVEL_{level.name}") for level in Level}


def resource(call_id: str) -> str:
    return f"calls/{call_id}"


def number(of: Final | Partial | EmotionEstimate | Alert) -> str:
    """The utterance that an event is of."""
    return f"{of.leg}.{of.utterance}"


def said(what: Final | Partial) -> pb.CallEvent.Said:
    return pb.CallEvent.Said(
        utterance=number(what),
        leg=what.leg + 1,
        text=what.text,
        start_ms=what.start_ms,
        end_ms=what.end_ms,
    )


def words(spoken: Iterable[SpokenWord]) -> list[pb.Word]:
    return [
        pb.Word(text=w.text, start_ms=w.start_ms, end_ms=w.end_ms, confidence=w.confidence)
        for w in spoken
    ]


def corrections(made: Iterable[TermCorrection]) -> list[pb.Correction]:
    return [pb.Correction(**asdict(each)) for each in made]


def mood(felt: EmotionEstimate) -> pb.Mood:
    return pb.Mood(
        emotion=EMOTIONS[felt.emotion] if felt.emotion else None,
        level=LEVELS[felt.level] if felt.level else None,
        probabilities={emotion.value: p for emotion, p in felt.probabilities.items()},
        cues=[pb.Cue(kind=cue.kind, what=cue.what, weight=cue.weight) for cue in felt.cues],
        demo=felt.demo,
    )


def alert(raised: Alert) -> pb.Alert:
    return pb.Alert(
        utterance=number(raised),
        leg=raised.leg + 1,
        emotion=EMOTIONS[raised.emotion],
        level=LEVELS[raised.level],
        at_ms=raised.at_ms,
        demo=raised.demo,
    )


def moment(seconds: float) -> Any:
    return timestamp_pb2.Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


def span(milliseconds: int) -> Any:
    return duration_pb2.Duration(
        seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000
    )
