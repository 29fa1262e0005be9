"""/api/v1/orders: find, read, correct and move work orders; /api/v1/calls/{id}/order: drafts."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import JSONResponse, Response

from appliance.access.access import Access
from appliance.access.roles import DISPATCHES, ORDERS, READS, SENDS, WRITES, AccessRole, Principal
from appliance.api import orders as common
from appliance.api.calls import DEFAULT_PAGE, MOST_PER_PAGE, make_token, read_token
from appliance.api.fields import checked
from appliance.api.http import order_schemas as schemas
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json, takes, version_of
from appliance.api.http.promises import PROBLEMS
from appliance.archive.archive import Archive
from appliance.assist.city.divisions import head_of
from appliance.assist.city.tiers import CHINA
from appliance.assist.orders import pii
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.draft import CHINESE, OrderField
from appliance.assist.orders.life import CHINESE as STATES
from appliance.assist.orders.life import ENDED, OPEN, STEPS, Action, Actor, OrderState
from appliance.assist.orders.statistics import GROUPS, statistics
from appliance.assist.text.cells import plain
from appliance.errors import Forbidden, InvalidRequest
from appliance.store.order_rows import Order, OrderFilter

TABLE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
TIMES = "RFC 3339; without a zone it is the box's"
MOST_EXPORTED = 20_000
COLUMNS = ("number", "state", "channel", "created_at", "due_at", "ended_at", "tier")
_version = partial(version_of, doing="change an order")


def order_routes(desk: OrderDesk, archive: Archive, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["orders"])
    _add_lists(router, desk, access)
    _add_corrections(router, desk, access)
    _add_reading(router, desk, archive, access)
    _add_history(router, desk, access)
    _add_changing(router, desk, access)
    _add_system(router, desk, access)
    return router


class Wanted:
    """The filter of a list, as a dependency."""

    def __init__(
        self,
        state: Annotated[list[OrderState] | None, Query(max_length=12)] = None,
        open: Annotated[bool | None, Query(description="in work, or over")] = None,
        unit: Annotated[str | None, Query(max_length=64)] = None,
        category: Annotated[str | None, Query(pattern=r"^\d{1,16}$")] = None,
        division: Annotated[str | None, Query(pattern=r"^\d{1,12}$")] = None,
        channel: Annotated[str | None, Query(max_length=16)] = None,
        phone: Annotated[str | None, Query(max_length=32, description="a citizen's")] = None,
        call: Annotated[str | None, Query(max_length=40)] = None,
        since: Annotated[datetime | None, Query(description=TIMES)] = None,
        until: Annotated[datetime | None, Query(description=TIMES)] = None,
        due_before: Annotated[datetime | None, Query(description=TIMES)] = None,
    ) -> None:
        states = tuple(state) if state else None
        some = None if open is None else tuple(sorted(OPEN if open else ENDED))
        self.states = states or some
        self.unit, self.category, self.channel, self.call = unit, category, channel, call
        self.division = head_of(division) if division else None
        self.phone = phone
        self.since, self.until, self.due_before = map(_seconds, (since, until, due_before))

    def filter(self, desk: OrderDesk, who: Principal) -> OrderFilter:
        """Of what they may see."""
        unit = who.unit if AccessRole.CLERK in who.roles else self.unit
        return OrderFilter(
            states=self.states,
            unit=unit,
            category=self.category,
            division=self.division,
            channel=self.channel,
            phone=common.searched(desk, who, self.phone),
            call_id=self.call,
            since=self.since,
            until=self.until,
            due_before=self.due_before,
            tenant=common.tenant_of(who),
        )


WantedHere = Annotated[Wanted, Depends()]


def _seconds(moment: datetime | None) -> float | None:
    try:
        return moment.timestamp() if moment else None
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("list orders", "that time is out of range") from error


def _add_lists(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    reader = Depends(Needs(access, ORDERS))

    @router.get("/orders", response_model=schemas.OrderList, responses=PROBLEMS)
    async def page(
        wanted: WantedHere,
        who: Principal = reader,
        page_size: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = DEFAULT_PAGE,
        page_token: Annotated[str, Query(max_length=200)] = "",
        masked: Annotated[bool, Query(description="hide names and numbers")] = True,
    ) -> Response:
        """Orders, newest first; a clerk's are those of its unit."""
        after = read_token(page_token) if page_token else None
        rows = await desk.page(wanted.filter(desk, who), page_size + 1, after)
        more, rows = len(rows) > page_size, rows[:page_size]
        token = make_token(rows[-1].created_at, rows[-1].id) if more else ""
        await _note(access, who, "order.list", f"{len(rows)} orders")
        told = await asyncio.to_thread(_all_shown, rows, who, masked=masked)
        return JSONResponse({"orders": told, "next_page_token": token})

    @router.get("/orders/export", responses={**PROBLEMS, **TABLE}, response_model=None)
    async def export(
        wanted: WantedHere,
        who: Principal = reader,
        format: Annotated[str, Query(pattern="^(csv|json)$")] = "csv",
        masked: Annotated[bool, Query(description="hide names and numbers")] = True,
    ) -> Response:
        """Up to 20,000 orders as a table. Without masking for dispatchers and hotline systems."""
        if not masked and not who.roles & {AccessRole.DISPATCHER, AccessRole.CALLER}:
            cause = "names and numbers are not for you"
            raise Forbidden("export orders", cause, "send masked=true")
        await _note(access, who, "order.export", "masked" if masked else "with names and numbers")
        rows = await desk.page(wanted.filter(desk, who), MOST_EXPORTED)
        told = await asyncio.to_thread(_all_shown, rows, who, masked=masked)
        if format == "json":
            return JSONResponse({"orders": told})
        return Response("\ufeff" + _csv(told), media_type="text/csv; charset=utf-8")

    @router.get(
        "/orders/statistics", response_model=schemas.Statistics, responses={**PROBLEMS, **TABLE}
    )
    async def figures(
        wanted: WantedHere,
        who: Principal = reader,
        by: Annotated[str, Query(pattern=f"^({'|'.join(GROUPS)})$")] = "unit",
        format: Annotated[str, Query(pattern="^(csv|json)$")] = "json",
    ) -> Response:
        """按时办结、回退、一次派准、解决、满意率: shares of 1, null where there are none."""
        some = wanted.filter(desk, who)
        rows, work = await desk.rows(some), await desk.work(some)
        told = statistics(desk.city.pack, rows, work, by, time.time())
        if format == "json":
            return JSONResponse({"by": by, "rows": told})
        return Response("\ufeff" + _table(told), media_type="text/csv; charset=utf-8")


