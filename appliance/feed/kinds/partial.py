"""What a leg seems to be saying."""

from __future__ import annotations

from appliance.feed.kind import EventKind, Json
from appliance.messages import Final, Partial
from appliance.proto import convert
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb


def said(event: Partial | Final) -> Json:
    """What partials and finals have in common."""
    return {
        "utterance": convert.number(event),
        "leg": event.leg + 1,
        "text": event.text,
        "start_ms": event.start_ms,
        "end_ms": event.end_ms,
    }


def _as_json(event: Partial) -> Json:
    return {**said(event), "stable": event.stable}


def _as_grpc(event: Partial, message: pb.CallEvent) -> None:
    message.partial.CopyFrom(convert.said(event))


KIND = EventKind("partial", Partial, _as_json, as_grpc=_as_grpc)
