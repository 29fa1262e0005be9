"""Early warnings at rest: which orders belong to one, and where it stands. No citizen's word is
kept here; what a warning says is read from its orders, and goes with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from appliance.errors import NotFound
from appliance.messages import EVERY_TENANT
from appliance.security.ciphers import Cipher
from appliance.store import codec
from appliance.store.database import Also, Database, clock
from appliance.store.keys import KeyRing
from appliance.store.schema import (
    orders,
    warning_events,
    warning_members,
    warning_mutes,
    warnings,
)


@dataclass(frozen=True, slots=True)
class KeptWarning:
    """One. Times are s since 1970.

    Attributes:
        kind: burst, or emergency.
        category: or its head; empty: any.
        place: or one above; empty: any.
        surprise: nats.
    """

    id: str
    tenant: str
    kind: str
    state: str
    category: str
    place: str
    begun_at: float
    told_at: float
    last_at: float
    voices: int
    contacts: int
    expected: float
    surprise: float
    name: str = ""  # of the danger, as the city pack has it
    call_id: str = ""  # of an emergency


@dataclass(frozen=True, slots=True)
class WarningEvent:
    """What somebody, or the box, made of a warning; the reason is sealed."""

    action: str
    who: str
    state: str  # afterwards
    reason: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Mute:
    """Nothing is told of a cell until then."""

    id: int
    tenant: str
    category: str
    place: str
    until: float
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class PutWarning:
    """What putting one has come to."""

    new: bool
    grown_since: bool  # it was over, and as many more, or MANY_MORE, have told of it since


# What becomes of one, and who is told; it may raise.
DecideWarning = Callable[[KeptWarning], tuple[str, Sequence[Also]]]
OVER = ("closed", "false")
MANY_MORE = 20  # people, who make one that is over new again, however large it was
SKEW_S = 60.0  # of clocks; what is of a later time was made while one was wrong
COLUMNS = [each.name for each in fields(KeptWarning)]
TOLD = ("id", "tenant", "created_at", "called_at", "category", "division", "phone")  # of orders
PLACED = ("id", "created_at", "called_at", "category", "division", "phone", "unit", "state")
SETTLED = ("state", "begun_at", "told_at", "kind", "tenant", "id")  # never changed by what grows


class Warnings:
    """Raise StoreUnavailable."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring

    async def put(
        self, made: KeptWarning, members: Iterable[str], also: Iterable[Also] = ()
    ) -> PutWarning:
        """Add it, or what it has grown by; where it is new `also` is done with it. One that is over
        stays as it was then, with more members."""
        held = list(dict.fromkeys(members))

        def work(connection: Connection) -> PutWarning:
            mine = warnings.c.id == made.id
            values = {name: getattr(made, name) for name in COLUMNS}
            before = connection.execute(select(warnings).where(mine)).first()
            new = before is None
            over = before is not None and before.state in OVER
            if new:
                connection.execute(insert(warnings).values(values))
            elif not over:
                grown = {name: values[name] for name in COLUMNS if name not in SETTLED}
                connection.execute(update(warnings).where(mine).values(grown))
            of = warning_members.c.warning_id == made.id
            known = set(connection.scalars(select(warning_members.c.order_id).where(of)))
            rows = [{"warning_id": made.id, "order_id": each} for each in held if each not in known]
            if rows:
                connection.execute(insert(warning_members), rows)
            for each in also if new else ():
                each(connection)
            voices = int(before.voices) if before is not None else 0
            return PutWarning(new, over and made.voices >= voices + min(voices, MANY_MORE))

        try:
            return await self._database.write(work)
        except IntegrityError:  # another gateway was first
            return await self._database.write(work)

    async def get(self, warning_id: str, tenant: str = EVERY_TENANT) -> KeptWarning:
        """Raises NotFound."""
        wanted = select(warnings).where(warnings.c.id == warning_id, *_of(tenant))
        row = await self._database.read(lambda c: c.execute(wanted).first())
        if row is None:
            raise NotFound("find a warning", f"there is no warning {warning_id!r}")
        return _warning(row)

    async def newest(
        self, tenant: str, states: Sequence[str] = (), since: float = 0.0, most: int = 200
    ) -> list[KeptWarning]:
        """By when something was last told of them, the newest first."""
        some = (warnings.c.state.in_(states),) if states else ()
        wanted = select(warnings).where(*_of(tenant), *some, warnings.c.last_at >= since)
        wanted = wanted.order_by(warnings.c.last_at.desc(), warnings.c.id).limit(most)
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        return [_warning(row) for row in rows]

    async def urgent(
        self, tenant: str, states: Sequence[str], most: int, kind: str = ""
    ) -> list[KeptWarning]:
        """Emergencies that nobody has seen first, then bursts, the most surprising first, then
        other emergencies; what is over comes last, the newest first."""
        table = warnings.c
        some: list[ColumnElement[bool]] = [table.state.in_(states)] if states else []
        some += [table.kind == kind] if kind else []
        is_open = table.state.in_(("new", "acknowledged", "watching"))
        unseen = and_(table.kind == "emergency", table.state == "new")
        burst = and_(table.kind == "burst", is_open)
        rank = case((unseen, 0), (burst, 1), (is_open, 2), else_=3)
        wanted = select(warnings).where(*_of(tenant), *some)
        surprise = case((burst, table.surprise), else_=0.0)
        wanted = wanted.order_by(rank, surprise.desc(), table.told_at.desc(), table.id)
        rows = await self._database.read(lambda c: c.execute(wanted.limit(most)).all())
        return [_warning(row) for row in rows]

    async def quiet(self, states: Sequence[str], before: float, most: int) -> list[KeptWarning]:
        """Bursts in those states of which nothing was told since then."""
        table = warnings.c
        held = (table.state.in_(states), table.kind == "burst", table.last_at < before)
        wanted = select(warnings).where(*held).order_by(table.last_at).limit(most)
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        return [_warning(row) for row in rows]

    async def oldest_unseen(self) -> float | None:
        """When the oldest that nobody has acknowledged was told."""
        wanted = select(func.min(warnings.c.told_at)).where(warnings.c.state == "new")
        found: float | None = await self._database.read(lambda c: c.scalar(wanted))
        return found

    async def count_open(self, states: Sequence[str]) -> dict[str, int]:
        """By state."""
        wanted = select(warnings.c.state, func.count()).where(warnings.c.state.in_(states))
        rows = await self._database.read(lambda c: c.execute(wanted.group_by("state")).all())
        return {row.state: row[1] for row in rows}

    async def members(self, warning_id: str) -> list[str]:
        """Ids of orders."""
        of = warning_members.c.warning_id == warning_id
        wanted = select(warning_members.c.order_id).where(of)
        return list(await self._database.read(lambda c: c.scalars(wanted).all()))

    async def change(
        self, warning_id: str, event: WarningEvent, decide: DecideWarning, mute: Mute | None = None
    ) -> None:
        """Its state, with what was done, in one transaction; `told_at` is now where it is new
        again. Raises NotFound."""
        cipher, key = await self._key(warning_id)

        def work(connection: Connection) -> None:
            mine = warnings.c.id == warning_id
            row = connection.execute(select(warnings).where(mine)).first()
            if row is None:
                raise NotFound("change a warning", f"there is no warning {warning_id!r}")
            state, also = decide(_warning(row))
            again = {"told_at": clock(connection)} if state == "new" else {}
            connection.execute(update(warnings).where(mine).values(state=state, **again))
            of = warning_events.c.warning_id == warning_id
            sequence = int(connection.scalar(select(func.count()).where(of)) or 0)
            reason = json.dumps({"reason": event.reason}, ensure_ascii=False).encode()
            values = {
                "warning_id": warning_id,
                "sequence": sequence,
                "at": event.at or clock(connection),
                "who": event.who[:64],
                "action": event.action,
                "state": state,
                "body": codec.seal(cipher, key, warning_id, f"event {sequence}", reason),
            }
            connection.execute(insert(warning_events).values(values))
            if mute:
                muted = {name: getattr(mute, name) for name in MUTED}
                connection.execute(insert(warning_mutes).values(muted))
            for each in also:
                each(connection)

        await self._database.write(work)

    async def _key(self, warning_id: str) -> tuple[Cipher, bytes]:
        try:
            return await self._ring.get(warning_id)
        except NotFound:
            try:
                return await self._ring.make(warning_id)
            except IntegrityError:  # by another gateway, meanwhile
                return await self._ring.get(warning_id)

    async def history(self, warning_id: str) -> list[WarningEvent]:
        """The first first."""
        table = warning_events
        wanted = select(table).where(table.c.warning_id == warning_id).order_by(table.c.sequence)
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        if not rows:
            return []
        cipher, key = await self._ring.get(warning_id)
        found = []
        for row in rows:
            what = f"event {row.sequence}"
            told = codec.unseal(cipher, key, warning_id, what, row.body, json.loads)
            found.append(WarningEvent(row.action, row.who, row.state, told["reason"], row.at))
        return found

    async def mutes(self, tenant: str = EVERY_TENANT) -> list[Mute]:
        """Those that hold."""
        whose = () if tenant == EVERY_TENANT else (warning_mutes.c.tenant == tenant,)

        def work(connection: Connection) -> Sequence[Row[Any]]:
            holds = warning_mutes.c.until > clock(connection)
            return connection.execute(select(warning_mutes).where(holds, *whose)).all()

        return [Mute(**row._mapping) for row in await self._database.read(work)]

    async def unmute(self, mute_id: int, tenant: str) -> None:
        """Raises NotFound."""
        whose = () if tenant == EVERY_TENANT else (warning_mutes.c.tenant == tenant,)
        gone = delete(warning_mutes).where(warning_mutes.c.id == mute_id, *whose)
        if not await self._database.write(lambda c: c.execute(gone).rowcount):
            raise NotFound("unmute a cell", f"there is no mute {mute_id}")

    async def told_of(
        self, since: float, after: tuple[float, str] | None, most: int
    ) -> list[Row[Any]]:
        """Orders as contacts, in the order in which they were made here."""
        at, order_id = after or (since, "")
        table, now = orders.c, time.time()
        later = or_(table.created_at > at, and_(table.created_at == at, table.id > order_id))
        wanted = select(*(table[name] for name in TOLD)).where(later)
        wanted = wanted.where(table.created_at <= now + SKEW_S)
        wanted = wanted.order_by(table.created_at, table.id).limit(most)
        return list(await self._database.read(lambda c: c.execute(wanted).all()))

    async def called(self, tenant: str, since: float, most: int) -> list[Row[Any]]:
        """The newest orders of calls since then, by time."""
        table = orders.c
        whose = () if tenant == EVERY_TENANT else (table.tenant == tenant,)
        wanted = select(*(table[name] for name in TOLD)).where(table.called_at > since, *whose)
        wanted = wanted.order_by(table.called_at.desc(), table.id).limit(most)
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        return list(reversed(rows))

    async def places(self, order_ids: Sequence[str]) -> list[Row[Any]]:
        """Of orders, nothing is opened: what is counted by."""
        table = orders.c
        wanted = select(*(table[name] for name in PLACED))
        wanted = wanted.where(table.id.in_(order_ids)).order_by(table.called_at)
        return list(await self._database.read(lambda c: c.execute(wanted).all()))

    async def delete_older(self, moment: float, most: int) -> int:
        """Those of which nothing was told since; how many."""
        old = select(warnings.c.id).where(warnings.c.last_at < moment).limit(most)
        ids = list(await self._database.read(lambda c: c.scalars(old).all()))
        if ids:
            await self._ring.shred(ids)
            gone = delete(warnings).where(warnings.c.id.in_(ids))
            await self._database.write(lambda c: c.execute(gone))
        return len(ids)


MUTED = ("tenant", "category", "place", "until", "who", "reason")


def _of(tenant: str) -> tuple[Any, ...]:
    return () if tenant == EVERY_TENANT else (warnings.c.tenant == tenant,)


def _warning(row: Row[Any]) -> KeptWarning:
    return KeptWarning(**{name: row._mapping[name] for name in COLUMNS})
