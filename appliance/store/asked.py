"""Questions that nobody could answer, and what agents said of what was proposed, at rest.

Both are a citizen's words: sealed under the key of their call, and gone with it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select

from appliance.errors import NotFound
from appliance.store import codec
from appliance.store.database import Also, Database, clock
from appliance.store.keys import KeyRing
from appliance.store.knowledge import count_verdict
from appliance.store.schema import calls, questions, verdicts

MOST = 5000  # that are looked at, the newest


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """Of a matter of a call, without names and numbers.

    Attributes:
        answer: what the agent said to it, where the call ended well; else empty.
    """

    call_id: str
    matter: int
    text: str
    answer: str = ""
    place: str = ""  # code of a division
    tenant: str = ""
    at: float = 0.0  # s since 1970
    rejected: bool = False  # the agent would not have what was proposed


@dataclass(frozen=True, slots=True)
class AgentVerdict:
    """What an agent said of an entry that was proposed in a call."""

    call_id: str
    entry_id: str
    taken: bool
    who: str
    text: str = ""  # the question that it was proposed for
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerRecipient:
    """Whom an answer is sent to: whoever called, by a text channel of the hotline system."""

    call: str
    call_id: str  # the hotline system's own name for it
    tenant: str
    channel: str


class AskedQuestions:
    """Raise StoreUnavailable."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database, self._ring = database, ring

    async def adding(self, question: OpenQuestion) -> Also:
        """For the transaction of a call's end; in the place of what was asked there before."""
        cipher, key = await self._ring.get(question.call_id)
        names = ("text", "answer", "place", "rejected")
        body = {name: getattr(question, name) for name in names}
        what = f"question {question.matter}"
        sealed = codec.seal(cipher, key, question.call_id, what, json.dumps(body).encode())

        def add(connection: Connection) -> None:
            _drop(connection, question.call_id, question.matter)
            if _is_kept(connection, question.call_id):
                values = {
                    "call_id": question.call_id,
                    "matter": question.matter,
                    "tenant": question.tenant,
                    "at": question.at or clock(connection),
                    "body": sealed,
                }
                connection.execute(insert(questions).values(values))

        return add

    async def open(self, most: int = MOST) -> list[OpenQuestion]:
        """The newest first; those of calls that are gone are left out."""
        rows = await self._newest(select(questions).order_by(questions.c.at.desc()).limit(most))
        found = []
        for row, told in await self._opened(rows, lambda row: f"question {row.matter}"):
            words = (told["text"], told.get("answer", ""), told.get("place", ""))
            of = (row.call_id, row.matter, *words, row.tenant, row.at)
            found.append(OpenQuestion(*of, bool(told.get("rejected"))))
        return found

    async def judge(self, verdict: AgentVerdict, told: Sequence[Also] = ()) -> None:
        """An agent's word on an entry in a call, with what is told of it in one transaction; a
        later one replaces it. Raises NotFound."""
        cipher, key = await self._ring.get(verdict.call_id)
        what, plain = f"verdict {verdict.entry_id}", json.dumps({"text": verdict.text}).encode()
        sealed = codec.seal(cipher, key, verdict.call_id, what, plain)
        mine = (verdicts.c.call_id == verdict.call_id, verdicts.c.entry_id == verdict.entry_id)

        def work(connection: Connection) -> None:
            if not _is_kept(connection, verdict.call_id):
                raise NotFound("keep a verdict", f"there is no call {verdict.call_id!r}")
            before = connection.scalar(select(verdicts.c.taken).where(*mine))
            connection.execute(delete(verdicts).where(*mine))
            values = {
                "call_id": verdict.call_id,
                "entry_id": verdict.entry_id,
                "taken": verdict.taken,
                "who": verdict.who[:64],
                "at": clock(connection),
                "body": sealed,
            }
            connection.execute(insert(verdicts).values(values))
            taken = int(verdict.taken) - int(before is True)
            rejected = int(not verdict.taken) - int(before is False)
            count_verdict(connection, verdict.entry_id, taken, rejected)
            for also in told:
                also(connection)

        await self._database.write(work)

    async def of_call(self, call_id: str) -> list[AgentVerdict]:
        """What was said in one call; without the questions."""
        wanted = select(verdicts).where(verdicts.c.call_id == call_id)
        rows = await self._newest(wanted)
        return [
            AgentVerdict(row.call_id, row.entry_id, row.taken, row.who, at=row.at) for row in rows
        ]

    async def verdicts(self, most: int = MOST) -> list[AgentVerdict]:
        """The newest first."""
        rows = await self._newest(select(verdicts).order_by(verdicts.c.at.desc()).limit(most))
        opened = await self._opened(rows, lambda row: f"verdict {row.entry_id}")
        return [
            AgentVerdict(
                row.call_id, row.entry_id, row.taken, row.who, told.get("text", ""), row.at
            )
            for row, told in opened
        ]

    async def _newest(self, wanted: Select[Any]) -> Sequence[Row[Any]]:
        return await self._database.read(lambda c: c.execute(wanted).all())

    async def stamp(self) -> tuple[object, ...]:
        """Another one whenever a question or a verdict has come or gone."""

        def work(connection: Connection) -> tuple[object, ...]:
            tables = (questions.c, verdicts.c)
            wanted = [select(func.count(), func.max(table.at)) for table in tables]
            return tuple(tuple(connection.execute(each).one()) for each in wanted)

        return await self._database.read(work)

    async def _opened(
        self, rows: Sequence[Row[Any]], what: Callable[[Row[Any]], str]
    ) -> list[tuple[Row[Any], dict[str, Any]]]:
        keys = await self._ring.get_many(list({row.call_id for row in rows}))
        mine = [row for row in rows if row.call_id in keys]

        def opened(row: Row[Any]) -> dict[str, Any]:
            cipher, key = keys[row.call_id]
            told: dict[str, Any] = codec.unseal(
                cipher, key, row.call_id, what(row), row.body, json.loads
            )
            return told

        return await asyncio.to_thread(lambda: [(row, opened(row)) for row in mine])


def _drop(connection: Connection, call_id: str, matter: int) -> None:
    mine = (questions.c.call_id == call_id, questions.c.matter == matter)
    connection.execute(delete(questions).where(*mine))


def _is_kept(connection: Connection, call_id: str) -> bool:
    return connection.scalar(select(calls.c.id).where(calls.c.id == call_id)) is not None
