"""Orders as rows: what is kept of each, how it is sealed, written and read in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from appliance.errors import NotFound
from appliance.messages import EVERY_TENANT
from appliance.security.ciphers import Cipher
from appliance.store import codec
from appliance.store.database import Also, clock
from appliance.store.schema import order_events, order_timers, order_units, orders

Json = dict[str, Any]
Sealing = tuple[Cipher, bytes]
CHINA = timedelta(hours=8)  # numbers begin with the local date


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
        called_at: when the citizen called, whenever it was heard of here; s since 1970.
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
    called_at: float = 0.0
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

    ids: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    unit: str | None = None  # main or helping
    category: str | None = None  # or its head
    categories: tuple[str, ...] | None = None  # one of these
    division: str | None = None  # or its head, without zeros
    channel: str | None = None
    phone: str | None = None  # a keyed hash
    call_id: str | None = None
    since: float | None = None
    until: float | None = None
    due_before: float | None = None
    tenant: str = EVERY_TENANT


def of_tenant(tenant: str) -> tuple[ColumnElement[bool], ...]:
    return () if tenant == EVERY_TENANT else (orders.c.tenant == tenant,)


def conditions(wanted: OrderFilter) -> list[ColumnElement[bool]]:
    table = orders.c
    found: list[ColumnElement[bool] | None] = [
        table.id.in_(wanted.ids) if wanted.ids is not None else None,
        table.state.in_(wanted.states) if wanted.states is not None else None,
        table.category.startswith(wanted.category, autoescape=True) if wanted.category else None,
        table.category.in_(wanted.categories) if wanted.categories else None,
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
    return [each for each in found if each is not None] + list(of_tenant(wanted.tenant))


def add(
    connection: Connection,
    sealing: Sealing,
    order: Order,
    pattern: str,
    events: Sequence[OrderEvent],
    also: Iterable[Also],
) -> Order:
    now = clock(connection)
    number = _number(connection, pattern, now)
    called = order.called_at or now
    made = replace(
        order, number=number, version=1, created_at=now, changed_at=now, called_at=called
    )
    values = {**_columns(made), "body": _sealed(sealing, made.id, "body", made.body)}
    connection.execute(insert(orders).values(values))
    _write_parts(connection, made)
    append(connection, sealing, made.id, events, now)
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


def locked(connection: Connection, sealing: Sealing, order_id: str) -> Order:
    wanted = select(orders).where(orders.c.id == order_id).with_for_update()
    row = connection.execute(wanted).first()
    if row is None:
        raise NotFound("find an order", "it is gone")
    table = order_timers.c
    timers = connection.execute(select(order_timers).where(table.order_id == order_id)).all()
    due = {(timer.unit, timer.kind): timer.due_at for timer in timers}
    return order_of(row, sealing, parts_of(connection, [order_id]).get(order_id, ()), due)


def write(connection: Connection, sealing: Sealing, was: Order, change: Change) -> None:
    now = clock(connection)
    if change.events:
        order = replace(change.order, version=was.version + 1, changed_at=now)
        values = {**_columns(order), "body": _sealed(sealing, order.id, "body", order.body)}
        connection.execute(update(orders).where(orders.c.id == order.id).values(values))
    if (change.order.units, change.order.timers) != (was.units, was.timers):
        _write_parts(connection, change.order)
    append(connection, sealing, was.id, change.events, now)
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


def append(
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


def parts_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[UnitPart]]:
    wanted = select(order_units).where(order_units.c.order_id.in_(ids))
    found: dict[str, list[UnitPart]] = {}
    for row in connection.execute(wanted.order_by(order_units.c.main.desc(), order_units.c.unit)):
        values = dict(row._mapping)
        found.setdefault(values.pop("order_id"), []).append(UnitPart(**values))
    return found


def order_of(
    row: Row[Any],
    sealing: Sealing,
    parts: Iterable[UnitPart],
    timers: Mapping[tuple[str, str], float],
) -> Order:
    body = codec.unseal(*sealing, row.id, "body", row.body, json.loads)
    columns = {name: row._mapping[name] for name in COLUMNS}
    return Order(**columns, body=body, units=tuple(parts), timers=timers)


def event_of(row: Row[Any], sealing: Sealing) -> OrderEvent:
    what = f"event {row.sequence}"
    body = codec.unseal(*sealing, row.order_id, what, row.body, json.loads)
    values = dict(row._mapping)
    values.pop("order_id")
    return OrderEvent(**{**values, "body": body})


def _sealed(sealing: Sealing, order_id: str, what: str, body: Json) -> bytes:
    return codec.seal(*sealing, order_id, what, json.dumps(body, ensure_ascii=False).encode())
