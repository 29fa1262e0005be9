"""A leg's mood has passed the level that a deployment watches for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.feed.kind import EventKind, Json
from appliance.messages import Alert
from appliance.proto import convert
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


def _as_json(event: Alert) -> Json:
    return {"utterance": convert.number(event), **_webhook(event)}


def _webhook(event: Alert) -> Json:
    return {
        "emotion": event.emotion.value,
        "level": event.level.value,
        "leg": event.leg + 1,
        "at_ms": event.at_ms,
        "demo": event.demo,
    }


def _fold(ledger: Ledger, event: Alert) -> None:
    ledger.alerts = [known for known in ledger.alerts if known != event] + [event]


def _as_grpc(event: Alert, message: pb.CallEvent) -> None:
    message.alert.CopyFrom(convert.alert(event))


KIND = EventKind("alert", Alert, _as_json, _fold, _as_grpc, _webhook)
