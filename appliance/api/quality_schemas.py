"""How calls were scored, as it is told."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.assist.quality.desk import MOST_REASON, InspectionAction


class ProofSchema(BaseModel):
    utterance: str
    start_ms: int
    end_ms: int
    words: str


class FindingSchema(BaseModel):
    rule: str
    name: str
    group: str
    severity: str
    finding: str = Field(description="violated, kept, or unsure: too much was heard badly")
    first: str = Field(description="as the rule had it")
    points: float = Field(description="taken off")
    eased: bool = Field(description="counts half, for what went before")
    advice: str
    appeal: str = Field(description="empty, open, upheld, overridden, confirmed or found")
    proofs: list[ProofSchema]


class InspectionEventSchema(BaseModel):
    action: str
    who: str
    rule: str
    reason: str
    at: float


class InspectionSchema(BaseModel):
    call: str
    agent: str
    total: float | None = Field(description="0..100; none: no agent spoke")
    pack: str = Field(description="whose rules these were")
    at: float
    findings: list[FindingSchema]
    events: list[InspectionEventSchema]


class SampledCallSchema(BaseModel):
    call: str
    agent: str
    at: float
    total: float
    violated: int = Field(description="findings as they stand now")
    open_appeals: int


class QualitySampleSchema(BaseModel):
    calls: list[SampledCallSchema]


class InspectionWanted(BaseModel):
    model_config = ConfigDict(extra="forbid")
    action: InspectionAction
    finding: Literal["kept", "violated"] | None = Field(
        None, description="of override: what it is; none: the opposite of what it is now"
    )
    reason: str = Field(max_length=MOST_REASON)
