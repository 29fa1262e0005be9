"""The subscriber that fills orders: live after every final, and at the end of a call for good."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from appliance.assist.current import CurrentCity
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.draft import Draft, Json, OrderField
from appliance.assist.orders.earlier import earlier
from appliance.assist.orders.filler import CallContext, Filler
from appliance.assist.orders.said import said_in
from appliance.errors import Conflict, LingtingError, NotFound
from appliance.feed.kinds.order import OrderFilled
from appliance.feed.subscriber import FollowedCall, Listener, Owed, Subscriber
from appliance.messages import (
    WRITTEN,
    CallConfig,
    CallRecord,
    CallState,
    Final,
    Lasting,
    NumberedEvent,
)
from appliance.store.database import Also
from appliance.store.jobs import Job
from appliance.store.store import Store

log = logging.getLogger(__name__)

AT_ONCE_S = 0.1  # what takes longer is followed by REST times as much of rest
REST = 20


class OrderFiller(Subscriber):
    """Live: `order` events. Durable: the orders of a call that has ended."""

    name = "orders"

    def __init__(self, store: Store, city: CurrentCity, desk: OrderDesk) -> None:
        self._store, self._city, self._desk = store, city, desk

    def listen(self, call: FollowedCall) -> Listener | None:
        return OrderListener(call, self._city, self._desk)

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        spoken = state is CallState.FINISHED or (state is CallState.FAILED and call.config.live)
        return [Owed("orders")] if spoken and call.record(state).utterances else ()

    async def settle(self, job: Job) -> Sequence[Also]:
        """Made once, though it may be tried again: each matter's order is its call's only one."""
        try:
            record = await self._store.calls.record(job.call_id)
            config = await self._store.calls.config(job.call_id)
        except NotFound:  # deleted meanwhile
            return ()
        if record is None:
            return ()
        channel = config.channel or ("recording" if not config.live else "phone")
        filler = await self._city.learned()
        context = context_of(record.started_at, config)
        for draft in await asyncio.to_thread(filler.fill, said_in(record.utterances), context):
            if is_matter(draft):
                await self._open(draft, record, config, channel)
        return ()

    async def _open(
        self, draft: Draft, record: CallRecord, config: CallConfig, channel: str
    ) -> None:
        try:
            await self._desk.open(
                draft,
                call_id=record.id,
                tenant=config.tenant,
                channel=channel,
                called_at=record.started_at,
            )
        except Conflict:  # it was made before, though perhaps not sent off
            for order in await self._desk.of_call(record.id):
                if order.matter == draft.matter:
                    await self._desk.send_off(order, draft)


class OrderListener:
    """Of one call; tells what has changed."""

    def __init__(self, call: FollowedCall, city: CurrentCity, desk: OrderDesk) -> None:
        self._call, self._city, self._desk = call, city, desk
        self._earlier: list[Json] | None = None
        self._rests_until = 0.0  # monotonic, s
        self._told: dict[int, Json] = {}  # drafts, by matter

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        if not isinstance(told.event, Final):
            return ()
        if time.monotonic() < self._rests_until:
            return ()
        if self._earlier is None:
            self._earlier = await self._of_caller()
        return self._changes(await self._filled(self._city.filler, self._call.record()))

    async def _of_caller(self) -> list[Json]:
        config = self._call.config
        try:
            return await earlier(self._desk, config.caller, config.tenant)
        except LingtingError as error:  # the order fills all the same
            log.warning("what a caller has called about before is not told: %s", error)
            return []

    async def _filled(self, filler: Filler, record: CallRecord) -> Sequence[Draft]:
        """By a thread: a call of hours takes long, and is therefore filled less often."""
        context = context_of(self._call.started_at, self._call.config)
        begun = time.monotonic()
        try:
            return await asyncio.to_thread(lambda: filler.fill(said_in(record.utterances), context))
        finally:  # it may have been given up for taking too long
            now = time.monotonic()
            self._rests_until = now + max(0.0, now - begun - AT_ONCE_S) * REST

    def _changes(self, drafts: Sequence[Draft]) -> list[Lasting]:
        found: list[Lasting] = []
        for draft in drafts:
            now = draft.as_json()
            now.pop("matter")
            if self._earlier:
                now["earlier"] = self._earlier
            before = self._told.get(draft.matter, {"fields": {}})
            if event := changed(draft.matter, before, now):
                found.append(event)
                self._told[draft.matter] = now
        return found

    def leave(self) -> None:
        pass


def changed(matter: int, before: Mapping[str, Json], now: Json) -> OrderFilled | None:
    """What is to be told of it; None: nothing is new."""
    was, fields = before["fields"], now["fields"]
    new = {name: value for name, value in fields.items() if was.get(name) != value}
    gone = dict.fromkeys(was.keys() - fields.keys())
    rest = {name: value for name, value in now.items() if name != "fields"}
    rest = {name: value for name, value in rest.items() if before.get(name) != value}
    if not (new or gone or rest):
        return None
    return OrderFilled(matter, {**new, **gone}, json.loads(json.dumps(rest)))


def context_of(started_at: float, config: CallConfig) -> CallContext:
    written = config.door == WRITTEN
    return CallContext(datetime.fromtimestamp(started_at, UTC), config.caller, written=written)


def is_matter(draft: Draft) -> bool:
    """Whether a citizen has said something that an order can be made of."""
    return OrderField.CONTENT in draft.fields or draft.danger is not None
