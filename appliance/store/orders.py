"""Work orders: rows to list by, what they say sealed under a key of each, and all that happened."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from appliance.errors import Conflict, NotFound
from appliance.messages import EVERY_TENANT
from appliance.security.ciphers import Cipher
from appliance.store import codec
from appliance.store.database import Also, Database, clock
from appliance.store.keys import KeyRing
from appliance.store.schema import order_events, order_timers, order_units, orders

Json = dict[str, Any]
Sealing = tuple[Cipher, bytes]
CHINA = timedelta(hours=8)  # numbers begin with the local date
ATTEMPTS = 5  # to find a number that no other gateway takes at the same moment


@dataclass(frozen=True, slots=True)
class UnitPart:
    """One unit's part in an order. Times are s since 1970."""

    unit: str
    main: bool
    state: str
    given_at: float
    sign_by: float
    due_at: float
    signed_at: float | None = None
    ended_at: float | None = None
    asked_days: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is kept.

    Attributes:
        version: counts its changes.
        phone: the keyed hash by which a caller's orders are found.
        body: what it says, JSON.
        timers: when something is to be done, by (unit, kind).
    """

    id: str
    number: str
    tenant: str
    call_id: str
    matter: int
    channel: str
    state: str
    version: int
    pack: str
    category: str
    division: str
    appeal: str
    tier: str
    unit: str
    created_at: float
    changed_at: float
    due_at: float | None = None
    ended_at: float | None = None
    merged_into: str = ""
    phone: str = ""
    solved: bool | None = None
    satisfaction: int | None = None
    returns: int = 0
    body: Json = field(default_factory=dict)
    units: tuple[UnitPart, ...] = ()
    timers: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something that happened to an order."""

    action: str
    who: str
    actor: str
    state: str  # afterwards
    unit: str = ""
    category: str = ""
    body: Json = field(default_factory=dict)
    at: float = 0.0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What an order becomes, and what is told of it in the same transaction."""

    order: Order
    events: tuple[OrderEvent, ...] = ()
    also: tuple[Also, ...] = ()


Decide = Callable[[Order, float], Change]  # of an order as it is, and the time, s since 1970

KEPT_APART = ("body", "units", "timers")
COLUMNS = [each.name for each in fields(Order) if each.name not in KEPT_APART]


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders; None where anything goes."""

    states: tuple[str, ...] | None = None
    unit: str | None = None  # main or helping
    category: str | None = None  # or its head
    division: str | None = None  # or its head, without zeros
    channel: str | None = None
    phone: str | None = None  # a keyed hash
    call_id: str | None = None
    since: float | None = None
    until: float | None = None
    due_before: float | None = None
    tenant: str = EVERY_TENANT


