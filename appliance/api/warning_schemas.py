"""Early warnings as they are told. Moments are s since 1970."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from appliance.assist.warnings.desk import MOST_DAYS, MOST_REASON
from appliance.assist.warnings.life import WarningAction

MARKED = WarningAction.ACKNOWLEDGE, WarningAction.WATCH, WarningAction.CLOSE, WarningAction.FALSE


class WarningSchema(BaseModel):
    id: str
    kind: str = Field(description="burst: more than usual; emergency: danger to life in one call")
    state: str = Field(description="new, acknowledged, watching, closed or false")
    title: str = Field(description="in the words of those who told of it, nobody's name in it")
    name: str = Field(description="of the danger, of an emergency")
    call: str = Field(description="of an emergency")
    category: str = Field(description="or its head; empty: any")
    category_name: str
    place: str = Field(description="a division's code; empty: anywhere")
    place_name: str
    begun_at: float = Field(description="of its first contact")
    told_at: float
    last_at: float
    voices: int = Field(description="people: a caller counts once")
    contacts: int
    expected: float = Field(description="usual there in that time")
    surprise: float = Field(description="nats by which that exceeds chance")


class BarSchema(BaseModel):
    at: float
    count: int


class PlaceCountSchema(BaseModel):
    place: str
    name: str
    count: int


class UnitOpenSchema(BaseModel):
    code: str
    name: str
    open: int = Field(description="orders that are not over")


class WarningOrderSchema(BaseModel):
    id: str
    number: str
    state: str
    title: str
    at: float


class WarningEventSchema(BaseModel):
    at: float
    who: str
    action: str
    state: str
    reason: str


class WarningDetailSchema(WarningSchema):
    timeline: list[BarSchema]
    communities: list[PlaceCountSchema]
    moods: dict[str, int] = Field(description="callers, by their strongest mood")
    units: list[UnitOpenSchema]
    orders: list[WarningOrderSchema] = Field(description="its main matter's first")
    events: list[WarningEventSchema]


class WarningListSchema(BaseModel):
    warnings: list[WarningSchema] = Field(description="the most urgent first")


class WarningWanted(BaseModel):
    model_config = ConfigDict(extra="forbid")
    action: WarningAction = Field(description="acknowledge, watch, close or false")
    reason: str = Field("", max_length=MOST_REASON, description="of close and false")
    suppress_days: int = Field(0, ge=0, le=MOST_DAYS, description="that the like stays muted")


class CodeSchema(BaseModel):
    code: str
    name: str


class HeatSchema(BaseModel):
    categories: list[CodeSchema]
    places: list[CodeSchema]
    counts: list[list[int]] = Field(description="[place][category]")
    expected: list[list[float]] | None = Field(description="null: not a week is known of before")


class CategoryAheadSchema(CodeSchema):
    expected: float


class HourAheadSchema(BaseModel):
    at: float
    expected: float
    categories: list[CategoryAheadSchema]


class ForecastSchema(BaseModel):
    hours: list[HourAheadSchema]


class MatterSchema(BaseModel):
    title: str
    voices: int
    begun_at: float
    last_at: float
    orders: list[str]


class MattersSchema(BaseModel):
    matters: list[MatterSchema] = Field(description="the hottest first, by words alone")


class MuteSchema(BaseModel):
    id: int
    category: str
    category_name: str
    place: str
    place_name: str
    until: float
    who: str
    reason: str


class MutesSchema(BaseModel):
    suppressions: list[MuteSchema]
