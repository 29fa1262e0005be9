"""/api/v1/calls/{id}/quality: how a call was scored; /api/v1/quality: of many calls."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from appliance.access.access import Access
from appliance.access.roles import INSPECTS, READS, AccessRole, Principal
from appliance.api.http.auth import Needs
from appliance.api.http.body import checked, read_json, takes
from appliance.api.http.promises import PROBLEMS
from appliance.archive.archive import Archive
from appliance.assist.quality.desk import MOST_REASON, InspectionAction, QualityDesk
from appliance.assist.quality.sampling import SampleBy
from appliance.errors import Forbidden
from appliance.store.inspections import KeptInspection

TIMES = "RFC 3339; without a zone it is the box's"
MONTH_S = 30 * 86_400.0
MOST_SAMPLED = 200
APPEALS = frozenset({AccessRole.AGENT, AccessRole.CALLER, AccessRole.INSPECTOR})


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
    appeal: str = Field(description="empty, open, upheld or overridden")
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
    reason: str = Field(max_length=MOST_REASON)


def quality_routes(desk: QualityDesk, archive: Archive, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["quality"])
    reader = Depends(Needs(access, READS))

    @router.get("/calls/{call}/quality", response_model=InspectionSchema, responses=PROBLEMS)
    async def get(call: str, who: Principal = reader) -> InspectionSchema:
        """How a call that is over was scored, with the words and times that show it."""
        found = await archive.find(call, tenant=who.tenant)
        if access and who.is_human:
            await access.record(who, "call.read", found.id)
        return await _shown(desk, await desk.get(found.id))

    @router.post(
        "/calls/{call}/quality/{rule}",
        response_model=InspectionSchema,
        responses=PROBLEMS,
        openapi_extra=takes(InspectionWanted),
    )
    async def act(
        request: Request, call: str, rule: str, who: Principal = reader
    ) -> InspectionSchema:
        """Appeal against a finding; for inspectors: uphold it, or override it, with a reason."""
        wanted = checked(InspectionWanted, await read_json(request))
        roles = APPEALS if wanted.action is InspectionAction.APPEAL else INSPECTS
        if not who.roles & roles:
            needed = " or ".join(sorted(roles))
            raise Forbidden(f"{wanted.action.value} a finding", "that is not for you", needed)
        found = await archive.find(call, tenant=who.tenant)
        act = f"quality.{wanted.action.value}"
        async with access.doing(who, act, f"{found.id} {rule}") if access else nullcontext():
            made = await desk.act(found.id, rule, wanted.action, who.name, wanted.reason)
        return await _shown(desk, made)

    _add_lists(router, desk, Depends(Needs(access, INSPECTS)))
    return router


def _add_lists(router: APIRouter, desk: QualityDesk, inspector: Any) -> None:
    """Of many calls, for inspectors."""

    @router.get("/quality/statistics", responses=PROBLEMS)
    async def statistics(
        who: Principal = inspector,
        since: Annotated[datetime | None, Query(description=TIMES)] = None,
        until: Annotated[datetime | None, Query(description=TIMES)] = None,
    ) -> dict[str, Any]:
        """By agent and by rule, with 95 % intervals; of the last thirty days, unless told."""
        return asdict(await desk.statistics(who.tenant, *_between(since, until)))

    @router.get("/quality/sample", response_model=QualitySampleSchema, responses=PROBLEMS)
    async def sample(
        who: Principal = inspector,
        by: Annotated[SampleBy, Query(description="what is chosen by")] = SampleBy.RANDOM,
        n: Annotated[int, Query(ge=1, le=MOST_SAMPLED)] = 20,
        agent: Annotated[str, Query(description="that agent's calls alone", max_length=64)] = "",
        since: Annotated[datetime | None, Query(description=TIMES)] = None,
        until: Annotated[datetime | None, Query(description=TIMES)] = None,
    ) -> QualitySampleSchema:
        """Calls to look at: at random (the same all day), the riskiest, or as many of each agent;
        of the last thirty days, unless told."""
        found = await desk.sample(who.tenant, by, n, *_between(since, until), agent)
        calls = [
            SampledCallSchema(
                call=row.call_id,
                agent=row.agent,
                at=row.at,
                total=row.total,
                violated=row.violated,
                open_appeals=row.open_appeals,
            )
            for row in found
        ]
        return QualitySampleSchema(calls=calls)


def _between(since: datetime | None, until: datetime | None) -> tuple[float, float]:
    end = until.timestamp() if until else time.time()
    return since.timestamp() if since else end - MONTH_S, end


async def _shown(desk: QualityDesk, made: KeptInspection) -> InspectionSchema:
    findings = [
        FindingSchema(
            rule=each.rule,
            finding=each.finding,
            first=each.first,
            points=each.points,
            appeal=each.appeal,
            **each.body,
        )
        for each in made.findings
    ]
    order = {"violated": 0, "unsure": 1, "kept": 2}
    findings.sort(key=lambda each: (order.get(each.finding, 3), -each.points, each.rule))
    events = [InspectionEventSchema(**asdict(each)) for each in await desk.history(made.call_id)]
    return InspectionSchema(
        call=made.call_id,
        agent=made.agent,
        total=made.total,
        pack=made.pack,
        at=made.at,
        findings=findings,
        events=events,
    )
