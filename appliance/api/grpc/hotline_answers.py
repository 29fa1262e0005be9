"""Calls and their events as messages of lingting.hotline.v1."""

from __future__ import annotations

from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.json_format import ParseDict
from google.rpc import code_pb2, status_pb2

from appliance.messages import CallRecord, CallState, EmotionPoint, EmotionSummary, Utterance
from appliance.proto.convert import (
    EMOTIONS,
    LEVELS,
    ROLES,
    STATES,
    alert,
    corrections,
    moment,
    mood,
    resource,
    span,
    words,
)
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.store.calls import Summary


def call(record: CallRecord) -> Any:
    message = pb.Call(
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
    if record.derived:
        ParseDict(dict(record.derived), message.derived)
    return message


def moods(told: EmotionSummary) -> Any:
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


def point(felt: EmotionPoint) -> Any:
    return pb.Moods.Point(
        utterance=felt.utterance,
        at_ms=felt.at_ms,
        speaker=felt.speaker + 1,
        emotion=EMOTIONS[felt.emotion] if felt.emotion else None,
        level=LEVELS[felt.level] if felt.level else None,
        valence=felt.valence,
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
        corrections=corrections(said.corrections),
        loudness_db=said.loudness_db,
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
