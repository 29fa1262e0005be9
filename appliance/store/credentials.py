"""Credentials at rest: never the key itself, only what recognises it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from sqlalchemy import Connection, Row, insert, select, update

from appliance.errors import NotFound
from appliance.store.database import Database
from appliance.store.schema import credentials

KEY, CERTIFICATE = "key", "certificate"


@dataclass(frozen=True, slots=True)
class Credential:
    """One key or client certificate, and what it may do."""

    id: str
    kind: str  # KEY or CERTIFICATE
    digest: str  # SHA-256 of the key, or of the certificate's DER; hex
    name: str
    tenant: str
    roles: tuple[str, ...]
    created_at: float  # s since 1970
    created_by: str
    expires_at: float | None = None
    per_minute: int = 0  # requests; 0: as the box is set
    certificate: str = ""  # digest of the certificate that a key must come with
    revoked_at: float | None = None
    approved_by: str = ""
    pending: bool = False  # of an admin: not before another admin approves
    unit: str = ""  # a clerk's, by code

    def is_good(self, now: float) -> bool:
        in_time = self.expires_at is None or now < self.expires_at
        return self.revoked_at is None and in_time and not self.pending


class Credentials:
    """The table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Credential]:
        query = select(credentials).order_by(credentials.c.created_at)
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [_credential(row) for row in rows]

    async def add(self, new: Sequence[Credential]) -> None:
        """All or none; raises IntegrityError if a digest is known already."""
        rows = [{**asdict(each), "roles": " ".join(each.roles)} for each in new]
        await self._database.write(lambda c: c.execute(insert(credentials), rows))

    async def change(self, credential: str, **values: object) -> Credential:
        """Set columns of one; raises NotFound."""

        def work(connection: Connection) -> Row[tuple[object, ...]] | None:
            mine = credentials.c.id == credential
            connection.execute(update(credentials).where(mine).values(**values))
            return connection.execute(select(credentials).where(mine)).first()

        row = await self._database.write(work)
        if row is None:
            raise NotFound("change a credential", f"there is no credential {credential!r}")
        return _credential(row)


def _credential(row: Row[tuple[object, ...]]) -> Credential:
    found = row._mapping
    values = {field.name: found[field.name] for field in fields(Credential)}
    return replace(Credential(**values), roles=tuple(str(found["roles"]).split()))
