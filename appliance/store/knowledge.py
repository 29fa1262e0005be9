"""The knowledge base at rest: entries as they are now, and every version of each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from appliance.errors import Conflict, NotFound
from appliance.store.database import Database, clock
from appliance.store.locking import one_at_a_time
from appliance.store.schema import knowledge, knowledge_events

DOING = "change the knowledge base"
TOGETHER = 500  # rows in one statement
TITLE = 40  # characters


class EntryState(StrEnum):
    """Only what is live ever answers."""

    DRAFT = "draft"
    LIVE = "live"
    RETIRED = "retired"


class EntryKind(StrEnum):
    """通用、政策法规、行业."""

    GENERAL = "general"
    POLICY = "policy"
    INDUSTRY = "industry"


@dataclass(frozen=True, slots=True)
class KnowledgeEntry:
    """A question in its forms, and its answer.

    Attributes:
        version: counts its changes.
        questions: forms of one question; the first is its title.
        scope: code of the division that it holds in; empty: wherever this hotline is.
        valid_from: the first day, ISO 8601; empty: ever since.
        valid_to: the last day; empty: until it is changed.
        gap: the gap that it was drafted for.
        replaces: id of the live one that it is a proposed change of; approved, it becomes that.
        base: version of that one which this was written for.
        absorbs: ids of others that retire then.
        changed_by: whoever wrote this version; somebody else approves it.
        taken: how often agents have taken it.
        sequence: of this change among those of all entries.
    """

    id: str
    questions: tuple[str, ...]
    answer: str
    kind: EntryKind = EntryKind.GENERAL
    department: str = ""
    scope: str = ""
    valid_from: str = ""
    valid_to: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    gap: str = ""
    replaces: str = ""
    base: int = 0
    absorbs: tuple[str, ...] = ()
    state: EntryState = EntryState.DRAFT
    version: int = 0
    changed_by: str = ""
    approved_by: str = ""
    changed_at: float = 0.0  # s since 1970
    taken: int = 0
    rejected: int = 0
    sequence: int = 0

    @property
    def title(self) -> str:
        """Its first question; of a text without one, how it begins."""
        return next(filter(None, self.questions), self.answer[:TITLE])

    def holds_on(self, day: str) -> bool:
        """Of a day as 2026-12-31."""
        return self.valid_from <= day <= (self.valid_to or day)


@dataclass(frozen=True, slots=True)
class EntryVersion:
    """How an entry stood, and who made it so."""

    entry: KnowledgeEntry
    action: str
    who: str
    at: float


NOTHING: Mapping[str, int] = MappingProxyType({})
NAMES = tuple(each.name for each in fields(KnowledgeEntry))
COLUMNS = ("id", "version", "state", "changed_at", "sequence", "taken", "rejected")
Read = Callable[[str], KnowledgeEntry]  # another entry, in the same transaction
# What becomes of an entry, and of others with it; the first is told.
Decide = Callable[[KnowledgeEntry, Read], Sequence[KnowledgeEntry]]


class KnowledgeEntries:
    """Of the whole city; raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, sequence: int) -> list[KnowledgeEntry]:
        """All that were changed after that, in order; 0: all that there are."""
        wanted = select(knowledge).where(knowledge.c.sequence > sequence)
        return await self._entries(wanted.order_by(knowledge.c.sequence))

    async def page(
        self, state: EntryState | None, size: int, before: int | None = None
    ) -> list[KnowledgeEntry]:
        """The last changed first; `before` is the sequence of the page before's last."""
        wanted = select(knowledge).order_by(knowledge.c.sequence.desc()).limit(size)
        if state is not None:
            wanted = wanted.where(knowledge.c.state == state)
        if before is not None:
            wanted = wanted.where(knowledge.c.sequence < before)
        return await self._entries(wanted)

    async def get(self, entry_id: str) -> KnowledgeEntry:
        """Raises NotFound."""
        found = await self._entries(select(knowledge).where(knowledge.c.id == entry_id))
        if not found:
            raise NotFound("find an entry", f"there is no entry {entry_id!r}")
        return found[0]

    async def history(self, entry_id: str) -> list[EntryVersion]:
        """The first version first."""
        table = knowledge_events
        wanted = select(table).where(table.c.entry_id == entry_id).order_by(table.c.version)
        rows = await self._database.read(lambda c: c.execute(wanted).all())
        return [EntryVersion(_unpacked(row.body), row.action, row.who, row.at) for row in rows]

    async def put(
        self, entries: Sequence[KnowledgeEntry], action: str, who: str
    ) -> list[KnowledgeEntry]:
        """New ones, and new versions of those that are there, all or none. A draft never takes the
        place of an entry that is live: it becomes a proposed change of it."""

        def work(connection: Connection) -> list[KnowledgeEntry]:
            one_at_a_time(connection, "knowledge")
            there = _versions(connection, [each.id for each in entries])
            made = [_beside(each, *there.get(each.id, (0, ""))) for each in entries]
            _put(connection, made, action, who)
            return made

        return await self._database.write(work)

    async def change(
        self, entry_id: str, decide: Decide, action: str, who: str, version: int | None = None
    ) -> KnowledgeEntry:
        """Read it, decide, write, all in one transaction.

        Args:
            version: that the caller has seen; None: whichever.

        Raises:
            NotFound: it is gone.
            Conflict: it was changed since.
        """

        def work(connection: Connection) -> KnowledgeEntry:
            one_at_a_time(connection, "knowledge")

            def read(name: str) -> KnowledgeEntry:
                return _read(connection, name)

            before = read(entry_id)
            if version is not None and version != before.version:
                cause = f"it was changed since: it is version {before.version} now"
                raise Conflict(DOING, cause, "read it again, and send its ETag as If-Match")
            made = decide(before, read)
            _put(connection, made, action, who)
            return read(made[0].id)

        return await self._database.write(work)

    async def _entries(self, wanted: Select[tuple[object, ...]]) -> list[KnowledgeEntry]:
        return await self._database.read(lambda c: [_entry(row) for row in c.execute(wanted).all()])


