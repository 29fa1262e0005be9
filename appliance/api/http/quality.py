"""/api/v1/calls/{id}/quality: how a call was scored; /api/v1/quality: of many calls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from appliance.access.access import Access
from appliance.access.roles import INSPECTS, READS, Principal
from appliance.api import quality_schemas as schemas
from appliance.api.fields import checked, seconds_of
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json, takes
from appliance.api.http.promises import PROBLEMS
from appliance.api.quality import MOST_SAMPLED, Between, QualityService
from appliance.assist.quality.sampling import SampleBy

TIMES = "RFC 3339; without a zone it is the box's"


def quality_routes(service: QualityService, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["quality"])
    reader = Depends(Needs(access, READS))
    inspection = schemas.InspectionSchema

    @router.get("/calls/{call}/quality", response_model=inspection, responses=PROBLEMS)
    async def get(call: str, who: Principal = reader) -> schemas.InspectionSchema:
        """How a call that is over was scored, with the words and times that show it."""
        return await service.get(call, who)

    @router.post(
        "/calls/{call}/quality/{rule}",
        response_model=inspection,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.InspectionWanted),
    )
    async def act(
        request: Request, call: str, rule: str, who: Principal = reader
    ) -> schemas.InspectionSchema:
        """Appeal against a finding; for inspectors: uphold it, or override it, with a reason."""
        wanted = checked(schemas.InspectionWanted, await read_json(request))
        return await service.act(call, rule, wanted, who)

    _add_lists(router, service, Depends(Needs(access, INSPECTS)))
    return router


def _add_lists(router: APIRouter, service: QualityService, inspector: Any) -> None:
    """Of many calls, for inspectors."""

    @router.get("/quality/statistics", responses=PROBLEMS)
    async def statistics(
        who: Principal = inspector,
        since: Annotated[datetime | None, Query(description=TIMES)] = None,
        until: Annotated[datetime | None, Query(description=TIMES)] = None,
    ) -> dict[str, Any]:
        """By agent and by rule, with 95 % intervals; of the last thirty days, unless told."""
        return await service.statistics(who, _between(since, until))

    @router.get("/quality/sample", response_model=schemas.QualitySampleSchema, responses=PROBLEMS)
    async def sample(
        who: Principal = inspector,
        by: Annotated[SampleBy, Query(description="what is chosen by")] = SampleBy.RANDOM,
        n: Annotated[int, Query(ge=1, le=MOST_SAMPLED)] = 20,
        agent: Annotated[str, Query(description="that agent's calls alone", max_length=64)] = "",
        since: Annotated[datetime | None, Query(description=TIMES)] = None,
        until: Annotated[datetime | None, Query(description=TIMES)] = None,
    ) -> schemas.QualitySampleSchema:
        """Calls to look at: at random (the same all day), the riskiest, or as many of each agent;
        of the last thirty days, unless told."""
        return await service.sample(who, by, n, _between(since, until), agent)


def _between(since: datetime | None, until: datetime | None) -> Between:
    return seconds_of(since, "since"), seconds_of(until, "until")