class Orders:
    """Of all hotline systems."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring

    async def add(
        self, order: Order, pattern: str, events: Sequence[OrderEvent], *also: Also
    ) -> Order:
        """A new one; its number is made by `pattern`. Raises Conflict if its call has that matter's
        order already."""
        sealing = await self._ring.make(order.id)
        try:
            for _ in range(ATTEMPTS):
                try:
                    return await self._database.write(
                        lambda c: _add(c, sealing, order, pattern, events, also)
                    )
                except IntegrityError:
                    if await self.of_call(order.call_id, order.matter):
                        break
        except BaseException:
            await self._ring.shred([order.id])
            raise
        await self._ring.shred([order.id])
        raise Conflict("make an order", "the call has one of this matter already")

    async def get(self, name: str, tenant: str = EVERY_TENANT) -> Order:
        """By id or number; raises NotFound."""
        wanted = select(orders).where(or_(orders.c.id == name, orders.c.number == name))
        found = await self._found(wanted.where(*_of(tenant)))
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
        query = select(orders).where(*_conditions(wanted))
        if after:
            at, order_id = after
            same = and_(orders.c.created_at == at, orders.c.id < order_id)
            query = query.where(or_(orders.c.created_at < at, same))
        query = query.order_by(orders.c.created_at.desc(), orders.c.id.desc()).limit(size)
        return await self._found(query)

    async def soonest(self, wanted: OrderFilter, most: int) -> list[Order]:
        """What is due first; what has no deadline last."""
        table = orders.c
        query = select(orders).where(*_conditions(wanted))
        due = query.order_by(table.due_at.is_(None), table.due_at, table.created_at.desc())
        return await self._found(due.limit(most))

    async def count(self, wanted: OrderFilter) -> int:
        query = select(func.count()).select_from(orders).where(*_conditions(wanted))
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
            order = _locked(connection, sealing, order_id)
            if version is not None and version != order.version:
                raise Conflict(
                    "change an order",
                    f"somebody has changed it since: it is version {order.version} now",
                    "read it again, and send its ETag as If-Match",
                )
            change = decide(order, clock(connection))
            _write(connection, sealing, order, change)
            return replace(change.order, version=order.version + bool(change.events))

        return await self._database.write(work)

    async def noting(self, order_id: str, event: OrderEvent) -> Also:
        """For another change's transaction: tell of it in this order's history, too."""
        sealing = await self._ring.get(order_id)
        return lambda connection: _append(connection, sealing, order_id, [event], clock(connection))

    async def history(self, order_id: str) -> list[OrderEvent]:
        """In order; raises NotFound, StoreDamaged."""
        cipher, key = await self._ring.get(order_id)
        wanted = (
            select(order_events)
            .where(order_events.c.order_id == order_id)
            .order_by(order_events.c.sequence)
        )
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        return [_event(row, (cipher, key)) for row in rows]

    async def returned(self) -> dict[tuple[str, str], int]:
        """How often units have sent matters back, by (category, unit)."""
        named = (order_events.c.category, order_events.c.unit)
        wanted = select(*named, func.count()).where(order_events.c.action == "return")
        rows = await self._database.read(lambda c: c.execute(wanted.group_by(*named)).all())
        return {(category, unit): count for category, unit, count in rows}

    async def corrected(self, wanted: OrderFilter, field: str) -> list[Order]:
        """Those in which somebody has corrected that field."""
        changed = select(order_events.c.order_id).where(order_events.c.action == "corrected")
        found = await self._found(
            select(orders).where(orders.c.id.in_(changed), *_conditions(wanted))
        )
        return [each for each in found if "corrected_by" in each.body["fields"].get(field, {})]

    async def due_timers(self, limit: int) -> list[tuple[str, str, str]]:
        """(order, unit, kind) whose moment has come, the oldest first."""

        def work(connection: Connection) -> list[tuple[str, str, str]]:
            table = order_timers.c
            wanted = select(table.order_id, table.unit, table.kind)
            due = wanted.where(table.due_at <= clock(connection)).order_by(table.due_at)
            return [tuple(row) for row in connection.execute(due.limit(limit)).all()]

        return await self._database.read(work)

    async def rows(self, wanted: OrderFilter) -> list[Row[Any]]:
        """For statistics: columns alone, nothing is opened."""
        query = select(orders).where(*_conditions(wanted))
        return list(await self._database.read(lambda c: c.execute(query).all()))

    async def parts(self, since: float, until: float) -> list[Row[Any]]:
        """For statistics: the parts of units in orders made between those times."""
        made = and_(orders.c.created_at >= since, orders.c.created_at < until)
        query = select(order_units).join(orders, orders.c.id == order_units.c.order_id).where(made)
        return list(await self._database.read(lambda c: c.execute(query).all()))

    async def delete(self, order_id: str) -> None:
        """Shred it: its key first."""
        await self._ring.shred([order_id])
        await self._database.write(
            lambda c: c.execute(delete(orders).where(orders.c.id == order_id))
        )

    async def _found(self, wanted: Any) -> list[Order]:
        def work(connection: Connection) -> tuple[Sequence[Row[Any]], dict[str, list[UnitPart]]]:
            rows = connection.execute(wanted).all()
            return rows, _parts(connection, [row.id for row in rows])

        rows, parts = await self._database.read(work)
        keys = await self._ring.get_many([row.id for row in rows])
        return [
            _order(row, keys[row.id], parts.get(row.id, ()), {}) for row in rows if row.id in keys
        ]


def new_id() -> str:
    return f"o-{uuid.uuid4().hex}"


def _of(tenant: str) -> tuple[ColumnElement[bool], ...]:
    return () if tenant == EVERY_TENANT else (orders.c.tenant == tenant,)


def _conditions(wanted: OrderFilter) -> list[ColumnElement[bool]]:
    table = orders.c
    found: list[ColumnElement[bool] | None] = [
        table.state.in_(wanted.states) if wanted.states is not None else None,
        table.category.startswith(wanted.category, autoescape=True) if wanted.category else None,
        table.division.startswith(wanted.division, autoescape=True) if wanted.division else None,
        table.channel == wanted.channel if wanted.channel else None,
        table.phone == wanted.phone if wanted.phone is not None else None,
        table.call_id == wanted.call_id if wanted.call_id else None,
        table.created_at >= wanted.since if wanted.since is not None else None,
        table.created_at < wanted.until if wanted.until is not None else None,
        table.due_at < wanted.due_before if wanted.due_before is not None else None,
    ]
    if wanted.unit is not None:
        mine = select(order_units.c.order_id).where(order_units.c.unit == wanted.unit)
        found.append(table.id.in_(mine))
    return [each for each in found if each is not None] + list(_of(wanted.tenant))


def _add(
    connection: Connection,
    sealing: Sealing,
    order: Order,
    pattern: str,
    events: Sequence[OrderEvent],
    also: Iterable[Also],
) -> Order:
    now = clock(connection)
    number = _number(connection, pattern, now)
    made = replace(order, number=number, version=1, created_at=now, changed_at=now)
    values = {**_columns(made), "body": _sealed(sealing, made.id, "body", made.body)}
    connection.execute(insert(orders).values(values))
    _write_parts(connection, made)
    _append(connection, sealing, made.id, events, now)
    for each in also:
        each(connection)
    return made


def _number(connection: Connection, pattern: str, now: float) -> str:
    date = (datetime.fromtimestamp(now, UTC) + CHINA).strftime("%Y%m%d")
    head = pattern.split("{serial", 1)[0].format(date=date)
    like = orders.c.number.startswith(head, autoescape=True)
    last = connection.execute(select(func.max(orders.c.number)).where(like)).scalar()
    digits = (last or "")[len(head) :]
    return pattern.format(date=date, serial=int(digits) + 1 if digits.isdecimal() else 1)


def _locked(connection: Connection, sealing: Sealing, order_id: str) -> Order:
    wanted = select(orders).where(orders.c.id == order_id).with_for_update()
    row = connection.execute(wanted).first()
    if row is None:
        raise NotFound("find an order", "it is gone")
    table = order_timers.c
    timers = connection.execute(select(order_timers).where(table.order_id == order_id)).all()
    due = {(timer.unit, timer.kind): timer.due_at for timer in timers}
    return _order(row, sealing, _parts(connection, [order_id]).get(order_id, ()), due)


def _write(connection: Connection, sealing: Sealing, was: Order, change: Change) -> None:
    now = clock(connection)
    if change.events:
        order = replace(change.order, version=was.version + 1, changed_at=now)
        values = {**_columns(order), "body": _sealed(sealing, order.id, "body", order.body)}
        connection.execute(update(orders).where(orders.c.id == order.id).values(values))
    if (change.order.units, change.order.timers) != (was.units, was.timers):
        _write_parts(connection, change.order)
    _append(connection, sealing, was.id, change.events, now)
    for each in change.also:
        each(connection)


def _write_parts(connection: Connection, order: Order) -> None:
    for table in (order_units, order_timers):
        connection.execute(delete(table).where(table.c.order_id == order.id))
    units = [{"order_id": order.id, **asdict(part)} for part in order.units]
    timers = [
        {"order_id": order.id, "unit": unit, "kind": kind, "due_at": at}
        for (unit, kind), at in order.timers.items()
    ]
    if units:
        connection.execute(insert(order_units), units)
    if timers:
        connection.execute(insert(order_timers), timers)


def _append(
    connection: Connection,
    sealing: Sealing,
    order_id: str,
    events: Iterable[OrderEvent],
    now: float,
) -> None:
    mine = order_events.c.order_id == order_id
    last = connection.execute(select(func.max(order_events.c.sequence)).where(mine)).scalar() or 0
    for sequence, event in enumerate(events, last + 1):
        values = {
            **asdict(event),
            "order_id": order_id,
            "sequence": sequence,
            "at": now,
            "body": _sealed(sealing, order_id, f"event {sequence}", event.body),
        }
        connection.execute(insert(order_events).values(values))


def _columns(order: Order) -> Json:
    return {name: getattr(order, name) for name in COLUMNS}


def _parts(connection: Connection, ids: Sequence[str]) -> dict[str, list[UnitPart]]:
    wanted = select(order_units).where(order_units.c.order_id.in_(ids))
    found: dict[str, list[UnitPart]] = {}
    for row in connection.execute(wanted.order_by(order_units.c.main.desc(), order_units.c.unit)):
        values = dict(row._mapping)
        found.setdefault(values.pop("order_id"), []).append(UnitPart(**values))
    return found


def _order(
    row: Row[Any],
    sealing: Sealing,
    parts: Iterable[UnitPart],
    timers: Mapping[tuple[str, str], float],
) -> Order:
    body = codec.unseal(*sealing, row.id, "body", row.body, json.loads)
    columns = {name: row._mapping[name] for name in COLUMNS}
    return Order(**columns, body=body, units=tuple(parts), timers=timers)


def _event(row: Row[Any], sealing: Sealing) -> OrderEvent:
    what = f"event {row.sequence}"
    body = codec.unseal(*sealing, row.order_id, what, row.body, json.loads)
    values = dict(row._mapping)
    values.pop("order_id")
    return OrderEvent(**{**values, "body": body})


def _sealed(sealing: Sealing, order_id: str, what: str, body: Json) -> bytes:
    return codec.seal(*sealing, order_id, what, json.dumps(body, ensure_ascii=False).encode())
