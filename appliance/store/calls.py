"""Calls and their journals."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from appliance.errors import NotFound, StoreDamaged
from appliance.messages import (
    EVERY_TENANT,
    CallConfig,
    CallRecord,
    CallState,
    Emotion,
    Level,
)
from appliance.store import codec
from appliance.store.database import Also, Database
from appliance.store.keys import KeyRing
from appliance.store.schema import calls, events, gateways, idempotency, jobs

log = logging.getLogger(__name__)

T = TypeVar("T")
LEVELS = {level: number for number, level in enumerate(Level, 1)}
OVER = (CallState.FINISHED, CallState.FAILED, CallState.CANCELLED)
ERROR_LENGTH = 500
BEGUN_WITHIN_S = 300.0  # a live call runs, once its row is made


@dataclass(frozen=True, slots=True)
class Summary:
    """A call as lists show it; nothing of what was said."""

    id: str
    name: str
    tenant: str
    door: str
    live: bool
    state: CallState
    gateway: str  # that hears a live one
    created_at: float  # s since 1970
    ended_at: float | None
    duration_ms: int
    peak_emotion: Emotion | None  # the citizen's
    peak_level: Level | None
    error: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls; None where anything goes."""

    state: CallState | None = None
    live: bool | None = None
    name: str | None = None
    since: float | None = None  # s since 1970
    until: float | None = None
    least_level: Level | None = None  # of the citizen's peak
    tenant: str = EVERY_TENANT


@dataclass(frozen=True, slots=True)
class Peak:
    """The citizen's strongest negative mood of a call."""

    emotion: Emotion
    level: Level


