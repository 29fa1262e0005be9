"""Work orders: rows to list by, what they say sealed under a key of each, and all that happened."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from appliance.errors import Conflict, NotFound, StoreDamaged, StoreUnavailable
from appliance.messages import EVERY_TENANT
from appliance.store import order_rows as rows
from appliance.store.database import Also, Database, clock
from appliance.store.keys import KeyRing
from appliance.store.order_rows import (
    Decide,
    Order,
    OrderEvent,
    OrderFilter,
    UnitPart,
)
from appliance.store.schema import order_events, order_timers, order_units, orders

log = logging.getLogger(__name__)

ATTEMPTS = 5  # to find a number that no other gateway takes at the same moment


class Orders:
    """Of all hotline systems."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring

    async def add(
        self, order: Order, pattern: str, events: Sequence[OrderEvent], *also: Also
    ) -> Order:
        """A new one; its number is made by `pattern`. Raises Conflict if its call has that matter's
        order already, StoreUnavailable."""
        sealing = await self._ring.make(order.id)
        try:
            for _ in range(ATTEMPTS):
                try:
                    return await self._database.write(
                        lambda c: rows.add(c, sealing, order, pattern, events, also)
                    )
                except IntegrityError:
                    if await self.of_call(order.call_id, order.matter):
                        raise Conflict(
                            "make an order", "the call has one of this matter already"
                        ) from None
            raise StoreUnavailable(
                "make an order", "every number was taken by others", "it is tried again"
            )
        except BaseException:
            await self._ring.shred([order.id])
            raise

    async def get(self, name: str, tenant: str = EVERY_TENANT) -> Order:
        """By id or number; raises NotFound, StoreDamaged."""
        wanted = select(orders).where(or_(orders.c.id == name, orders.c.number == name))
        found = await self._found(wanted.where(*rows.of_tenant(tenant)), damaged=StoreDamaged)
        if not found:
            raise NotFound("find an order", f"there is no order {name!r}")
        return found[0]

    async def of_call(self, call_id: str, matter: int | None = None) -> list[Order]:
        """By matter."""
        wanted = select(orders).where(orders.c.call_id == call_id).order_by(orders.c.matter)
        if matter is not None:
            wanted = wanted.where(orders.c.matter == matter)
        return await self._found(wanted)

    async def page(
        self, wanted: OrderFilter, size: int, after: tuple[float, str] | None = None
    ) -> list[Order]:
        """Newest first; `after` is the (created_at, id) of the page before's last."""
        query = select(orders).where(*rows.conditions(wanted))
        if after:
            at, order_id = after
            same = and_(orders.c.created_at == at, orders.c.id < order_id)
            query = query.where(or_(orders.c.created_at < at, same))
        query = query.order_by(orders.c.created_at.desc(), orders.c.id.desc()).limit(size)
        return await self._found(query)

    async def soonest(self, wanted: OrderFilter, most: int) -> list[Order]:
        """What is due first; what has no deadline last."""
        table = orders.c
        query = select(orders).where(*rows.conditions(wanted))
        due = query.order_by(table.due_at.is_(None), table.due_at, table.created_at.desc())
        return await self._found(due.limit(most))

    async def count(self, wanted: OrderFilter) -> int:
        query = select(func.count()).select_from(orders).where(*rows.conditions(wanted))
        return await self._database.read(lambda c: c.execute(query).scalar_one())

    async def change(self, order_id: str, decide: Decide, version: int | None = None) -> Order:
        """Read it, decide, write, all in one transaction.

        Args:
            version: that the caller has seen; None: whichever.

        Raises:
            NotFound: it is gone.
            Conflict: it was changed since.
        """
        sealing = await self._ring.get(order_id)

        def work(connection: Connection) -> Order:
            order = rows.locked(connection, sealing, order_id)
            if version is not None and version != order.version:
                raise Conflict(
                    "change an order",
                    f"somebody has changed it since: it is version {order.version} now",
                    "read it again, and send its ETag as If-Match",
                )
            change = decide(order, clock(connection))
            rows.write(connection, sealing, order, change)
            return replace(change.order, version=order.version + bool(change.events))

        return await self._database.write(work)

    async def noting(self, order_id: str, event: OrderEvent, unless: Container[str] = ()) -> Also:
        """For another change's transaction: tell of it in this order's history, too.

        There it raises Conflict where the order is in one of the states `unless`.
        """
        sealing = await self._ring.get(order_id)

        def note(connection: Connection) -> None:
            order = rows.locked(connection, sealing, order_id)
            if order.state in unless:
                raise Conflict("merge an order", f"{order.number} is {order.state}", "name another")
            rows.append(connection, sealing, order_id, [event], clock(connection))

        return note

    async def put_off(self, order_id: str, timer: tuple[str, str], seconds: float) -> None:
        """A timer whose order cannot be read now."""
        table = order_timers.c
        unit, kind = timer
        one = (table.order_id == order_id, table.unit == unit, table.kind == kind)

        def work(connection: Connection) -> None:
            due = clock(connection) + seconds
            connection.execute(update(order_timers).where(*one).values(due_at=due))

        await self._database.write(work)

    async def history(self, order_id: str) -> list[OrderEvent]:
        """In order; raises NotFound, StoreDamaged."""
        cipher, key = await self._ring.get(order_id)
        wanted = (
            select(order_events)
            .where(order_events.c.order_id == order_id)
            .order_by(order_events.c.sequence)
        )
        found = await self._database.read(lambda c: c.execute(wanted).all())
        return [rows.event_of(row, (cipher, key)) for row in found]

    async def returned(self) -> dict[tuple[str, str], int]:
        """How often units have sent matters back, by (category, unit)."""
        named = (order_events.c.category, order_events.c.unit)
        wanted = select(*named, func.count()).where(order_events.c.action == "return")
        rows = await self._database.read(lambda c: c.execute(wanted.group_by(*named)).all())
        return {(category, unit): count for category, unit, count in rows}

    async def with_actions(
        self, wanted: OrderFilter, actions: Sequence[str], most: int
    ) -> list[Order]:
        """The newest to which one of these has happened."""
        happened = select(order_events.c.order_id).where(order_events.c.action.in_(actions))
        query = select(orders).where(orders.c.id.in_(happened), *rows.conditions(wanted))
        return await self._found(query.order_by(orders.c.created_at.desc()).limit(most))

    async def due_timers(self, limit: int) -> tuple[float, list[tuple[str, str, str]]]:
        """The database's time, and (order, unit, kind) whose moment has come, the oldest first."""

        def work(connection: Connection) -> tuple[float, list[tuple[str, str, str]]]:
            table, now = order_timers.c, clock(connection)
            wanted = select(table.order_id, table.unit, table.kind)
            due = wanted.where(table.due_at <= now).order_by(table.due_at)
            return now, [tuple(row) for row in connection.execute(due.limit(limit)).all()]

        return await self._database.read(work)

    async def rows(self, wanted: OrderFilter) -> list[Row[Any]]:
        """For statistics: columns alone, nothing is opened."""
        columns = [column for column in orders.c if column is not orders.c.body]
        query = select(*columns).where(*rows.conditions(wanted))
        return list(await self._database.read(lambda c: c.execute(query).all()))

    async def parts(self, wanted: OrderFilter) -> list[Row[Any]]:
        """For statistics: the parts of units in those orders."""
        some = select(orders.c.id).where(*rows.conditions(wanted))
        query = select(order_units).where(order_units.c.order_id.in_(some))
        return list(await self._database.read(lambda c: c.execute(query).all()))

    async def sent_back(self, wanted: OrderFilter) -> list[tuple[str, str]]:
        """For statistics: (order, unit) of those orders that units have returned."""
        some = select(orders.c.id).where(*rows.conditions(wanted))
        table = order_events.c
        query = select(table.order_id, table.unit).where(table.action == "return")
        query = query.where(table.order_id.in_(some))
        found = await self._database.read(lambda c: c.execute(query).all())
        return [(order_id, unit) for order_id, unit in found]

    async def older_than(self, moment: float, limit: int) -> list[str]:
        """Those that were over before `moment`."""
        query = select(orders.c.id).where(orders.c.ended_at < moment).limit(limit)
        return list(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def delete(self, order_ids: Sequence[str]) -> None:
        """Shred them: their keys first."""
        await self._ring.shred(order_ids)
        await self._database.write(
            lambda c: c.execute(delete(orders).where(orders.c.id.in_(order_ids)))
        )

    async def _found(self, wanted: Any, damaged: type[Exception] | tuple[()] = ()) -> list[Order]:
        """What is damaged hides no other; errors of the type `damaged` are raised all the same."""

        def work(connection: Connection) -> tuple[Sequence[Row[Any]], dict[str, list[UnitPart]]]:
            found = connection.execute(wanted).all()
            return found, rows.parts_of(connection, [row.id for row in found])

        found, parts = await self._database.read(work)
        keys = await self._ring.get_many([row.id for row in found])
        opened = (
            _opened(row, keys[row.id], parts.get(row.id, ()), damaged)
            for row in found
            if row.id in keys
        )
        return [order for order in opened if order]


def _opened(
    row: Row[Any],
    sealing: rows.Sealing,
    parts: Sequence[UnitPart],
    damaged: type[Exception] | tuple[()],
) -> Order | None:
    """None: it is damaged."""
    try:
        return rows.order_of(row, sealing, parts, {})
    except damaged:
        raise
    except StoreDamaged as error:
        log.error("order %s cannot be read: %s", row.number, error)
        return None


def new_id() -> str:
    return f"o-{uuid.uuid4().hex}"
