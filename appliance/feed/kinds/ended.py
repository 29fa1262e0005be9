"""The call is over."""

from __future__ import annotations

from appliance.feed.kind import EventKind, Json
from appliance.messages import Ended
from appliance.proto import convert
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb


def _as_json(event: Ended) -> Json:
    return {"state": event.state.value, "error": event.error, "cut_short": event.cut_short}


def _as_grpc(event: Ended, message: pb.CallEvent) -> None:
    message.ended, message.error = convert.STATES[event.state], event.error
    message.cut_short = event.cut_short


KIND = EventKind("ended", Ended, _as_json, as_grpc=_as_grpc)
