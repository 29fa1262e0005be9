"""Idempotency-Keys: what each was used for, so that a request sent twice makes one call."""

from __future__ import annotations

import time

from sqlalchemy import Connection, and_, func, insert, select

from appliance.errors import Conflict
from appliance.store.database import Also, Database
from appliance.store.schema import idempotency


class Claims:
    """An owner's keys are its own: another's of the same name is another key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_made(self, owner: str, key: str) -> bool:
        mine = and_(idempotency.c.owner == owner, idempotency.c.key == key)
        query = select(func.count()).select_from(idempotency).where(mine)
        return bool(await self._database.read(lambda c: c.execute(query).scalar_one()))

    async def find(self, owner: str, key: str, fingerprint: str) -> str | None:
        """The call that this key made before.

        Raises:
            Conflict: it was used for another request.
        """
        mine = and_(idempotency.c.owner == owner, idempotency.c.key == key)
        query = select(idempotency.c.fingerprint, idempotency.c.call_id).where(mine)
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise Conflict(
                "take what was sent",
                "this Idempotency-Key (in gRPC: request_id) was used for another request",
                "use a new one for each request",
                param="Idempotency-Key",
            )
        return str(row.call_id)


def claim(owner: str, key: str, fingerprint: str, call_id: str) -> Also:
    """For `Calls.create`: remember what a key was used for."""
    row = {
        "owner": owner,
        "key": key,
        "fingerprint": fingerprint,
        "call_id": call_id,
        "created_at": time.time(),
    }

    def work(connection: Connection) -> None:
        connection.execute(insert(idempotency).values(row))

    return work
