"""Durable work: each job reaches exactly one end, whoever is killed meanwhile.

A job is leased to one gateway at a time. One that dies leaves a lease that runs out, or that is
ended by another that sees it dead; then the job is taken again, and whoever takes it sees how often
it was. All times are the database's: gateways' clocks may differ. What a runner wants to store, it
stores in the transaction that ends its job: if the lease was lost, nothing is stored.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from appliance.errors import Conflict
from appliance.news import News
from appliance.store.database import Database, clock
from appliance.store.schema import calls, gateways, jobs

LEASE_S = 30.0
MOST_ATTEMPTS = 5
SKEW_S = 1.0  # that a clock may be set back without a sign
BACK_OFF_S = (1.0, 600.0)  # after the first failure, and at most
ERROR_LENGTH = 500


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    DEAD = "dead"  # failed for good; shown to the operator


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work, as its runner sees it."""

    id: str
    kind: str
    call_id: str
    payload: bytes
    state: JobState
    priority: int
    attempts: int  # this one included
    progress: float
    created_at: float
    due_at: float
    error: str
    owner: str = ""


class LeaseLost(Conflict):
    """Another runner has the job now, or it was cancelled."""


class Jobs:
    """The queue of the box."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.owner = uuid.uuid4().hex  # of leases; the gateway's id, once it is known
        self.news = News()  # told by whoever has queued a job: a runner need not wait for its poll

    async def add(self, kind: str, **fields: Any) -> str:
        """Queue a job by itself; see `new`."""
        job_id, work = new(kind, **fields)
        await self._database.write(work)
        return job_id

    async def take(self, kinds: Sequence[str], *, fair: bool = False) -> Job | None:
        """The most urgent job that is due, leased to us; None if there is none.

        Args:
            fair: among those as urgent, one of the hotline system of which the fewest are worked
                on; it takes longer, the more are due.
        """

        def work(connection: Connection) -> Job | None:
            now = clock(connection)
            # What was made in the future was made before the clock was set back.
            ripe = or_(jobs.c.due_at <= now, jobs.c.created_at > now + SKEW_S)
            due = and_(jobs.c.state == JobState.QUEUED.value, ripe)
            orphaned = and_(jobs.c.state == JobState.RUNNING.value, _is_orphaned(now))
            wanted = select(jobs)
            order: list[ColumnElement[Any]] = [jobs.c.priority, jobs.c.due_at, jobs.c.id]
            if fair and (under_way := _under_way(connection, kinds, now)) is not None:
                wanted = wanted.outerjoin(calls, calls.c.id == jobs.c.call_id)
                order.insert(1, under_way)
            wanted = (
                wanted.where(jobs.c.kind.in_(kinds), or_(due, orphaned))
                .order_by(*order)
                .limit(1)
                .with_for_update(skip_locked=True, of=jobs)
            )
            row = connection.execute(wanted).first()
            if row is None:
                return None
            change = {
                "state": JobState.RUNNING.value,
                "lease_owner": self.owner,
                "lease_until": now + LEASE_S,
                "attempts": row.attempts + 1,
                "created_at": min(row.created_at, now),
            }
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(change))
            return _job({**row._mapping, **change})

        return await self._database.write(work)

    async def renew(self, job: Job, progress: float) -> None:
        """Keep the lease; raises LeaseLost."""

        def work(connection: Connection) -> None:
            change = {"lease_until": clock(connection) + LEASE_S, "progress": progress}
            self._mine(connection, job, change)

        await self._database.write(work)

    def ended(self, job: Job) -> Callable[[Connection], None]:
        """For the transaction that stores what the job made; raises LeaseLost, which undoes it."""

        def work(connection: Connection) -> None:
            change = {"state": JobState.DONE.value, "progress": 1.0, "ended_at": clock(connection)}
            self._mine(connection, job, change)

        return work

    async def done(self, job: Job) -> None:
        await self._database.write(self.ended(job))

    async def write(self, work: Callable[[Connection], None]) -> None:
        """What `new` or `cancelling` gave, in a transaction of its own."""
        await self._database.write(work)

    async def failed(
        self, job: Job, error: str, *, retry: bool | None = None, after_s: float | None = None
    ) -> bool:
        """Queue it again after a pause; False if it is dead now.

        Args:
            retry: whether to; else as long as it has been tried less than MOST_ATTEMPTS times.
            after_s: the pause; else it doubles from attempt to attempt.
        """
        again = job.attempts < MOST_ATTEMPTS if retry is None else retry
        await self._database.write(
            self.given_up(job, error) if not again else self._later(job, error, after_s)
        )
        return again

    def given_up(self, job: Job, error: str) -> Callable[[Connection], None]:
        """For a transaction: the job is dead."""

        def work(connection: Connection) -> None:
            change = {
                "state": JobState.DEAD.value,
                "error": error[:ERROR_LENGTH],
                "ended_at": clock(connection),
            }
            self._mine(connection, job, change)

        return work

    async def revive(self, kind: str, job_id: str) -> bool:
        """Queue a dead job anew; False if there is none of that kind and id."""
        dead = (jobs.c.id == job_id, jobs.c.kind == kind, jobs.c.state == JobState.DEAD.value)

        def work(connection: Connection) -> bool:
            again = {"state": JobState.QUEUED.value, "attempts": 0, "ended_at": None}
            change = update(jobs).where(*dead).values(**again, due_at=clock(connection))
            return bool(connection.execute(change).rowcount)

        return await self._database.write(work)

    def _later(self, job: Job, error: str, after_s: float | None) -> Callable[[Connection], None]:
        pause_s = back_off_s(job.attempts) if after_s is None else after_s

        def work(connection: Connection) -> None:
            change = {
                "state": JobState.QUEUED.value,
                "due_at": clock(connection) + pause_s,
                "error": error[:ERROR_LENGTH],
            }
            self._mine(connection, job, change)

        return work

    async def released(self, job: Job, after_s: float = 0.0) -> None:
        """Give it back unharmed, as at a shutdown: the attempt does not count."""

        def work(connection: Connection) -> None:
            change = {
                "state": JobState.QUEUED.value,
                "attempts": job.attempts - 1,
                "lease_until": 0.0,
                "due_at": clock(connection) + after_s,
            }
            self._mine(connection, job, change)

        await self._database.write(work)

    def _mine(self, connection: Connection, job: Job, change: Mapping[str, Any]) -> None:
        ours = and_(
            jobs.c.id == job.id,
            jobs.c.lease_owner == self.owner,
            jobs.c.state == JobState.RUNNING.value,
            jobs.c.attempts == job.attempts,
        )
        if not connection.execute(update(jobs).where(ours).values(change)).rowcount:
            raise LeaseLost("go on with a job", "another runner has it now, or it was cancelled")

    async def abandon_leases(self, *, own: bool = False) -> int:
        """Of gateways that are no more; after a restart our `own`."""
        living = select(gateways.c.id)
        if own:
            living = living.where(gateways.c.id != self.owner)
        change = (
            update(jobs)
            .where(jobs.c.state == JobState.RUNNING.value, jobs.c.lease_owner.not_in(living))
            .values(lease_until=0.0)
        )
        return await self._database.write(lambda connection: connection.execute(change).rowcount)

    async def of_call(self, call_id: str, kind: str) -> Job | None:
        """The newest job of that kind."""
        wanted = (
            select(jobs)
            .where(jobs.c.call_id == call_id, jobs.c.kind == kind)
            .order_by(jobs.c.created_at.desc())
            .limit(1)
        )
        row = await self._database.read(lambda connection: connection.execute(wanted).first())
        return _job(dict(row._mapping)) if row else None

    async def find(self, kind: str, job_id: str) -> Job | None:
        wanted = select(jobs).where(jobs.c.id == job_id, jobs.c.kind == kind)
        row = await self._database.read(lambda connection: connection.execute(wanted).first())
        return _job(dict(row._mapping)) if row else None

    async def counts(self) -> dict[tuple[str, str], int]:
        """How many there are, by kind and state."""
        wanted = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return {(kind, state): count for kind, state, count in rows}

    async def oldest(self) -> dict[str, float]:
        """When the oldest that is not over was made, s since 1970, by kind."""
        open_ = (JobState.QUEUED.value, JobState.RUNNING.value)
        wanted = select(jobs.c.kind, func.min(jobs.c.created_at)).where(jobs.c.state.in_(open_))
        rows = await self._database.read(
            lambda connection: connection.execute(wanted.group_by(jobs.c.kind)).all()
        )
        return {row[0]: row[1] for row in rows}

    async def failing(self, kind: str, limit: int = 100) -> list[Job]:
        """Those that failed and will be tried again, the next one first."""
        wanted = (
            select(jobs)
            .where(
                jobs.c.kind == kind,
                jobs.c.state == JobState.QUEUED.value,
                jobs.c.attempts > 0,
                jobs.c.error != "",
            )
            .order_by(jobs.c.due_at)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return [_job(dict(row._mapping)) for row in rows]

    async def dead(self, kind: str, limit: int = 100) -> list[Job]:
        """The newest that failed for good."""
        wanted = (
            select(jobs)
            .where(jobs.c.kind == kind, jobs.c.state == JobState.DEAD.value)
            .order_by(jobs.c.ended_at.desc())
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return [_job(dict(row._mapping)) for row in rows]


def _under_way(
    connection: Connection, kinds: Sequence[str], now: float
) -> ColumnElement[int] | None:
    """How many jobs are worked on for the hotline system that a job is for; None: for nobody."""
    working = (
        select(calls.c.tenant, func.count())
        .select_from(jobs.join(calls, calls.c.id == jobs.c.call_id))
        .where(
            jobs.c.kind.in_(kinds),
            jobs.c.state == JobState.RUNNING.value,
            not_(_is_orphaned(now)),
        )
        .group_by(calls.c.tenant)
    )
    counts = {row[0]: row[1] for row in connection.execute(working)}
    return case(counts, value=calls.c.tenant, else_=0) if counts else None


def _is_orphaned(now: float) -> ColumnElement[bool]:
    """A lease that has run out; or that no clock that was right can have given."""
    return or_(jobs.c.lease_until < now, jobs.c.lease_until > now + LEASE_S + SKEW_S)


def new(
    kind: str,
    *,
    call_id: str = "",
    payload: bytes = b"",
    priority: int = 5,
    delay_s: float = 0.0,
    job_id: str = "",
) -> tuple[str, Callable[[Connection], None]]:
    """A job's id, and what puts it into the queue within a transaction.

    Args:
        job_id: of a job that is queued once, however often it is asked for.
    """
    row = {
        "id": job_id or uuid.uuid4().hex,
        "kind": kind,
        "call_id": call_id,
        "state": JobState.QUEUED.value,
        "priority": priority,
        "payload": payload,
    }

    def work(connection: Connection) -> None:
        known = select(jobs.c.id).where(jobs.c.id == row["id"])
        if not job_id or connection.scalar(known) is None:
            now = clock(connection)
            made = {**row, "created_at": now, "due_at": now + delay_s}
            connection.execute(insert(jobs).values(made))

    return str(row["id"]), work


def cancelling(call_id: str, kind: str) -> Callable[[Connection], None]:
    """For a transaction: whatever a call's jobs of a kind were doing, they are cancelled."""
    open_states = (JobState.QUEUED.value, JobState.RUNNING.value)
    open_jobs = (jobs.c.call_id == call_id, jobs.c.kind == kind, jobs.c.state.in_(open_states))

    def work(connection: Connection) -> None:
        over = {"state": JobState.CANCELLED.value, "ended_at": clock(connection)}
        connection.execute(update(jobs).where(*open_jobs).values(**over))

    return work


def back_off_s(attempts: int) -> float:
    """Doubles from attempt to attempt, and wavers, so that what failed together comes apart."""
    first, longest = BACK_OFF_S
    return min(longest, first * 2.0 ** (attempts - 1)) * random.uniform(0.5, 1.5)


def _job(fields: dict[str, Any]) -> Job:
    return Job(
        id=str(fields["id"]),
        kind=str(fields["kind"]),
        call_id=str(fields["call_id"]),
        payload=bytes(fields["payload"]),
        state=JobState(fields["state"]),
        priority=int(fields["priority"]),
        attempts=int(fields["attempts"]),
        progress=float(fields["progress"]),
        created_at=float(fields["created_at"]),
        due_at=float(fields["due_at"]),
        error=str(fields["error"]),
        owner=str(fields["lease_owner"]),
    )