class Calls:
    """Everything sealed under each call's own key."""

    def __init__(self, database: Database, ring: KeyRing, gateway: str) -> None:
        """`gateway`: the id of this one."""
        self._database, self._ring, self._gateway = database, ring, gateway

    async def create(
        self, call_id: str, config: CallConfig, state: CallState, *extra: Also, keyed: bool = False
    ) -> None:
        """Make a call's row.

        Args:
            extra: functions of a connection, run in the same transaction.
            keyed: it has its key already.
        """
        cipher, key = await (self._ring.get(call_id) if keyed else self._ring.make(call_id))
        row = {
            "id": call_id,
            "name": config.call_id,
            "tenant": config.tenant,
            "door": config.door,
            "live": config.live,
            "gateway": self._gateway if config.live else "",
            "state": state.value,
            "created_at": time.time(),
            "config": codec.seal(cipher, key, call_id, "config", codec.pack_config(config)),
        }

        def work(connection: Connection) -> None:
            connection.execute(insert(calls).values(row))
            for also in extra:
                also(connection)

        await self._database.write(work)

    async def append(self, call_id: str, sequence: int, event: bytes) -> None:
        """Journal a packed event; it is on the disk when this returns."""
        cipher, key = await self._ring.get(call_id)
        body = codec.seal(cipher, key, call_id, f"event {sequence}", event)
        row = {"call_id": call_id, "sequence": sequence, "at": time.time(), "body": body}
        await self._database.write(lambda c: c.execute(insert(events).values(row)))

    async def journalling(self, call_id: str, told: Sequence[bytes]) -> Also:
        """For `finish`: the whole journal of a call at once, packed."""
        cipher, key = await self._ring.get(call_id)
        rows = [
            {
                "call_id": call_id,
                "sequence": n,
                "at": time.time(),
                "body": codec.seal(cipher, key, call_id, f"event {n}", event),
            }
            for n, event in enumerate(told, 1)
        ]

        def work(connection: Connection) -> None:
            connection.execute(delete(events).where(events.c.call_id == call_id))
            if rows:
                connection.execute(insert(events), rows)

        return work

    async def journal(
        self, call_id: str, unpack: Callable[[bytes], T], after: int, limit: int
    ) -> list[tuple[int, T]]:
        """Events with a sequence number above `after`, in order."""
        cipher, key = await self._ring.get(call_id)
        wanted = (
            select(events.c.sequence, events.c.body)
            .where(events.c.call_id == call_id, events.c.sequence > after)
            .order_by(events.c.sequence)
            .limit(limit)
        )
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        told = []
        for n, body in rows:
            try:
                event = codec.unseal(cipher, key, call_id, f"event {n}", body, unpack)
            except StoreDamaged as error:  # the others are still worth having
                log.error("call %s: %s", call_id, error)
            else:
                told.append((n, event))
        return told

    async def last_sequence(self, call_id: str) -> int:
        """Of its journal; 0 if it is empty."""
        query = select(func.max(events.c.sequence)).where(events.c.call_id == call_id)
        return int(await self._database.read(lambda c: c.execute(query).scalar()) or 0)

    async def set_state(self, call_id: str, state: CallState) -> None:
        """Of a call that is not over; nothing happens to one that is."""
        running = calls.c.state.not_in([over.value for over in OVER])
        change = update(calls).where(calls.c.id == call_id, running).values(state=state.value)
        await self._database.write(lambda c: c.execute(change))

    async def finish(self, record: CallRecord, peak: Peak | None, *extra: Also) -> bool:
        """Store how a call ended, once: False if it had ended already.

        A live call whose end another gateway had to write is ended again by the one that heard it:
        it was not dead, and knows more.

        Args:
            extra: functions of a connection, run in the same transaction; one that raises undoes
                it all.
        """
        cipher, key = await self._ring.get(record.id)
        open_ = calls.c.state.not_in([s.value for s in OVER])
        change = (
            update(calls)
            .where(calls.c.id == record.id, or_(open_, calls.c.ended_for == self._gateway))
            .values(
                state=record.state.value,
                ended_at=time.time(),
                duration_ms=record.duration_ms,
                peak_emotion=peak.emotion.value if peak else "",
                peak_level=LEVELS[peak.level] if peak else 0,
                error=record.error[:ERROR_LENGTH],
                record=codec.seal(cipher, key, record.id, "record", codec.pack_record(record)),
            )
        )
        return await self._database.write(lambda c: _once(c, change, extra))

    async def end(self, call_id: str, state: CallState, error: str, *extra: Also) -> bool:
        """End a call without a record of it; False if it had ended already."""
        change = (
            update(calls)
            .where(calls.c.id == call_id, calls.c.state.not_in([s.value for s in OVER]))
            .values(state=state.value, ended_at=time.time(), error=error[:ERROR_LENGTH])
        )
        return await self._database.write(lambda c: _once(c, change, extra))

    async def fail(self, call_id: str, error: str, *extra: Also) -> bool:
        """End a call that failed before anything was known of it; False if it had ended."""
        return await self.end(call_id, CallState.FAILED, error, *extra)

    async def find(self, name: str, tenant: str = EVERY_TENANT) -> Summary:
        """By the box's id, else the newest call of that caller's id; raises NotFound."""
        wanted = (
            select(calls)
            .where(or_(calls.c.id == name, calls.c.name == name), *_of(tenant))
            .order_by((calls.c.id == name).desc(), calls.c.created_at.desc())
            .limit(1)
        )
        row = await self._database.read(lambda c: c.execute(wanted).first())
        if row is None:
            raise NotFound("find a call", f"there is no call {name!r}")
        return _summary(row)

    async def record(self, call_id: str) -> CallRecord | None:
        """How it ended, if it has."""
        wanted = select(calls.c.record).where(calls.c.id == call_id)
        sealed = await self._database.read(lambda c: c.execute(wanted).scalar())
        if sealed is None:
            return None
        cipher, key = await self._ring.get(call_id)
        return codec.unseal(cipher, key, call_id, "record", sealed, codec.unpack_record)

    async def config(self, call_id: str) -> CallConfig:
        """How it was asked for; raises NotFound, StoreDamaged."""
        wanted = select(calls.c.config).where(calls.c.id == call_id)
        sealed = await self._database.read(lambda c: c.execute(wanted).scalar())
        if sealed is None:
            raise NotFound("find a call", f"there is no call {call_id!r}")
        cipher, key = await self._ring.get(call_id)
        return codec.unseal(cipher, key, call_id, "config", sealed, codec.unpack_config)

    async def page(
        self, wanted: Filter, size: int, after: tuple[float, str] | None = None
    ) -> list[Summary]:
        """Newest first; `after` is the (created_at, id) of the page before's last."""
        query = select(calls).where(*_conditions(wanted))
        if after:
            at, call_id = after
            older = calls.c.created_at < at
            same = and_(calls.c.created_at == at, calls.c.id < call_id)
            query = query.where(or_(older, same))
        query = query.order_by(calls.c.created_at.desc(), calls.c.id.desc()).limit(size)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [_summary(row) for row in rows]

    async def orphans(self, *, own: bool = False) -> list[str]:
        """Live calls that are not over, of gateways that are no more; after a restart our `own`."""
        over, living = [state.value for state in OVER], select(gateways.c.id)
        if own:
            living = living.where(gateways.c.id != self._gateway)
        left = (calls.c.state.not_in(over), calls.c.gateway.not_in(living))
        query = select(calls.c.id).where(calls.c.live, *left)
        return list(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def strays(self, running: Sequence[str]) -> list[str]:
        """Live calls of this gateway that are not over, not among the `running`, nor about to be:
        their beginning was answered by an error, and yet was written."""
        open_ = (calls.c.live, calls.c.state.not_in([state.value for state in OVER]))
        old = calls.c.created_at < time.time() - BEGUN_WITHIN_S
        mine = (calls.c.gateway == self._gateway, calls.c.id.not_in(running))
        query = select(calls.c.id).where(*open_, *mine, old)
        return list(await self._database.read(lambda c: c.execute(query).scalars().all()))

    def ending_for(self, call_id: str) -> Also:
        """For `finish`, of an orphan: should its gateway come back, it may end it again."""
        change = update(calls).where(calls.c.id == call_id).values(ended_for=calls.c.gateway)

        def work(connection: Connection) -> None:
            connection.execute(change)

        return work

    async def older_than(self, moment: float, limit: int) -> list[str]:
        """Calls that ended before `moment`, and of which nothing is left to be told."""
        waiting = select(jobs.c.call_id).where(jobs.c.state.in_(["queued", "running"]))
        told = calls.c.id.not_in(waiting)
        query = select(calls.c.id).where(calls.c.ended_at < moment, told).limit(limit)
        return list(await self._database.read(lambda c: c.execute(query).scalars().all()))

    async def all_over(self) -> bool:
        """Whether nothing runs or waits."""
        query = select(calls.c.id).where(calls.c.state.not_in([s.value for s in OVER])).limit(1)
        return await self._database.read(lambda c: c.execute(query).scalar()) is None

    async def newest(self) -> float | None:
        """When the newest call began, s since 1970; None if there is none."""
        query = select(func.max(calls.c.created_at))
        return await self._database.read(lambda c: c.execute(query).scalar())

    async def count_named(self, name: str, tenant: str = EVERY_TENANT) -> int:
        """Calls that their callers have given that id."""
        query = select(func.count()).where(calls.c.name == name, *_of(tenant))
        return int(await self._database.read(lambda c: c.execute(query).scalar_one()))

    async def count_all(self, wanted: Filter) -> int:
        query = select(func.count()).select_from(calls).where(*_conditions(wanted))
        return int(await self._database.read(lambda c: c.execute(query).scalar_one()))

    async def count(self, state: CallState) -> int:
        return await self.count_all(Filter(state=state))

    async def delete(self, call_ids: Sequence[str]) -> None:
        """The key first: from then on nothing of the call can be read, whatever happens."""
        await self._ring.shred(call_ids)

        def work(connection: Connection) -> None:
            connection.execute(delete(events).where(events.c.call_id.in_(call_ids)))
            connection.execute(delete(jobs).where(jobs.c.call_id.in_(call_ids)))
            connection.execute(delete(idempotency).where(idempotency.c.call_id.in_(call_ids)))
            connection.execute(delete(calls).where(calls.c.id.in_(call_ids)))

        await self._database.write(work)


def _once(connection: Connection, change: Update, extra: Sequence[Also]) -> bool:
    """`change` and what goes with it, unless it changes nothing."""
    if not connection.execute(change).rowcount:
        return False
    for also in extra:
        also(connection)
    return True


def _of(tenant: str) -> list[ColumnElement[bool]]:
    """Only that tenant's calls."""
    return [] if tenant == EVERY_TENANT else [calls.c.tenant == tenant]


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found = _of(wanted.tenant)
    if wanted.state:
        found.append(calls.c.state == wanted.state.value)
    if wanted.live is not None:
        found.append(calls.c.live == wanted.live)
    if wanted.name is not None:
        found.append(calls.c.name == wanted.name)
    if wanted.since is not None:
        found.append(calls.c.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(calls.c.created_at < wanted.until)
    if wanted.least_level:
        found.append(calls.c.peak_level >= LEVELS[wanted.least_level])
    return found


def _summary(row: Row[tuple[object, ...]]) -> Summary:
    fields = row._mapping
    levels = {number: level for level, number in LEVELS.items()}
    return Summary(
        id=fields["id"],
        name=fields["name"],
        tenant=fields["tenant"],
        door=fields["door"],
        live=fields["live"],
        state=CallState(fields["state"]),
        gateway=fields["gateway"],
        created_at=fields["created_at"],
        ended_at=fields["ended_at"],
        duration_ms=fields["duration_ms"],
        peak_emotion=Emotion(fields["peak_emotion"]) if fields["peak_emotion"] else None,
        peak_level=levels.get(fields["peak_level"]),
        error=fields["error"],
    )
