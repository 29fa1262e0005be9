"""lingting.hotline.v1.Orders: the same as /api/v1/orders, by gRPC."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict

from appliance.access.roles import ORDERS, READS, SENDS, WRITES, AccessRole, Principal
from appliance.api import orders as common
from appliance.api.calls import DEFAULT_PAGE, MOST_PER_PAGE, make_token, read_token
from appliance.api.grpc.auth import Doorman
from appliance.api.grpc.hotline_requests import id_of
from appliance.api.grpc.mirror import moment
from appliance.api.texts import TextMessage, orders_of, take_text
from appliance.archive.archive import Archive
from appliance.archive.texts import Texts
from appliance.assist.city.divisions import head_of
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.life import Action, OrderState
from appliance.errors import InvalidRequest
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.store.order_rows import Order, OrderFilter

if TYPE_CHECKING:
    from appliance.access.access import Access

DOOR = "orders"
BODY = ("fields", "missing", "question", "notes", "danger", "refusal", "similar", "answers")


class OrdersServicer:
    """Each method is translation around the desk."""

    service = pb.DESCRIPTOR.services_by_name["Orders"]

    def __init__(
        self, desk: OrderDesk, archive: Archive, doorman: Doorman, access: Access | None
    ) -> None:
        self._desk, self._archive, self._texts = desk, archive, Texts(archive)
        self._doorman, self._access = doorman, access

    async def ListOrders(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ListOrders", ORDERS) as asked:
            who = asked.who
            size = request.page_size or DEFAULT_PAGE
            if not 1 <= size <= MOST_PER_PAGE:
                cause = f"page_size must be 1 to {MOST_PER_PAGE}"
                raise InvalidRequest("list orders", cause, param="page_size")
            after = read_token(request.page_token) if request.page_token else None
            rows = await self._desk.page(self._filter(request, who), size + 1, after)
            more, rows = len(rows) > size, rows[:size]
            await self._note(who, "order.list", f"{len(rows)} orders")
            masked = not request.show_persons
            return pb.ListOrdersResponse(
                orders=[_order(each, who, masked=masked) for each in rows],
                next_page_token=make_token(rows[-1].created_at, rows[-1].id) if more else "",
            )

    def _filter(self, wanted: Any, who: Principal) -> OrderFilter:
        known = {state.value for state in OrderState}
        if unknown := set(wanted.states) - known:
            cause = f"there is no state {min(unknown)[:20]!r}"
            raise InvalidRequest("list orders", cause, ", ".join(sorted(known)), param="states")
        clerk = AccessRole.CLERK in who.roles
        return OrderFilter(
            states=tuple(wanted.states) or None,
            unit=who.unit if clerk else wanted.unit or None,
            category=wanted.category or None,
            division=head_of(wanted.division) or None,
            phone=common.searched(self._desk, who, wanted.phone or None),
            since=wanted.since.seconds if wanted.HasField("since") else None,
            until=wanted.until.seconds if wanted.HasField("until") else None,
            tenant=common.tenant_of(who),
        )

    async def GetOrder(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetOrder", ORDERS) as asked:
            found = await self._seen(request.name, asked.who)
            await self._note(asked.who, "order.read", found.id)
            return _order(found, asked.who, masked=False)

    async def UpdateOrder(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "UpdateOrder", WRITES) as asked:
            who = asked.who
            found = await self._seen(request.name, who)
            async with self._doing(who, "order.correct", found.id):
                changed = await self._desk.patch(
                    *(found.id, dict(request.fields), who.name, common.writer(who)),
                    version=request.version or None,
                )
            return _order(changed, who, masked=False)

    async def MoveOrder(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "MoveOrder", ORDERS) as asked:
            who, action = asked.who, _action(request.action)
            actor = common.actor_for(who, action)
            found = await self._seen(request.name, who)
            unit = who.unit if AccessRole.CLERK in who.roles else request.unit
            async with self._doing(who, f"order.{action.value}", found.id):
                changed = await self._desk.act(
                    *(found.id, action, actor, who.name, _given(request)),
                    unit=unit,
                    version=request.version or None,
                )
            return _order(changed, who, masked=False)

    async def GetCallOrders(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetCallOrders", READS) as asked:
            who = asked.who
            record = await self._archive.get(id_of(request.name), tenant=who.tenant)
            await self._note(who, "order.read", record.id)
            return self._told(
                record.id,
                who,
                await self._desk.of_call(record.id),
                common.drafts_for(who, record.derived.get("orders", ())),
            )

    async def CreateText(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "CreateText", SENDS) as asked:
            message = TextMessage(
                request.channel,
                request.text,
                request.author,
                request.phone,
                request.message_id,
                tuple(request.attachments),
            )
            found = await take_text(self._texts, asked.who, message, request.request_id)
            return self._told(found, asked.who, await orders_of(self._desk, found), ())

    def _told(self, call: str, who: Principal, orders: Any, drafts: Any) -> Any:
        told = pb.CallOrders(call=f"calls/{call}")
        told.orders.extend(_order(each, who, masked=False) for each in orders)
        for draft in drafts:
            ParseDict(draft, told.drafts.add())
        return told

    async def _seen(self, name: str, who: Principal) -> Order:
        found = await self._desk.get(id_of(name, "orders/"), common.tenant_of(who))
        common.check_sees(who, found)
        return found

    def answering(self, context: Any, method: str, roles: frozenset[AccessRole]) -> Any:
        return self._doorman.answering(context, method, DOOR, roles)

    def _doing(self, who: Principal, act: str, order: str) -> Any:
        return self._access.doing(who, act, order) if self._access else contextlib.nullcontext()

    async def _note(self, who: Principal, act: str, about: str) -> None:
        if self._access and who.is_human:
            await self._access.record(who, act, about)


def _action(name: str) -> Action:
    if name in {each.value for each in Action}:
        return Action(name)
    hint = ", ".join(each.value for each in Action)
    raise InvalidRequest("move an order", f"there is no action {name[:20]!r}", hint, param="action")


def _given(wanted: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        name: value for name in ("reason", "text", "into") if (value := getattr(wanted, name))
    }
    if wanted.units:
        given["units"] = list(wanted.units)
    if wanted.days:
        given["days"] = wanted.days
    if wanted.HasField("solved"):
        given["solved"] = wanted.solved
    if wanted.satisfaction:
        given["satisfaction"] = wanted.satisfaction
    return given


def _order(order: Order, who: Principal, *, masked: bool) -> Any:
    told = common.shown(order, masked=masked or not common.sees_persons(who, order))
    message = pb.Order(
        name=f"orders/{order.id}",
        number=order.number,
        call=f"calls/{order.call_id}",
        matter=order.matter,
        channel=order.channel,
        state=order.state,
        version=order.version,
        pack=order.pack,
        category=order.category,
        division=order.division,
        tier=order.tier,
        create_time=moment(order.created_at),
        due_time=_moment(order.due_at),
        end_time=_moment(order.ended_at),
        masked=told["masked"],
    )
    for part in order.units:
        message.units.add(
            unit=part.unit, main=part.main, state=part.state, due_time=_moment(part.due_at)
        )
    ParseDict({name: told[name] for name in BODY}, message.body)
    return message


def _moment(at: float | None) -> Any:
    return None if at is None else moment(at)
