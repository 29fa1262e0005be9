"""How calls were scored, at rest: what is listed and counted by stands open, words are sealed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, select, update

from appliance.errors import NotFound
from appliance.messages import EVERY_TENANT
from appliance.store import codec
from appliance.store.database import Also, Database, clock
from appliance.store.keys import KeyRing
from appliance.store.schema import calls, inspection_events, inspection_findings, inspections

Json = dict[str, Any]
DECIDED_STATES = ("upheld", "overridden", "confirmed", "found")  # by an inspector


@dataclass(frozen=True, slots=True)
class KeptFinding:
    """What a rule says of a call.

    Attributes:
        finding: as it stands now; `first` as the rule had it.
        appeal: empty, open, upheld, overridden, confirmed or found.
        body: JSON: name, group, severity, proofs, eased; sealed.
    """

    rule: str
    finding: str
    points: float
    first: str
    appeal: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptInspection:
    """Of one call. `total` is None where no agent spoke; `at` is s since 1970."""

    call_id: str
    tenant: str
    agent: str
    total: float | None
    pack: str
    findings: tuple[KeptFinding, ...]
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class InspectionEvent:
    """An appeal, or what an inspector made of one."""

    action: str
    who: str
    rule: str
    reason: str
    at: float = 0.0


# What becomes of a finding; it may raise.
DecideFinding = Callable[[KeptFinding], KeptFinding]
# What is told elsewhere of a call that was inspected, or of the one finding that was changed.
AnnounceInspection = Callable[[KeptInspection, InspectionEvent], Sequence[Also]]


@dataclass(frozen=True, slots=True)
class InspectedRow:
    """A call on a list: nothing of it is opened.

    Attributes:
        violated, unsure, open_appeals, decided: how many findings.
        points: taken off by findings that nobody has decided on.
    """

    call_id: str
    agent: str
    at: float
    total: float
    violated: int = 0
    unsure: int = 0
    open_appeals: int = 0
    decided: int = 0
    points: float = 0.0


@dataclass(frozen=True, slots=True)
class AgentTotals:
    """Of an agent's calls: how many, their totals and the squares of those, faults."""

    agent: str
    calls: int
    total: float
    squares: float
    violated: int = 0


@dataclass(frozen=True, slots=True)
class FindingCount:
    """How many findings of a rule are such, were such at first, and stand so between agent and
    inspector."""

    rule: str
    finding: str
    first: str
    appeal: str
    count: int

    @property
    def is_decided(self) -> bool:
        return self.appeal in DECIDED_STATES


