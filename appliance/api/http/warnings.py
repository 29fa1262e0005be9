"""/api/v1/warnings: what many tell of at once, emergencies, and what is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from appliance.access.access import Access
from appliance.access.roles import SEES_WARNINGS, WARNS, Principal
from appliance.api import warning_schemas as schemas
from appliance.api.fields import checked
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json, takes
from appliance.api.http.promises import PROBLEMS, Responses
from appliance.api.warnings import MOST_DAYS, MOST_HOURS, MOST_WARNINGS, WarningService
from appliance.assist.warnings.life import WarningKind, WarningState
from appliance.assist.warnings.report import FORMS

REPORTS: Responses = {200: {"content": {media: {} for media, _ in FORMS.values()}}}
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
BEFORE = Query(description="contacts of the last days", gt=0, le=MOST_DAYS)


def warning_routes(service: WarningService, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/warnings", tags=["warnings"])
    reader, officer = Depends(Needs(access, SEES_WARNINGS)), Depends(Needs(access, WARNS))
    _add_tables(router, service, reader)
    _add_report(router, service, reader)
    _add_suppressions(router, service, reader, officer)
    _add_warnings(router, service, reader, officer)
    return router


def _add_tables(router: APIRouter, service: WarningService, reader: Any) -> None:
    @router.get("/heat", response_model=schemas.HeatSchema, responses=PROBLEMS)
    async def heat(who: Principal = reader, days: Annotated[float, BEFORE] = 1) -> dict[str, Any]:
        """Counties by heads of categories: contacts, and how many are usual."""
        return await service.heat(who, days)

    @router.get("/forecast", response_model=schemas.ForecastSchema, responses=PROBLEMS)
    async def forecast(
        who: Principal = reader, hours: Annotated[int, Query(ge=1, le=MOST_HOURS)] = 6
    ) -> dict[str, Any]:
        """Contacts of the next hours, by head of category: how many agents will be needed."""
        return await service.forecast(who, hours)

    @router.get("/matters", response_model=schemas.MattersSchema, responses=PROBLEMS)
    async def matters(
        who: Principal = reader, days: Annotated[float, BEFORE] = 7
    ) -> dict[str, Any]:
        """What is told of most, by words alone, whatever its category: the newest 1,000 orders."""
        return await service.matters(who, days)


def _add_report(router: APIRouter, service: WarningService, reader: Any) -> None:
    @router.get("/report", response_class=Response, responses=REPORTS | PROBLEMS)
    async def report(
        who: Principal = reader,
        period: Literal["day", "week"] = "day",
        form: Annotated[Literal["json", "html", "csv"], Query(alias="format")] = "json",
    ) -> Response:
        """Of the last day or week: warnings, hot matters, categories and counties, and how they
        were in the period before."""
        media, write = FORMS[form]
        kept = {"content-disposition": f'attachment; filename="warnings-{period}.csv"'}
        made = await service.report(who, period)
        return Response(write(made), media_type=media, headers=kept if form == "csv" else None)


def _add_suppressions(
    router: APIRouter, service: WarningService, reader: Any, officer: Any
) -> None:
    @router.get("/suppressions", response_model=schemas.MutesSchema, responses=PROBLEMS)
    async def suppressions(who: Principal = reader) -> dict[str, Any]:
        """What is muted, until when and why."""
        return await service.suppressions(who)

    @router.delete("/suppressions/{number}", status_code=204, responses=PROBLEMS)
    async def unmute(number: Number, who: Principal = officer) -> None:
        """The like is told again."""
        await service.unmute(number, who)


def _add_warnings(router: APIRouter, service: WarningService, reader: Any, officer: Any) -> None:
    @router.get("", response_model=schemas.WarningListSchema, responses=PROBLEMS)
    async def newest(
        who: Principal = reader,
        state: Annotated[WarningState | None, Query(description="those alone")] = None,
        kind: Annotated[WarningKind | None, Query(description="those alone")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_WARNINGS)] = 50,
    ) -> dict[str, Any]:
        """The most urgent first: emergencies that nobody has seen, then what surprises most."""
        return await service.newest(who, state, kind, limit)

    @router.get("/{warning}", response_model=schemas.WarningDetailSchema, responses=PROBLEMS)
    async def get(warning: str, who: Principal = reader) -> dict[str, Any]:
        """With its course, places, moods, units, orders, and what was made of it."""
        return await service.get(warning, who)

    @router.post(
        "/{warning}",
        response_model=schemas.WarningSchema,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.WarningWanted),
    )
    async def act(request: Request, warning: str, who: Principal = officer) -> dict[str, Any]:
        """Acknowledge it, watch it, close it, or say that it is false and mute the like."""
        wanted = checked(schemas.WarningWanted, await read_json(request))
        return await service.act(warning, wanted, who)
