"""Hotline systems' lists of terms at rest: one each, replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from sqlalchemy import Connection, Row, delete, insert, select

from appliance.store.database import Database, clock
from appliance.store.schema import term_lists
from appliance.terms.term import Term


@dataclass(frozen=True, slots=True)
class TermList:
    """One hotline system's."""

    tenant: str
    terms: tuple[Term, ...] = ()
    changed_at: float = 0.0  # s since 1970; 0: never
    changed_by: str = ""


class TermLists:
    """The table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[TermList]:
        rows = await self._database.read(lambda c: c.execute(select(term_lists)).all())
        return [_list(row) for row in rows]

    async def get(self, tenant: str) -> TermList:
        """An empty one where there is none."""
        query = select(term_lists).where(term_lists.c.tenant == tenant)
        row = await self._database.read(lambda c: c.execute(query).first())
        return _list(row) if row else TermList(tenant)

    async def put(self, tenant: str, terms: Sequence[Term], who: str) -> TermList:
        """In the place of what was there."""

        def work(connection: Connection) -> TermList:
            now = clock(connection)
            connection.execute(delete(term_lists).where(term_lists.c.tenant == tenant))
            text = json.dumps([astuple(term) for term in terms], ensure_ascii=False)
            values = {"tenant": tenant, "terms": text, "changed_at": now, "changed_by": who[:64]}
            connection.execute(insert(term_lists).values(**values))
            return TermList(tenant, tuple(terms), now, who[:64])

        return await self._database.write(work)


def _list(row: Row[tuple[object, ...]]) -> TermList:
    found = row._mapping
    terms = tuple(Term(*each) for each in json.loads(str(found["terms"])))
    return TermList(found["tenant"], terms, found["changed_at"], found["changed_by"])
