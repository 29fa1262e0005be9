"""/api/v1/warnings: what many tell of at once, emergencies, and what is made of them."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from appliance.access.access import Access
from appliance.access.roles import SEES_WARNINGS, WARNS, Principal
from appliance.api.http import warning_schemas as schemas
from appliance.api.http.auth import Needs
from appliance.api.http.body import checked, read_json, takes
from appliance.api.http.promises import PROBLEMS, Responses
from appliance.assist.city.pack import CityPack
from appliance.assist.orders import pii
from appliance.assist.warnings import report as reports
from appliance.assist.warnings.desk import WarningDesk
from appliance.assist.warnings.detail import WarningDetail, WarningReader, contact_of_order
from appliance.assist.warnings.life import OPEN, WarningKind, WarningState
from appliance.errors import InvalidRequest
from appliance.store.store import Store
from appliance.store.warnings import KeptWarning

DAY_S = 86_400.0
MOST = 100
HOT = 20  # matters
PERIODS = {"day": DAY_S, "week": 7 * DAY_S}
REPORTS: Responses = {
    200: {"content": {media: {} for media in ("application/json", "text/html", "text/csv")}}
}
BEFORE = Query(description="contacts of the last days", gt=0, le=31)
LIMIT = Query(ge=1, le=MOST)


def warning_routes(desk: WarningDesk, store: Store, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/warnings", tags=["warnings"])
    read = WarningReader(store)
    _add_tables(router, desk, read, access)
    _add_report(router, desk, store, read, access)
    _add_mutes(router, desk, store, access)
    _add_warnings(router, desk, store, read, access)
    return router


def _add_tables(
    router: APIRouter, desk: WarningDesk, read: WarningReader, access: Access | None
) -> None:
    reader = Depends(Needs(access, SEES_WARNINGS))

    @router.get("/heat", response_model=schemas.HeatSchema, responses=PROBLEMS)
    async def heat(who: Principal = reader, days: Annotated[float, BEFORE] = 1) -> dict[str, Any]:
        """Counties by heads of categories: contacts, and how many are usual."""
        found = await desk.heat(who.tenant, days)
        return {
            "categories": [{"code": code, "name": name} for code, name in found.categories],
            "places": [{"code": code, "name": name} for code, name in found.places],
            "counts": found.counts,
            "expected": found.expected,
        }

    @router.get("/forecast", response_model=schemas.ForecastSchema, responses=PROBLEMS)
    async def forecast(
        who: Principal = reader, hours: Annotated[int, Query(ge=1, le=72)] = 6
    ) -> dict[str, Any]:
        """Contacts of the next hours, by head of category: how many agents will be needed."""
        found = await desk.forecast(who.tenant, hours)
        return {"hours": [_hour(each.at, each.expected, each.categories) for each in found]}

    @router.get("/matters", response_model=schemas.MattersSchema, responses=PROBLEMS)
    async def hot(who: Principal = reader, days: Annotated[float, BEFORE] = 7) -> dict[str, Any]:
        """What is told of most, by words alone, whatever its category: the newest 1,000 orders."""
        contacts = await desk.contacts(who.tenant, time.time() - days * DAY_S)
        found = await read.hot(contacts, HOT)
        return {
            "matters": [
                {
                    "title": each.title,
                    "voices": each.voices,
                    "begun_at": each.begun_at,
                    "last_at": each.contacts[-1].at,
                    "orders": [contact.id for contact in each.contacts],
                }
                for each in found
            ]
        }


def _add_report(
    router: APIRouter,
    desk: WarningDesk,
    store: Store,
    read: WarningReader,
    access: Access | None,
) -> None:
    reader = Depends(Needs(access, SEES_WARNINGS))

    @router.get("/report", response_class=Response, responses=REPORTS | PROBLEMS)
    async def report(
        who: Principal = reader,
        period: Literal["day", "week"] = "day",
        form: Annotated[Literal["json", "html", "csv"], Query(alias="format")] = "json",
    ) -> Response:
        """Of the last day or week: warnings, hot matters, categories and counties, and how they
        were in the period before."""
        made = await _reported(desk, store, read, who.tenant, PERIODS[period])
        if form == "html":
            return Response(reports.as_html(made), media_type="text/html; charset=utf-8")
        if form == "csv":
            disposition = {"content-disposition": f'attachment; filename="warnings-{period}.csv"'}
            text = reports.as_csv(made)
            return Response(text, media_type="text/csv; charset=utf-8", headers=disposition)
        return Response(reports.as_json(made), media_type="application/json")


def _add_mutes(router: APIRouter, desk: WarningDesk, store: Store, access: Access | None) -> None:
    reader = Depends(Needs(access, SEES_WARNINGS))
    officer = Depends(Needs(access, WARNS))

    @router.get("/suppressions", response_model=schemas.MutesSchema, responses=PROBLEMS)
    async def muted(who: Principal = reader) -> dict[str, Any]:
        """What is muted, until when and why."""
        found = await store.warnings.mutes(who.tenant)
        return {
            "suppressions": [
                {
                    **_named(each.category, each.place, desk.pack),
                    "id": each.id,
                    "until": each.until,
                    "who": each.who,
                    "reason": each.reason,
                }
                for each in found
            ]
        }

    @router.delete("/suppressions/{number}", status_code=204, responses=PROBLEMS)
    async def unmute(number: int, who: Principal = officer) -> None:
        """The like is told again."""
        act = "warning.unmute"
        async with access.doing(who, act, str(number)) if access else nullcontext():
            await store.warnings.unmute(number, who.tenant)


def _add_warnings(
    router: APIRouter,
    desk: WarningDesk,
    store: Store,
    read: WarningReader,
    access: Access | None,
) -> None:
    reader = Depends(Needs(access, SEES_WARNINGS))
    officer = Depends(Needs(access, WARNS))

    async def shown(warning: KeptWarning) -> dict[str, Any]:
        return _shown(warning, await read.title(warning, desk.pack), desk.pack)

    @router.get("", response_model=schemas.WarningListSchema, responses=PROBLEMS)
    async def listed(
        who: Principal = reader,
        state: Annotated[WarningState | None, Query(description="those alone")] = None,
        limit: Annotated[int, LIMIT] = 50,
    ) -> dict[str, Any]:
        """The most urgent first: emergencies that nobody has seen, then what surprises most."""
        states = [state.value] if state else []
        found = await store.warnings.newest(who.tenant, states)
        found.sort(key=_urgency)
        return {"warnings": [await shown(each) for each in found[:limit]]}

    @router.get("/{warning}", response_model=schemas.WarningDetailSchema, responses=PROBLEMS)
    async def get(warning: str, who: Principal = reader) -> dict[str, Any]:
        """With its course, places, moods, units, orders, and what was made of it."""
        found = await store.warnings.get(warning, who.tenant)
        detail = await read.detail(found, desk.pack)
        return _detailed(found, detail, desk.pack)

    @router.post(
        "/{warning}",
        response_model=schemas.WarningSchema,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.WarningWanted),
    )
    async def act(request: Request, warning: str, who: Principal = officer) -> dict[str, Any]:
        """Acknowledge it, watch it, close it, or say that it is false and mute the like."""
        wanted = checked(schemas.WarningWanted, await read_json(request))
        if wanted.action not in schemas.MARKED:
            cause = f"{wanted.action.value} is the box's own"
            names = ", ".join(each.value for each in schemas.MARKED)
            raise InvalidRequest("mark a warning", cause, f"take one of {names}", param="action")
        found = await store.warnings.get(warning, who.tenant)
        name = f"warning.{wanted.action.value}"
        days = wanted.suppress_days
        async with access.doing(who, name, found.id) if access else nullcontext():
            made = await desk.act(found.id, wanted.action, who.name, wanted.reason, days)
        return await shown(made)


def _detailed(warning: KeptWarning, detail: WarningDetail, pack: CityPack) -> dict[str, Any]:
    return {
        **_shown(warning, detail.title, pack),
        "timeline": [{"at": at, "count": count} for at, count in detail.timeline],
        "communities": [
            {"place": code, "name": name, "count": count}
            for code, name, count in detail.communities
        ],
        "moods": detail.moods,
        "units": [
            {"code": code, "name": name, "open": count} for code, name, count in detail.units
        ],
        "orders": [
            {
                "id": each.id,
                "number": each.number,
                "state": each.state,
                "title": contact_of_order(each).text.split("。")[0],
                "at": each.created_at,
            }
            for each in detail.orders
        ],
        "events": [
            {
                "at": each.at,
                "who": each.who,
                "action": each.action,
                "state": each.state,
                "reason": each.reason,
            }
            for each in detail.events
        ],
    }


async def _reported(
    desk: WarningDesk, store: Store, read: WarningReader, tenant: str, seconds: float
) -> reports.WarningReport:
    end = time.time()
    begin = end - seconds
    contacts = await desk.contacts(tenant, begin - seconds)
    now = [each for each in contacts if each.at >= begin]
    before = [each for each in contacts if each.at < begin]
    told = await store.warnings.newest(tenant, since=begin)
    named = [(each, await read.title(each, desk.pack)) for each in told]
    hot = await read.hot(now, HOT)
    of = (begin, end, now, before, named, hot, desk.pack)
    return await asyncio.to_thread(reports.report, *of)


def _urgency(warning: KeptWarning) -> tuple[int, float]:
    """What sorts first is seen first."""
    state = WarningState(warning.state)
    if state not in OPEN:
        return 3, -warning.last_at
    if state is WarningState.NEW and warning.kind == WarningKind.EMERGENCY:
        return 0, -warning.told_at
    if warning.kind == WarningKind.EMERGENCY:
        return 2, -warning.told_at
    return 1, -warning.surprise


def _shown(warning: KeptWarning, title: str, pack: CityPack) -> dict[str, Any]:
    return {
        **_named(warning.category, warning.place, pack),
        "id": warning.id,
        "kind": warning.kind,
        "state": warning.state,
        "title": pii.masked(title),
        "name": warning.name,
        "call": warning.call_id,
        "begun_at": warning.begun_at,
        "told_at": warning.told_at,
        "last_at": warning.last_at,
        "voices": warning.voices,
        "contacts": warning.contacts,
        "expected": warning.expected,
        "surprise": warning.surprise,
    }


def _named(category: str, place: str, pack: CityPack) -> dict[str, str]:
    path = pack.taxonomy.path(category)
    return {
        "category": category,
        "category_name": path[-1].name if path else "",
        "place": place,
        "place_name": pack.divisions.name(place) if place else "",
    }


def _hour(at: float, expected: float, by: tuple[tuple[str, str, float], ...]) -> dict[str, Any]:
    categories = [{"code": code, "name": name, "expected": count} for code, name, count in by]
    return {"at": at, "expected": expected, "categories": categories}
