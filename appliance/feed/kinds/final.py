"""What a leg said."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from appliance.feed.kind import EventKind, Json
from appliance.feed.kinds.partial import said
from appliance.messages import Final
from appliance.proto import convert
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


def _as_json(event: Final) -> Json:
    words = [asdict(word) for word in event.words]
    corrections = [asdict(each) for each in event.corrections]
    return {
        **said(event),
        "words": words,
        "corrections": corrections,
        "confidence": event.confidence,
        "loudness_db": event.loudness_db,
        "demo": event.demo,
    }


def _fold(ledger: Ledger, event: Final) -> None:
    ledger.finals[event.leg, event.utterance] = event


def _as_grpc(event: Final, message: pb.CallEvent) -> None:
    message.final.CopyFrom(convert.said(event))
    message.final.words.extend(convert.words(event.words))
    message.final.corrections.extend(convert.corrections(event.corrections))
    message.final.confidence, message.final.demo = event.confidence, event.demo
    if event.loudness_db is not None:
        message.final.loudness_db = event.loudness_db


KIND = EventKind("final", Final, _as_json, _fold, _as_grpc)
