"""Who speaks on a leg that several people share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.feed.kind import EventKind, Json
from appliance.messages import Attribution
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


def _turns(event: Attribution) -> list[Json]:
    return [
        {"speaker": turn.speaker + 1, "start_ms": turn.start_ms, "end_ms": turn.end_ms}
        for turn in event.turns
    ]


def _as_json(event: Attribution) -> Json:
    told = {"settled": event.settled, "demo": event.demo, "leg": event.leg + 1}
    return {**told, "turns": _turns(event)}


def _fold(ledger: Ledger, event: Attribution) -> None:
    if event.settled:
        ledger.turns[event.leg] = list(event.turns)
        ledger.settled.add(event.leg)
    elif event.leg not in ledger.settled:
        ledger.turns.setdefault(event.leg, []).extend(event.turns)


def _as_grpc(event: Attribution, message: pb.CallEvent) -> None:
    turns = [pb.CallEvent.Turn(**turn) for turn in _turns(event)]
    message.speakers.CopyFrom(
        pb.CallEvent.Speakers(
            leg=event.leg + 1, turns=turns, settled=event.settled, demo=event.demo
        )
    )


KIND = EventKind("speakers", Attribution, _as_json, _fold, _as_grpc, stored="attribution")
