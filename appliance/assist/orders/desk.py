"""The desk where orders are made, corrected and moved; whatever happens there is told."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appliance.assist.category.model import Guess
from appliance.assist.city.tiers import Tier
from appliance.assist.city.units import Unit
from appliance.assist.orders import edits, life
from appliance.assist.orders.dispatch import Dispatch, dispatch
from appliance.assist.orders.draft import Draft, OrderField
from appliance.assist.orders.learned import NOTHING, learned
from appliance.assist.orders.life import ENDED, Action, Actor, OrderState
from appliance.assist.orders.pii import plain_number
from appliance.assist.orders.repeats import is_repeat
from appliance.assist.orders.statistics import UnitWork, unit_work
from appliance.assist.orders.steps import Move, Steps
from appliance.assist.slots.value import Value
from appliance.errors import Conflict, InvalidRequest
from appliance.messages import EVERY_TENANT
from appliance.store.database import Also
from appliance.store.jobs import JobState
from appliance.store.order_rows import Change, Json, Order, OrderEvent, OrderFilter
from appliance.store.orders import new_id
from appliance.store.store import Store

if TYPE_CHECKING:
    from appliance.assist.current import CurrentCity

log = logging.getLogger(__name__)

# What is told of an event elsewhere, in the transaction that writes it.
Announce = Callable[[Order, OrderEvent], Sequence[Also]]
MOST_ADDRESS = 200  # characters
MOST_SIMILAR = 5
MOST_ALTERNATIVES = 5
MAKING = "after.orders"  # the job that makes them


class OrderDesk:
    """Of all hotline systems; every change is one transaction with what is told of it."""

    def __init__(self, store: Store, city: CurrentCity, announce: Announce) -> None:
        self._store, self.city, self._announce = store, city, announce
        self._steps = Steps(city)

    # --- finding

    async def get(self, name: str, tenant: str = EVERY_TENANT) -> Order:
        """By id or number; raises NotFound."""
        return await self._store.orders.get(name, tenant)

    async def of_call(self, call_id: str) -> list[Order]:
        return await self._store.orders.of_call(call_id)

    async def is_made(self, call_id: str) -> bool:
        """Whether all orders of a call that is over are there."""
        job = await self._store.jobs.of_call(call_id, MAKING)
        return job is not None and job.state not in (JobState.QUEUED, JobState.RUNNING)

    async def page(
        self, wanted: OrderFilter, size: int, after: tuple[float, str] | None = None
    ) -> list[Order]:
        return await self._store.orders.page(wanted, size, after)

    async def soonest(self, wanted: OrderFilter, most: int) -> list[Order]:
        """What is due first; what has no deadline last."""
        return await self._store.orders.soonest(wanted, most)

    async def count(self, wanted: OrderFilter) -> int:
        return await self._store.orders.count(wanted)

    async def rows(self, wanted: OrderFilter) -> list[Any]:
        """Columns alone, for statistics."""
        return await self._store.orders.rows(wanted)

    async def work(self, wanted: OrderFilter) -> UnitWork:
        """What units did with those orders, for statistics."""
        stored = self._store.orders
        return unit_work(await stored.parts(wanted), await stored.sent_back(wanted))

    async def corrected(self, wanted: OrderFilter, most: int) -> list[Order]:
        """The newest that somebody has corrected, or that a unit has sent back."""
        actions = ("corrected", Action.RETURN.value)
        return await self._store.orders.with_actions(wanted, actions, most)

    async def history(self, order: Order) -> list[OrderEvent]:
        return await self._store.orders.history(order.id)

    def phone_hash(self, phone: str) -> str:
        """By which a number is found and cannot be read."""
        digits = plain_number(phone)
        key = self._store.ring.recogniser("telephone numbers")
        return hmac.digest(key, digits.encode(), hashlib.sha256).hex() if digits else ""

    # --- making

    async def open(
        self, draft: Draft, *, call_id: str, tenant: str, channel: str, called_at: float = 0.0
    ) -> Order:
        """An order of a draft; leaves for its unit at once if the city wants that of what is as
        sure. Raises Conflict if the matter has one already."""
        who = "box"
        pack = self.city.pack
        body = draft.as_json()
        phone = draft.fields.get(OrderField.PHONE)
        order = Order(
            id=new_id(),
            number="",
            tenant=tenant,
            call_id=call_id,
            matter=draft.matter,
            channel=channel,
            state=OrderState.DRAFT,
            version=0,
            pack=draft.pack,
            category=draft.codes.get("category", ""),
            division=draft.codes.get("division", ""),
            appeal=draft.fields[OrderField.APPEAL].text
            if OrderField.APPEAL in draft.fields
            else "",
            tier=draft.codes.get("tier", pack.tiers.default.code),
            unit="",
            created_at=0.0,
            changed_at=0.0,
            called_at=called_at,
            phone=self.phone_hash(phone.text) if phone else "",
            body=body,
        )
        body["similar"] = [each.number for each in await self.similar(order)]
        event = OrderEvent("created", who, Actor.BOX, OrderState.DRAFT, category=order.category)
        announced = self._telling(order, event)
        made = await self._store.orders.add(order, pack.identity.orders.number, [event], *announced)
        self._store.jobs.news.tell()
        return await self.send_off(made, draft, who)

    def _is_sure(self, draft: Draft) -> bool:
        """Whether it may go without an agent's word."""
        wanted = self.city.pack.identity.orders.automatic
        if wanted >= 1.0 or draft.refusal or draft.question or not draft.codes.get("unit"):
            return False
        sure = (OrderField.CATEGORY, OrderField.ADDRESS, OrderField.PHONE, OrderField.UNIT)
        return all(
            name in draft.fields and draft.fields[name].confidence >= wanted for name in sure
        )

    async def send_off(self, order: Order, draft: Draft, who: str = "box") -> Order:
        """To its units, if the city wants that of what is as sure; as far as it is not done."""
        if not self._is_sure(draft) or order.body["similar"]:
            return order
        if order.state == OrderState.DRAFT:
            given = {"text": "信息齐全，自动确认"}
            order = await self.act(order.id, Action.CONFIRM, Actor.BOX, who, given)
        if order.state == OrderState.CONFIRMED:
            order = await self.act(order.id, Action.DISPATCH, Actor.BOX, who, {})
        return order

    async def similar(self, order: Order) -> list[Order]:
        """Orders of late that may be of the same matter: same caller or same place, and alike."""
        days = self.city.pack.identity.orders.repeat_days
        since = datetime.now(UTC).timestamp() - days * 86_400
        about = OrderFilter(tenant=order.tenant, since=since)
        candidates: dict[str, Order] = {}
        if order.phone:
            mine = replace(about, phone=order.phone)
            candidates |= {each.id: each for each in await self.page(mine, 50)}
        if order.category and order.division:
            there = replace(about, category=order.category[:4], division=order.division)
            candidates |= {each.id: each for each in await self.page(there, 200)}
        found = [each for each in candidates.values() if is_repeat(order, each)]
        return found[:MOST_SIMILAR]

    # --- changing

    async def patch(
        self, name: str, values: Mapping[str, str], who: str, actor: Actor, *, version: int | None
    ) -> Order:
        """Correct fields; what stood there before is kept, and feeds training.

        Raises:
            InvalidRequest: no such field, or a code that the city does not have.
            Conflict: it was changed since, or it has ended.
        """
        fields = {edits.named(each): edits.text_of(each, value) for each, value in values.items()}
        order = await self.get(name)
        place = await self._place(fields.get(OrderField.ADDRESS, ""))

        def decide(order: Order, now: float) -> Change:
            if order.state in ENDED:
                raise Conflict("correct an order", f"it is {order.state}", "reopen it first")
            return self._corrected(order, fields, place, (who, actor), now)

        return await self._change(order.id, decide, version)

    async def _place(self, address: str) -> Value | None:
        """Looked up before the transaction: it takes its time, and the database has one writer."""
        if len(address) > MOST_ADDRESS:
            cause = f"an address of {len(address)} characters"
            raise InvalidRequest("correct an order", cause, f"{MOST_ADDRESS} at most")
        return await asyncio.to_thread(self.city.filler.place, address) if address else None

    def _corrected(
        self,
        order: Order,
        fields: Mapping[OrderField, str],
        place: Value | None,
        by: tuple[str, Actor],
        now: float,
    ) -> Change:
        who, actor = by
        body = {**order.body, "fields": dict(order.body["fields"])}
        order = replace(order, body=body)
        events = []
        for name, text in fields.items():
            was = body["fields"].get(name.value, {})
            order = self._set(order, name, text, was, place)
            told = {"field": name.value, "was": was.get("text", ""), "is": text}
            body["fields"][name.value]["corrected_by"] = who
            event = OrderEvent(
                "corrected", who, actor, order.state, category=order.category, body=told
            )
            events.append(event)
        body["missing"] = [each for each in body["missing"] if each not in set(fields)]
        if fields.keys() & {OrderField.TIER}:
            order = self._steps.with_deadlines(order, now)
        return self._told(order, events)

    def _set(
        self, order: Order, name: OrderField, text: str, was: Json, place: Value | None
    ) -> Order:
        pack, value = self.city.pack, {"text": text, "confidence": 1.0}
        alternatives = was.get("alternatives", [])
        if was.get("text"):
            alternatives = [
                {"text": was["text"], "confidence": was.get("confidence", 0.0)},
                *alternatives[: MOST_ALTERNATIVES - 1],
            ]
        value["alternatives"] = alternatives
        if name is OrderField.CATEGORY:
            if text not in pack.taxonomy:
                raise InvalidRequest(
                    "correct an order", f"there is no category {text}", "send its code", param=name
                )
            value |= {"code": text, "text": pack.taxonomy.name(text)}
            order = replace(order, category=text)
        elif name is OrderField.TIER:
            tier = self._tier(text)
            value |= {"code": text, "text": tier.name}
            order = replace(order, tier=text)
        elif name is OrderField.PHONE:
            order = replace(order, phone=self.phone_hash(edits.number(text)))
        elif name is OrderField.APPEAL:
            order = replace(order, appeal=edits.appeal(text))
        elif name is OrderField.SECRECY:
            value["parts"] = {"confidential": edits.is_confidential(text)}
        elif name is OrderField.ADDRESS and place:
            code = str(place.parts.get("division", ""))
            order = replace(order, division=code)
            value |= {"code": code, "parts": dict(place.parts)}
        order.body["fields"][name.value] = value
        return order

    def _tier(self, code: str) -> Tier:
        if tier := self.city.pack.tiers.get(code):
            return tier
        known = ", ".join(each.code for each in self.city.pack.tiers)
        raise InvalidRequest(
            "correct an order", f"there is no tier {code}", f"there are {known}", param="tier"
        )

    async def propose(self, order: Order) -> Dispatch:
        """Units for it as it stands now, with what came back before."""
        returned = await self._store.orders.returned()
        text = "\n".join(
            order.body["fields"].get(name, {}).get("text", "")
            for name in ("title", "content", "request")
        )
        pack, models = self.city.pack, self.city.filler.models
        told = NOTHING
        if models and order.category:
            told = learned(models, pack.catalogue, text, [Guess(order.category, 1.0)])
        return dispatch(pack, order.category, order.division, text, returned, told)

    async def act(
        self,
        name: str,
        action: Action,
        actor: Actor,
        who: str,
        given: Mapping[str, Any],
        *,
        unit: str = "",
        version: int | None = None,
        timer: tuple[str, str] | None = None,
    ) -> Order:
        """Take a step.

        Args:
            given: what is said with it: reason, text, days, units, into, solved, satisfaction.
            unit: whose part is moved.
            timer: the one that does it; where it is gone, another gateway has done it.

        Raises:
            Conflict: not from this state, not by this actor, or it was changed since.
            InvalidRequest: something that has to be said with it is missing.
        """
        order = await self.get(name)
        said = {key: edits.checked(key, each) for key, each in given.items()}
        units = await self._units(order, said) if action is Action.DISPATCH else ()
        also: tuple[Also, ...] = ()
        if action is Action.MERGE:
            said, also = await self._merging(order, said, who, actor)

        def decide(order: Order, now: float) -> Change:
            if timer and timer not in order.timers:
                return Change(order)
            step = life.check(action, OrderState(order.state), actor, said | {"unit": unit})
            move = Move(action, actor, who, said, unit, units, now)
            changed, event = self._steps.take(without(order, timer), step, move)
            return self._told(changed, [event], also)

        return await self._change(order.id, decide, version)

    async def _units(self, order: Order, given: Mapping[str, Any]) -> tuple[Unit, ...]:
        """Main first: those named, else those proposed."""
        named = given.get("units")
        if not named:
            proposed = await self.propose(order)
            if proposed.main is None:
                raise Conflict("dispatch an order", "no unit is known for it", "name units")
            return (proposed.main, *proposed.helpers)
        if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
            raise InvalidRequest("dispatch an order", "units is no list of codes", param="units")
        found = {code: self.city.pack.units.get(code) for code in named}
        if missing := [code for code, unit in found.items() if unit is None]:
            cause = f"there is no unit {missing[0]}"
            raise InvalidRequest("dispatch an order", cause, "see units.csv", param="units")
        return tuple(unit for unit in found.values() if unit)

    async def _merging(
        self, order: Order, given: Json, who: str, actor: Actor
    ) -> tuple[Json, tuple[Also, ...]]:
        if not given.get("into"):
            return given, ()
        into = await self.get(str(given["into"]), order.tenant)
        if into.id == order.id:
            raise Conflict("merge an order", "it is the same order", "name another")
        event = OrderEvent("absorbed", who, actor, into.state, body={"from": order.number})
        noting = await self._store.orders.noting(into.id, event, unless=ENDED)
        telling = self._telling(into, event)
        return {**given, "into": into.id, "number": into.number}, (noting, *telling)

    async def _change(
        self, order_id: str, decide: Callable[[Order, float], Change], version: int | None
    ) -> Order:
        changed = await self._store.orders.change(order_id, decide, version)
        self._store.jobs.news.tell()
        return changed

    def _told(
        self, order: Order, events: Sequence[OrderEvent], also: Sequence[Also] = ()
    ) -> Change:
        telling = [each for event in events for each in self._telling(order, event)]
        return Change(order, tuple(events), (*also, *telling))

    def _telling(self, order: Order, event: OrderEvent) -> Sequence[Also]:
        return self._announce(order, event)

    async def pushed(self, order_id: str, receipt: str) -> None:
        """The city's own system has taken it, under that number."""

        def decide(order: Order, now: float) -> Change:
            if order.body.get("receipt") == receipt:
                return Change(order)
            event = OrderEvent("pushed", "box", Actor.BOX, order.state, body={"receipt": receipt})
            return self._told(replace(order, body={**order.body, "receipt": receipt}), [event])

        await self._store.orders.change(order_id, decide)

    async def learn(self) -> None:
        """What has come back since: those units are proposed with less confidence, live too."""
        self.city.filler.returns = await self._store.orders.returned()


def without(order: Order, timer: tuple[str, str] | None) -> Order:
    """With one timer less."""
    left = {key: at for key, at in order.timers.items() if key != timer}
    return replace(order, timers=left)
