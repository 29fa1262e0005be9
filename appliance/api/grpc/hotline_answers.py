"""Calls and their events as messages of lingting.hotline.v1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import duration_pb2, timestamp_pb2
from google.rpc import code_pb2, status_pb2

from appliance.archive.kept import Told
from appliance.messages import (
    Alert,
    Attribution,
    CallRecord,
    CallState,
    Emotion,
    Final,
    Level,
    Mood,
    MoodPoint,
    Moods,
    Partial,
    Role,
    SpokenWord,
    Utterance,
)
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.store.calls import Summary

STATES = {state: getattr(pb.Call, f"STATE_{state.name}") for state in CallState}
ROLES = {
    Role.AGENT: pb.ROLE_AGENT,
    Role.CITIZEN: pb.ROLE_CITIZEN,
    Role.UNKNOWN: pb.ROLE_UNSPECIFIED,
}
EMOTIONS = {emotion: getattr(pb, f"EMOTION_{emotion.name}") for emotion in Emotion}
LEVELS = {level: getattr(pb, f"LEVEL_{level.name}") for level in Level}


def resource(call_id: str) -> str:
    return f"calls/{call_id}"


def call(record: CallRecord) -> Any:
    return pb.Call(
        name=resource(record.id),
        call_id=record.name,
        state=STATES[record.state],
        live=record.live,
        start_time=moment(record.started_at),
        duration=span(record.duration_ms),
        legs=[
            pb.Leg(number=leg.number + 1, role=ROLES[leg.role], speakers=leg.speakers)
            for leg in record.legs
        ],
        utterances=[utterance(each) for each in record.utterances],
        settled=record.settled,
        language=record.language,
        model=record.model,
        demo=record.demo,
        error=record.error,
        cut_short=record.cut_short,
        notes=record.notes,
        moods=moods(record.moods) if record.moods else None,
        alerts=[alert(each) for each in record.alerts],
    )


def moods(told: Moods) -> Any:
    cells = [
        pb.Moods.Cell(
            emotion=EMOTIONS[cell.emotion],
            level=LEVELS[cell.level],
            utterances=cell.utterances,
            duration=span(cell.duration_ms),
        )
        for cell in told.matrix
    ]
    turns = [
        pb.Moods.TurningPoint(
            utterance=turn.utterance,
            at_ms=turn.at_ms,
            before=EMOTIONS[turn.before],
            after=EMOTIONS[turn.after],
        )
        for turn in told.turning_points
    ]
    return pb.Moods(
        matrix=cells,
        curve=[point(each) for each in told.curve],
        peaks=[point(each) for each in told.peaks],
        turning_points=turns,
        unsure=told.unsure,
    )


def point(felt: MoodPoint) -> Any:
    return pb.Moods.Point(
        utterance=felt.utterance,
        at_ms=felt.at_ms,
        speaker=felt.speaker + 1,
        emotion=EMOTIONS[felt.emotion] if felt.emotion else None,
        level=LEVELS[felt.level] if felt.level else None,
        valence=felt.valence,
    )


def alert(raised: Alert) -> Any:
    return pb.Alert(
        utterance=number(raised),
        leg=raised.leg + 1,
        emotion=EMOTIONS[raised.emotion],
        level=LEVELS[raised.level],
        at_ms=raised.at_ms,
        demo=raised.demo,
    )


def utterance(said: Utterance) -> Any:
    return pb.Utterance(
        id=said.id,
        leg=said.leg + 1,
        speaker=said.speaker + 1,
        role=ROLES[said.role],
        text=said.text,
        words=words(said.words),
        start_ms=said.start_ms,
        end_ms=said.end_ms,
        confidence=said.confidence,
        mood=mood(said.mood) if said.mood else None,
        model=said.model,
    )


def summary(row: Summary) -> Any:
    return pb.CallSummary(
        name=resource(row.id),
        call_id=row.name,
        state=STATES[row.state],
        live=row.live,
        create_time=moment(row.created_at),
        end_time=moment(row.ended_at) if row.ended_at else None,
        duration=span(row.duration_ms),
        peak_emotion=EMOTIONS[row.peak_emotion] if row.peak_emotion else None,
        peak_level=LEVELS[row.peak_level] if row.peak_level else None,
        error=row.error,
    )


def event(call_id: str, told: Told) -> Any:
    what = told.event
    message = pb.CallEvent(name=resource(call_id), sequence=told.sequence)
    if isinstance(what, CallState):
        message.ended, message.error = STATES[what], told.error
    elif isinstance(what, Final):
        message.final.CopyFrom(said(what))
        message.final.words.extend(words(what.words))
        message.final.confidence, message.final.demo = what.confidence, what.demo
    elif isinstance(what, Partial):
        message.partial.CopyFrom(said(what))
    elif isinstance(what, Attribution):
        turns = [
            pb.CallEvent.Turn(speaker=t.speaker + 1, start_ms=t.start_ms, end_ms=t.end_ms)
            for t in what.turns
        ]
        message.speakers.CopyFrom(
            pb.CallEvent.Speakers(
                leg=what.leg + 1, turns=turns, settled=what.settled, demo=what.demo
            )
        )
    elif isinstance(what, Alert):
        message.alert.CopyFrom(alert(what))
    else:
        message.mood.CopyFrom(
            pb.CallEvent.MoodTold(
                utterance=number(what),
                leg=what.leg + 1,
                mood=mood(what),
                start_ms=what.start_ms,
                end_ms=what.end_ms,
            )
        )
    return message


def said(what: Final | Partial) -> Any:
    return pb.CallEvent.Said(
        utterance=number(what),
        leg=what.leg + 1,
        text=what.text,
        start_ms=what.start_ms,
        end_ms=what.end_ms,
    )


def number(what: Final | Partial | Mood | Alert) -> str:
    return f"{what.leg}.{what.utterance}"


def words(spoken: Iterable[SpokenWord]) -> list[Any]:
    return [
        pb.Word(text=w.text, start_ms=w.start_ms, end_ms=w.end_ms, confidence=w.confidence)
        for w in spoken
    ]


def mood(felt: Mood) -> Any:
    return pb.Mood(
        emotion=EMOTIONS[felt.emotion] if felt.emotion else None,
        level=LEVELS[felt.level] if felt.level else None,
        probabilities={emotion.value: p for emotion, p in felt.probabilities.items()},
        cues=[pb.Cue(kind=cue.kind, what=cue.what, weight=cue.weight) for cue in felt.cues],
        demo=felt.demo,
    )


def operation(row: Summary, progress: float, record: CallRecord | None) -> Any:
    """A recording under way, or what it has become."""
    message = operations_pb2.Operation(name=f"operations/{row.id}")
    message.metadata.Pack(
        pb.RecordingMetadata(name=resource(row.id), state=STATES[row.state], progress=progress)
    )
    if row.state is CallState.FINISHED and record:
        message.done = True
        message.response.Pack(call(record))
    elif row.state is CallState.FAILED:
        message.done = True
        message.error.CopyFrom(
            status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=row.error)
        )
    elif row.state is CallState.CANCELLED:
        message.done = True
        message.error.CopyFrom(status_pb2.Status(code=code_pb2.CANCELLED, message="cancelled"))
    return message


def moment(seconds: float) -> Any:
    return timestamp_pb2.Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


def span(milliseconds: int) -> Any:
    return duration_pb2.Duration(
        seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000
    )