def _read(connection: Connection, entry_id: str) -> KnowledgeEntry:
    row = connection.execute(select(knowledge).where(knowledge.c.id == entry_id)).first()
    if row is None:
        raise NotFound(DOING, f"there is no entry {entry_id!r}")
    return _entry(row)


def count_verdict(connection: Connection, entry_id: str, taken: int, rejected: int) -> None:
    """In the transaction that keeps a verdict; its sequence moves, so that all gateways see it."""
    one_at_a_time(connection, "knowledge")
    table = knowledge.c
    values = {
        "taken": table.taken + taken,
        "rejected": table.rejected + rejected,
        "sequence": _next(connection),
    }
    connection.execute(update(knowledge).where(table.id == entry_id).values(values))


def _beside(entry: KnowledgeEntry, version: int, state: str) -> KnowledgeEntry:
    if entry.state is not EntryState.DRAFT or state != EntryState.LIVE:
        return entry
    return replace(entry, id=new_id(), replaces=entry.id, base=version)


def new_id() -> str:
    return f"k-{uuid.uuid4().hex}"


def _put(connection: Connection, entries: Sequence[KnowledgeEntry], action: str, who: str) -> int:
    one_at_a_time(connection, "knowledge")
    now, sequence = clock(connection), _next(connection)
    before = _versions(connection, [entry.id for entry in entries])
    made = [
        replace(
            entry,
            version=before.get(entry.id, (0, ""))[0] + 1,
            changed_at=now,
            sequence=sequence + at,
        )
        for at, entry in enumerate(entries)
    ]
    bodies = [_packed(entry) for entry in made]
    rows = [_row(entry, body) for entry, body in zip(made, bodies, strict=True)]
    new = [row for row in rows if row["id"] not in before]
    for at in range(0, len(new), TOGETHER):
        connection.execute(insert(knowledge), new[at : at + TOGETHER])
    for row in rows:
        if row["id"] in before:
            counted = {name: row[name] for name in row if name not in ("taken", "rejected")}
            connection.execute(update(knowledge).where(knowledge.c.id == row["id"]).values(counted))
    events = [
        {
            "entry_id": entry.id,
            "version": entry.version,
            "at": now,
            "who": who[:64],
            "action": action,
            "body": body,
        }
        for entry, body in zip(made, bodies, strict=True)
    ]
    for at in range(0, len(events), TOGETHER):
        connection.execute(insert(knowledge_events), events[at : at + TOGETHER])
    return sequence + len(made) - 1


def _next(connection: Connection) -> int:
    return int(connection.scalar(select(func.coalesce(func.max(knowledge.c.sequence), 0))) or 0) + 1


def _versions(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Of those that are there: version and state."""
    found: dict[str, tuple[int, str]] = {}
    for at in range(0, len(ids), TOGETHER):
        some = knowledge.c.id.in_(ids[at : at + TOGETHER])
        table = knowledge.c
        rows = connection.execute(select(table.id, table.version, table.state).where(some))
        found |= {row.id: (row.version, row.state) for row in rows}
    return found


def _row(entry: KnowledgeEntry, body: str) -> dict[str, object]:
    return {name: getattr(entry, name) for name in COLUMNS} | {"body": body}


def _packed(entry: KnowledgeEntry) -> str:
    return json.dumps({name: getattr(entry, name) for name in NAMES}, ensure_ascii=False)


def _unpacked(body: str, counted: Mapping[str, int] = NOTHING) -> KnowledgeEntry:
    given = {**json.loads(body), **counted}
    given |= {name: tuple(given.get(name, ())) for name in ("questions", "tags", "absorbs")}
    given["kind"], given["state"] = EntryKind(given["kind"]), EntryState(given["state"])
    return KnowledgeEntry(**given)


def _entry(row: Row[tuple[object, ...]]) -> KnowledgeEntry:
    counted = {name: row._mapping[name] for name in ("taken", "rejected", "sequence")}
    return _unpacked(row._mapping["body"], counted)