def _add_corrections(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    dispatcher = Depends(Needs(access, DISPATCHES))

    @router.get("/orders/corrections", response_model=schemas.Corrections, responses=PROBLEMS)
    async def corrections(who: Principal = dispatcher) -> Response:
        """The newest 20,000 orders that somebody has corrected or a unit has sent back, as they are
        now, names and numbers hidden: what a city's models are trained on."""
        rows = await desk.corrected(OrderFilter(tenant=common.tenant_of(who)), MOST_EXPORTED)
        await _note(access, who, "order.corrections", f"{len(rows)} orders")
        told = [common.correction(each) for each in rows if each.category]
        return JSONResponse({"rows": [row for row in told if row["text"]]})


def _add_reading(
    router: APIRouter, desk: OrderDesk, archive: Archive, access: Access | None
) -> None:
    reader = Depends(Needs(access, ORDERS))
    hearer = Depends(Needs(access, READS))

    @router.get("/orders/{order}", response_model=schemas.OrderSchema, responses=PROBLEMS)
    async def get(order: str, who: Principal = reader) -> Response:
        """By id or number; its ETag is what a change sends back as If-Match."""
        return _answer(await _seen(desk, access, order, who), who)

    @router.get("/calls/{call}/order", response_model=schemas.Drafts, responses=PROBLEMS)
    async def drafts(call: str, who: Principal = hearer) -> Response:
        """What a call's orders are so far; once it is over, the orders that came of it."""
        record = await archive.get(call, tenant=who.tenant)
        await _note(access, who, "order.read", record.id)
        made, found = await desk.of_call(record.id), record.derived.get("orders", ())
        return JSONResponse(
            {
                "call": record.id,
                "drafts": common.drafts_for(who, found),
                "orders": [_shown(each, who, masked=False) for each in made],
                "marks": list(pii.rows(((u.id, u.text) for u in record.utterances), found)),
            }
        )


def _add_history(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    reader = Depends(Needs(access, ORDERS))

    @router.get("/orders/{order}/events", response_model=schemas.OrderHistory, responses=PROBLEMS)
    async def history(order: str, who: Principal = reader) -> Response:
        """Whatever happened to it, by whom and when."""
        found = await _seen(desk, access, order, who)
        events = await desk.history(found)
        hide, door = not common.sees_persons(who, found), AccessRole.CLERK not in who.roles
        known = pii.personal(found.body.get("fields", {}), door=door)
        told = [
            {
                "sequence": each.sequence,
                "at": each.at,
                "action": each.action,
                "who": each.who,
                "actor": each.actor,
                "state": each.state,
                "unit": each.unit,
                "category": each.category,
                "body": pii.masked_draft(each.body, known) if hide else each.body,
            }
            for each in events
        ]
        return JSONResponse({"events": told})

    @router.get("/orders/{order}/proposal", response_model=schemas.Proposal, responses=PROBLEMS)
    async def proposal(order: str, who: Principal = reader) -> Response:
        """Units for it as it stands now, with what came back before."""
        proposed = await desk.propose(await _seen(desk, access, order, who))
        return JSONResponse(
            {
                "units": [
                    {"code": a.unit.code, "name": a.unit.name, "main": a.main, "why": a.why}
                    for a in proposed.assignments
                ],
                "tier": proposed.tier.code,
                "tier_why": proposed.tier_why,
                "confidence": proposed.confidence,
                "fallback": proposed.fallback,
                "returned": proposed.returned,
            }
        )


async def _seen(desk: OrderDesk, access: Access | None, order: str, who: Principal) -> Order:
    found = await desk.get(order, common.tenant_of(who))
    common.check_sees(who, found)
    await _note(access, who, "order.read", found.id)
    return found


def _add_changing(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    writer = Depends(Needs(access, WRITES))
    mover = Depends(Needs(access, ORDERS))

    @router.patch(
        "/orders/{order}",
        response_model=schemas.OrderSchema,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.OrderPatch),
    )
    async def patch(
        request: Request,
        order: str,
        who: Principal = writer,
        if_match: Annotated[str, Header(max_length=40, description="the ETag it had")] = "",
    ) -> Response:
        """Correct fields. What stood there is kept in its history, and feeds training."""
        wanted = checked(schemas.OrderPatch, await read_json(request))
        found = await desk.get(order, common.tenant_of(who))
        common.check_sees(who, found)
        async with _doing(access, who, "order.correct", found.id):
            changed = await desk.patch(
                found.id,
                wanted.fields,
                who.name,
                common.writer(who),
                version=_version(if_match),
            )
        return _answer(changed, who)

    @router.post(
        "/orders/{order}/transitions",
        response_model=schemas.OrderSchema,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.StepWanted),
    )
    async def move(
        request: Request,
        order: str,
        who: Principal = mover,
        if_match: Annotated[str, Header(max_length=40, description="the ETag it had")] = "",
    ) -> Response:
        """Take a step: confirm, dispatch, sign, return, answer, close ..."""
        wanted = checked(schemas.StepWanted, await read_json(request))
        actor = common.actor_for(who, wanted.action)
        found = await desk.get(order, common.tenant_of(who))
        common.check_sees(who, found)
        given = wanted.model_dump(exclude_none=True, exclude={"action", "unit"})
        unit = who.unit if AccessRole.CLERK in who.roles else wanted.unit
        async with _doing(access, who, f"order.{wanted.action.value}", found.id):
            changed = await desk.act(
                *(found.id, Action(wanted.action), actor, who.name, given),
                unit=unit,
                version=_version(if_match),
            )
        return _answer(changed, who)


def _add_system(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    system = Depends(Needs(access, SENDS))

    @router.post(
        "/orders/{order}/status",
        response_model=schemas.OrderSchema,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.StatusWanted),
    )
    async def status(request: Request, order: str, who: Principal = system) -> Response:
        """A state of the city's own order system, in its own words; told twice, it is done once."""
        wanted = checked(schemas.StatusWanted, await read_json(request))
        states = desk.city.pack.order_system.states
        if wanted.status not in states:
            hint = f"order_system.toml knows {', '.join(states) or 'none'}"
            cause = f"there is no state {wanted.status}"
            raise InvalidRequest("move an order", cause, hint, param="status")
        found, action = await desk.get(order, who.tenant), Action(states[wanted.status])
        unit = (wanted.unit or found.unit) if STEPS[action].by_unit else ""
        if STEPS[action].to == common.state_of(found, unit):
            return _answer(found, who)
        given = wanted.model_dump(include={"reason", "text"})
        async with _doing(access, who, f"order.{action.value}", found.id):
            changed = await desk.act(*(found.id, action, Actor.SYSTEM, who.name, given), unit=unit)
        return _answer(changed, who)


def _answer(order: Order, who: Principal) -> Response:
    return JSONResponse(_shown(order, who, masked=False), headers={"ETag": f'"{order.version}"'})


def _all_shown(rows: Sequence[Order], who: Principal, *, masked: bool) -> list[dict[str, Any]]:
    return [_shown(each, who, masked=masked) for each in rows]


def _shown(order: Order, who: Principal, *, masked: bool) -> dict[str, Any]:
    door = not masked and AccessRole.CLERK in who.roles
    return common.shown(order, masked=masked or not common.sees_persons(who, order), door=door)


async def _note(access: Access | None, who: Principal, act: str, about: str) -> None:
    """People's reading is logged."""
    if access and who.is_human:
        await access.record(who, act, about)


def _doing(access: Access | None, who: Principal, act: str, order: str) -> Any:
    return access.doing(who, act, order) if access else nullcontext()


def _csv(rows: list[dict[str, Any]]) -> str:
    """Columns in Chinese, one order a line; what a spreadsheet would run is made plain."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    heads = ("工单号", "状态", "渠道", "受理时间", "截止时间", "办结时间", "时限")
    writer.writerow([*heads, *CHINESE.values()])
    for row in rows:
        told = [_cell(name, row[name]) for name in COLUMNS]
        texts = [row["fields"].get(field.value, {}).get("text", "") for field in OrderField]
        writer.writerow([plain(each) for each in (*told, *texts)])
    return out.getvalue()


def _cell(name: str, value: Any) -> str:
    if name == "state":
        return STATES[OrderState(value)]
    if name.endswith("_at"):
        return datetime.fromtimestamp(value, CHINA).strftime("%Y-%m-%d %H:%M") if value else ""
    return str(value)


def _table(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    heads = ("代码", "名称", "工单数", "按时办结率", "回退率", "一次派准率", "解决率", "满意率")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow(["" if each is None else plain(str(each)) for each in row.values()])
    return out.getvalue()
