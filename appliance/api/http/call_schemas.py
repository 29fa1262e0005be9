"""Our own JSON for calls: the bodies of /api/v1, as OpenAPI describes them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from appliance.messages import (
    DEMO_NOTICE,
    CallRecord,
    CallState,
    Emotion,
    LegRole,
    Level,
    SpokenWord,
)
from appliance.messages import Alert as AlertMessage
from appliance.messages import EmotionEstimate as MoodEvent
from appliance.messages import EmotionPoint as PointMessage
from appliance.messages import EmotionSummary as MoodsMessage
from appliance.messages import Utterance as UtteranceMessage
from appliance.store.calls import Summary


class WordSchema(BaseModel):
    text: str
    start_ms: int = Field(description="from the start of the call")
    end_ms: int
    confidence: float = Field(ge=0, le=1)


class CorrectionSchema(BaseModel):
    heard: str
    term: str
    score: float = Field(description="nats by which it is likelier")
    start_ms: int = Field(description="from the start of the call")
    end_ms: int


class CueSchema(BaseModel):
    kind: Literal["word", "sound"]
    what: str = Field(description="the words, or the name of the sound's feature")
    weight: float = Field(description="share of the evidence, 0..1")


class EmotionSchema(BaseModel):
    emotion: Emotion | None = Field(description="null: unsure")
    level: Level | None
    probabilities: dict[Emotion, float] = Field(description="calibrated, they sum to 1")
    cues: list[CueSchema]
    model: str
    demo: bool = Field(description="the weights are for demonstration only")


class UtteranceSchema(BaseModel):
    id: str = Field(description="unique in its call")
    leg: int = Field(description="audio channel, from 1")
    speaker: int | None = Field(description="from 1; null: not known")
    role: LegRole
    text: str
    words: list[WordSchema]
    start_ms: int
    end_ms: int
    confidence: float
    mood: EmotionSchema | None = Field(description="null: none was told")
    model: str = Field(description="that heard it, name and version")
    corrections: list[CorrectionSchema] = Field(
        description="terms put in where something like them was heard"
    )
    loudness_db: float | None = Field(description="dBFS, without pauses; null: not measured")


class LegSchema(BaseModel):
    number: int = Field(description="audio channel, from 1")
    role: LegRole
    speakers: int


class MatrixCellSchema(BaseModel):
    emotion: Emotion
    level: Level
    utterances: int
    duration_ms: int


class EmotionPointSchema(BaseModel):
    utterance: str
    at_ms: int
    speaker: int | None
    emotion: Emotion | None = Field(description="null: unsure")
    level: Level | None
    valence: float = Field(description="-1 (furious, high) to 1 (happy, high)")


class TurningPointSchema(BaseModel):
    utterance: str
    at_ms: int
    before: Emotion
    after: Emotion


class EmotionSummarySchema(BaseModel):
    matrix: list[MatrixCellSchema] = Field(description="all 21 cells")
    curve: list[EmotionPointSchema]
    peaks: list[EmotionPointSchema] = Field(
        description="the worst first, of whoever is not the agent"
    )
    turning_points: list[TurningPointSchema]
    unsure: int = Field(description="utterances whose mood could not be told")


class AlertSchema(BaseModel):
    utterance: str
    leg: int
    emotion: Emotion
    level: Level
    at_ms: int
    demo: bool


class CallSchema(BaseModel):
    id: str
    call_id: str = Field(description="the caller's own id; may be empty")
    state: CallState
    live: bool
    door: str
    started_at: datetime
    duration_ms: int
    legs: list[LegSchema]
    utterances: list[UtteranceSchema]
    settled: bool = Field(description="speakers will not change any more")
    language: str
    model: str
    demo: bool = Field(description="the weights are for demonstration only")
    notice: str | None = Field(description="what to know of demonstration weights")
    error: str
    cut_short: bool = Field(description="there was more audio than came")
    notes: list[str]
    moods: EmotionSummarySchema | None = Field(description="null: none were told")
    alerts: list[AlertSchema]
    derived: dict[str, Any] = Field(description="what follows from the call, by kind")


class CallSummary(BaseModel):
    id: str
    call_id: str
    state: CallState
    live: bool
    door: str
    created_at: datetime
    ended_at: datetime | None
    duration_ms: int
    peak_emotion: Emotion | None = Field(description="the citizen's strongest negative mood")
    peak_level: Level | None
    error: str


class CallList(BaseModel):
    calls: list[CallSummary]
    next_page_token: str = Field(description="empty on the last page")


class RecordingSchema(BaseModel):
    id: str = Field(description="of the call that it becomes")
    state: CallState
    progress: float = Field(ge=0, le=1)
    error: str
    call: str = Field(description="where the call is")
    events: str = Field(description="where its events are")


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    param: str | None = Field(None, description="the field at fault")


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def call(record: CallRecord) -> CallSchema:
    return CallSchema(
        id=record.id,
        call_id=record.name,
        state=record.state,
        live=record.live,
        door=record.door,
        started_at=time_of(record.started_at),
        duration_ms=record.duration_ms,
        legs=[
            LegSchema(number=leg.number + 1, role=leg.role, speakers=leg.speakers)
            for leg in record.legs
        ],
        utterances=[utterance(each) for each in record.utterances],
        settled=record.settled,
        language=record.language,
        model=record.model,
        demo=record.demo,
        notice=DEMO_NOTICE if record.demo else None,
        error=record.error,
        cut_short=record.cut_short,
        notes=list(record.notes),
        moods=_moods(record.moods) if record.moods else None,
        alerts=[_alert(alert) for alert in record.alerts],
        derived=dict(record.derived),
    )


def _moods(told: MoodsMessage) -> EmotionSummarySchema:
    return EmotionSummarySchema(
        matrix=[MatrixCellSchema(**asdict(cell)) for cell in told.matrix],
        curve=[_point(point) for point in told.curve],
        peaks=[_point(point) for point in told.peaks],
        turning_points=[TurningPointSchema(**asdict(turn)) for turn in told.turning_points],
        unsure=told.unsure,
    )


def _point(felt: PointMessage) -> EmotionPointSchema:
    speaker = felt.speaker + 1 if felt.speaker >= 0 else None
    return EmotionPointSchema(**{**asdict(felt), "speaker": speaker})


def _alert(raised: AlertMessage) -> AlertSchema:
    utterance = f"{raised.leg}.{raised.utterance}"
    return AlertSchema(**{**asdict(raised), "utterance": utterance, "leg": raised.leg + 1})


def utterance(said: UtteranceMessage) -> UtteranceSchema:
    return UtteranceSchema(
        id=said.id,
        leg=said.leg + 1,
        speaker=said.speaker + 1 if said.speaker >= 0 else None,
        role=said.role,
        text=said.text,
        words=[_word(word) for word in said.words],
        start_ms=said.start_ms,
        end_ms=said.end_ms,
        confidence=said.confidence,
        mood=_mood(said.mood) if said.mood else None,
        model=said.model,
        corrections=[CorrectionSchema(**asdict(each)) for each in said.corrections],
        loudness_db=said.loudness_db,
    )


def summary(row: Summary) -> CallSummary:
    return CallSummary(
        id=row.id,
        call_id=row.name,
        state=row.state,
        live=row.live,
        door=row.door,
        created_at=time_of(row.created_at),
        ended_at=time_of(row.ended_at) if row.ended_at else None,
        duration_ms=row.duration_ms,
        peak_emotion=row.peak_emotion,
        peak_level=row.peak_level,
        error=row.error,
    )


def _word(word: SpokenWord) -> WordSchema:
    return WordSchema(
        text=word.text, start_ms=word.start_ms, end_ms=word.end_ms, confidence=word.confidence
    )


def _mood(mood: MoodEvent) -> EmotionSchema:
    return EmotionSchema(
        emotion=mood.emotion,
        level=mood.level,
        probabilities=dict(mood.probabilities),
        cues=[CueSchema(kind=c.kind, what=c.what, weight=c.weight) for c in mood.cues],
        model=mood.model,
        demo=mood.demo,
    )
