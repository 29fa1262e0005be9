"""In what mood something was said."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from appliance.feed.kind import EventKind, Json
from appliance.messages import EmotionEstimate
from appliance.proto import convert
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


def _as_json(event: EmotionEstimate) -> Json:
    return {
        "utterance": convert.number(event),
        "leg": event.leg + 1,
        "start_ms": event.start_ms,
        "end_ms": event.end_ms,
        "emotion": event.emotion,
        "level": event.level,
        "probabilities": dict(event.probabilities),
        "cues": [asdict(cue) for cue in event.cues],
        "model": event.model,
        "demo": event.demo,
    }


def _fold(ledger: Ledger, event: EmotionEstimate) -> None:
    ledger.moods.setdefault((event.leg, event.utterance), {})[event.start_ms] = event


def _as_grpc(event: EmotionEstimate, message: pb.CallEvent) -> None:
    message.mood.CopyFrom(
        pb.CallEvent.MoodTold(
            utterance=convert.number(event),
            leg=event.leg + 1,
            mood=convert.mood(event),
            start_ms=event.start_ms,
            end_ms=event.end_ms,
        )
    )


KIND = EventKind("mood", EmotionEstimate, _as_json, _fold, _as_grpc)