class Inspections:
    """Raise StoreUnavailable."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring

    async def adding(self, made: KeptInspection) -> Also:
        """For the transaction that ends the work on a call; in the place of an earlier one."""
        cipher, key = await self._ring.get(made.call_id)
        body = json.dumps({each.rule: dict(each.body) for each in made.findings}).encode()
        sealed = codec.seal(cipher, key, made.call_id, "inspection", body)

        def add(connection: Connection) -> None:
            kept = select(calls.c.id).where(calls.c.id == made.call_id)
            if connection.scalar(kept) is None:
                return
            for table in (inspection_findings, inspections):
                connection.execute(delete(table).where(table.c.call_id == made.call_id))
            values = {
                "call_id": made.call_id,
                "tenant": made.tenant,
                "agent": made.agent,
                "at": made.at or clock(connection),
                "total": made.total,
                "pack": made.pack,
                "body": sealed,
            }
            connection.execute(insert(inspections).values(values))
            rows = [_row(made.call_id, each) for each in made.findings]
            if rows:
                connection.execute(insert(inspection_findings), rows)

        return add

    async def get(self, call_id: str) -> KeptInspection:
        """Raises NotFound, StoreDamaged."""
        cipher, key = await self._ring.get(call_id)

        def work(connection: Connection) -> tuple[Row[Any] | None, Sequence[Row[Any]]]:
            mine = inspection_findings.c.call_id == call_id
            one = connection.execute(select(inspections).where(inspections.c.call_id == call_id))
            return one.first(), connection.execute(select(inspection_findings).where(mine)).all()

        row, found = await self._database.read(work)
        if row is None:
            raise NotFound("read an inspection", f"{call_id} was not inspected", "is it over?")
        bodies = codec.unseal(cipher, key, call_id, "inspection", row.body, json.loads)
        findings = tuple(_finding(each, bodies.get(each.rule, {})) for each in found)
        of = (row.call_id, row.tenant, row.agent, row.total, row.pack)
        return KeptInspection(*of, findings, row.at)

    async def change(
        self,
        call_id: str,
        event: InspectionEvent,
        decide: DecideFinding,
        most: float,
        announce: AnnounceInspection = lambda *_: (),
    ) -> None:
        """A finding is changed, with the total and what is told of it, in one transaction.

        Args:
            most: the total of a call without a fault.

        Raises:
            NotFound: that rule said nothing of that call.
        """
        cipher, key = await self._ring.get(call_id)
        mine = inspection_findings.c.call_id == call_id

        def work(connection: Connection) -> None:
            this = (mine, inspection_findings.c.rule == event.rule)
            row = connection.execute(select(inspection_findings).where(*this)).first()
            if row is None:
                cause = f"no rule {event.rule!r} was applied to {call_id}"
                raise NotFound("change a finding", cause)
            changed = decide(_finding(row, {}))
            values = _row(call_id, changed)
            connection.execute(update(inspection_findings).where(*this).values(values))
            points = select(func.sum(inspection_findings.c.points)).where(mine)
            total = max(0.0, most - float(connection.scalar(points) or 0.0))
            of = inspections.c.call_id == call_id
            connection.execute(update(inspections).where(of).values(total=total))
            counted = select(func.count()).where(inspection_events.c.call_id == call_id)
            sequence = int(connection.scalar(counted) or 0)
            reason = json.dumps({"reason": event.reason}).encode()
            at = clock(connection)
            values = {
                "call_id": call_id,
                "sequence": sequence,
                "at": at,
                "who": event.who[:64],
                "action": event.action,
                "rule": event.rule,
                "body": codec.seal(cipher, key, call_id, f"appeal {sequence}", reason),
            }
            connection.execute(insert(inspection_events).values(values))
            one = connection.execute(select(inspections).where(of)).one()
            now = (call_id, one.tenant, one.agent, total, one.pack, (changed,), one.at)
            for also in announce(KeptInspection(*now), replace(event, at=at)):
                also(connection)

        await self._database.write(work)

    async def history(self, call_id: str) -> list[InspectionEvent]:
        """The first first."""
        cipher, key = await self._ring.get(call_id)
        table = inspection_events
        wanted = select(table).where(table.c.call_id == call_id).order_by(table.c.sequence)
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        found = []
        for row in rows:
            what = f"appeal {row.sequence}"
            told = codec.unseal(cipher, key, call_id, what, row.body, json.loads)
            found.append(InspectionEvent(row.action, row.who, row.rule, told["reason"], row.at))
        return found

    async def sums(
        self, tenant: str, since: float, until: float
    ) -> tuple[list[AgentTotals], list[FindingCount]]:
        """For statistics: nothing is opened, and no more read than there are agents and rules."""
        mine, found = inspections.c, inspection_findings.c
        when = (mine.at >= since, mine.at < until, mine.total.is_not(None))
        whose = () if tenant == EVERY_TENANT else (mine.tenant == tenant,)
        totals = select(
            mine.agent, func.count(), func.sum(mine.total), func.sum(mine.total * mine.total)
        )
        totals = totals.where(*when, *whose).group_by(mine.agent)
        joined = inspection_findings.join(inspections, mine.call_id == found.call_id)
        held = found.finding == "violated"
        faults = select(mine.agent, func.count()).select_from(joined)
        faults = faults.where(*when, *whose, held).group_by(mine.agent)
        kinds = (found.rule, found.finding, found.first, found.appeal)
        of_rules = select(*kinds, func.count()).select_from(joined)
        of_rules = of_rules.where(*when, *whose).group_by(*kinds)

        def work(connection: Connection) -> tuple[list[AgentTotals], list[FindingCount]]:
            violated = {row[0]: row[1] for row in connection.execute(faults)}
            agents = [
                AgentTotals(agent, n, total, squares, violated.get(agent, 0))
                for agent, n, total, squares in connection.execute(totals)
            ]
            return agents, [FindingCount(*row) for row in connection.execute(of_rules)]

        return await self._database.read(work)

    async def listed(
        self,
        tenant: str,
        since: float,
        until: float,
        agent: str = "",
        *,
        calls: Sequence[str] = (),
        counted: bool = True,
    ) -> list[InspectedRow]:
        """Calls in which an agent spoke; nothing is opened.

        Args:
            calls: those alone.
            counted: with their findings, which takes some ten times as long.
        """
        mine = inspections.c
        columns: list[ColumnElement[Any]] = [mine.call_id, mine.agent, mine.at, mine.total]
        wanted = select(*columns, *(COUNTED if counted else ()))
        if counted:
            found = inspection_findings.c
            told = (found.finding != "kept") | (found.appeal != "")
            of = (found.call_id == mine.call_id) & told
            wanted = wanted.select_from(inspections.outerjoin(inspection_findings, of))
            wanted = wanted.group_by(mine.call_id)
        wanted = wanted.where(mine.at >= since, mine.at < until, mine.total.is_not(None))
        if tenant != EVERY_TENANT:
            wanted = wanted.where(mine.tenant == tenant)
        if agent:
            wanted = wanted.where(mine.agent == agent)
        if calls:
            wanted = wanted.where(mine.call_id.in_(calls))
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        return [InspectedRow(*row) for row in rows]


def _count(held: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((held, 1), else_=0)), 0)


DECIDED = inspection_findings.c.appeal.in_(DECIDED_STATES)
COUNTED = (  # of findings, as InspectedRow has it
    _count(inspection_findings.c.finding == "violated"),
    _count(inspection_findings.c.finding == "unsure"),
    _count(inspection_findings.c.appeal == "open"),
    _count(DECIDED),
    func.coalesce(func.sum(case((DECIDED, 0.0), else_=inspection_findings.c.points)), 0.0),
)


def _row(call_id: str, finding: KeptFinding) -> Json:
    return {
        "call_id": call_id,
        "rule": finding.rule,
        "finding": finding.finding,
        "points": finding.points,
        "first": finding.first,
        "appeal": finding.appeal,
    }


def _finding(row: Row[Any], body: Mapping[str, Any]) -> KeptFinding:
    return KeptFinding(row.rule, row.finding, row.points, row.first, row.appeal, body)
