"""Access as the doors see it: who is asking, what they may, and a log of what they did."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sqlalchemy.exc import IntegrityError

from appliance.access.gate import Gate, Proof, digest_of, make_key, require
from appliance.access.refusals import Refusals
from appliance.access.roles import ADMINS, AccessRole, Principal, roles_of
from appliance.access.sessions import Sessions
from appliance.access.sharing import Sharing
from appliance.errors import (
    AuditUnavailable,
    Conflict,
    Forbidden,
    InvalidRequest,
    LingtingError,
    NotFound,
    StoreUnavailable,
    Unauthenticated,
)
from appliance.messages import CANARY_TENANT, EVERY_TENANT, LOCAL_TENANT
from appliance.news import News
from appliance.security.audit import AuditEntry, AuditLog, load_key
from appliance.settings import Settings
from appliance.store.credentials import CERTIFICATE, KEY, Credential, Credentials
from appliance.store.store import Store

log = logging.getLogger(__name__)

MOST_ABOUT = 300  # characters of what an act is of, in the audit log
REFRESH_S = 1.0  # until what another gateway or a backup changed is known here
HEAD_EVERY_S = 60.0
DAY_S = 86400.0
RESERVED = frozenset({LOCAL_TENANT, CANARY_TENANT})  # tenants of nobody else
DOING = "make a credential"
FIRST_ADMINS = (AccessRole.SYSTEM_ADMIN, AccessRole.SECURITY_ADMIN, AccessRole.AUDIT_ADMIN)


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """A credential to be made."""

    name: str
    roles: tuple[AccessRole, ...]
    tenant: str = ""
    days: float | None = None  # until it expires
    per_minute: int = 0
    certificate: str = ""  # SHA-256 of a client certificate, hex
    kind: str = KEY
    unit: str = ""  # a clerk's, by code


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A new credential, and the only time its key is told."""

    credential: Credential
    key: str  # empty for a certificate


class Access:
    """`start` after the store; `close` before it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        access = settings.access
        self.gate = Gate(access.requests_per_minute, two_factors=access.admin_two_factors)
        self.sessions = Sessions()
        self.secrets = Sessions()  # minted, for a minute and for live speech alone
        self._table: Credentials | None = None
        folder = settings.audit.folder or settings.store.folder / "audit"
        self._folder = folder
        self._audit = AuditLog(folder, settings.audit.hash)
        self._tasks: list[asyncio.Task[None]] = []
        self._refreshing = asyncio.Lock()
        self._refusals = Refusals()
        self._stale = News()  # another gateway has changed a credential
        self._sharing: Sharing | None = None

    @property
    def audit_folder(self) -> Path:
        return self._folder

    async def start(self) -> None:
        """Raises StoreUnavailable, AuditUnavailable."""
        self._table = Credentials(self._store.database)
        path = self._settings.audit.key or self._folder / "signing.key"
        key = await asyncio.to_thread(load_key, path)
        self._audit = AuditLog(self._folder, self._settings.audit.hash, key)
        sessions = {"page": self.sessions, "realtime": self.secrets}
        told = (self._store.notices, self._store.ring, self.gate, sessions, self._stale.tell)
        self._sharing = Sharing(*told)
        self._sharing.start()
        await self.refresh()
        await self._write(AuditEntry("box", "box.start", detail=_doors(self._settings)))
        await self._sign()
        self._tasks = [
            asyncio.create_task(self._refresh_always(), name="access-refresh"),
            asyncio.create_task(self._sign_always(), name="audit-heads"),
        ]

    async def close(self) -> None:
        if not self._tasks:
            return
        if self._sharing:
            await self._sharing.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        with contextlib.suppress(AuditUnavailable):
            await self._sum_up()
            await self._write(AuditEntry("box", "box.stop"))
            await self._sign()

    # --- at the doors

    async def admit(self, shown: Proof, allowed: frozenset[AccessRole]) -> Principal:
        """Who is asking, and that they may; raises Unauthenticated, Forbidden, Overloaded."""
        try:
            who = self.gate.admit(shown)
        except Unauthenticated as error:
            # Who shows nothing is no attack, and costs no disk.
            if (shown.key or shown.certificate) and self._refusals.is_logged(shown.peer):
                await self._note(
                    AuditEntry(
                        "unknown", "access", "", "refused", peer=shown.peer, detail=error.cause
                    )
                )
            raise
        try:
            return require(who, allowed)
        except Forbidden:
            if self._refusals.is_logged(shown.peer):
                wanted = " ".join(sorted(allowed))
                await self.record(who, "access", detail=f"needs {wanted}", outcome="refused")
            raise

    async def record(
        self, who: Principal, act: str, object: str = "", *, outcome: str = "done", detail: str = ""
    ) -> None:
        """Log an act of theirs; raises AuditUnavailable: then it must not be done."""
        object, detail = object[:MOST_ABOUT], detail[:MOST_ABOUT]
        role = " ".join(sorted(who.roles))
        await self._write(AuditEntry(who.name, act, object, outcome, role, who.peer, detail))

    @contextlib.asynccontextmanager
    async def doing(self, who: Principal, act: str, object: str = "") -> AsyncIterator[None]:
        """An act that may fail: logged before as asked, afterwards as done or failed."""
        object = object[:MOST_ABOUT]
        await self.record(who, act, object, outcome="asked")
        try:
            yield
        except BaseException:
            await self._note(AuditEntry(who.name, act, object, "failed", peer=who.peer))
            raise
        await self.record(who, act, object)

    # --- credentials, for the security admin

    async def create(self, who: Principal, wanted: CredentialRequest) -> NewCredential:
        """Make one. An admin's waits for the approval of an admin of another kind."""
        self._check(wanted)
        admin = bool(ADMINS & set(wanted.roles))
        made = self._make(wanted, who.name, pending=admin)
        await self._add(who, [made])
        return made

    async def first_admins(
        self,
        who: Principal,
        certificates: Mapping[AccessRole, str] = MappingProxyType({}),
        *,
        anew: bool = False,
    ) -> list[NewCredential]:
        """One of each kind, while there is none at all; for whoever is root on the box.

        Args:
            anew: revoke all there are first: their keys are lost.
        """
        there = [each for each in self.gate.known if ADMINS & roles_of(each.roles)]
        if there and not anew:
            hint = "the security admin makes more; --anew revokes them all, if their keys are lost"
            raise Conflict("make the first admins", "there are admins already", hint)
        for each in there:
            if each.revoked_at is None:
                await self.revoke(who, each.id)
        made = [
            self._make(
                CredentialRequest(
                    name=role.value.replace("_", "-"),
                    roles=(role,),
                    tenant=EVERY_TENANT,
                    certificate=certificates.get(role, ""),
                ),
                who.name,
            )
            for role in FIRST_ADMINS
        ]
        await self._add(who, made)
        return made

    def _make(self, wanted: CredentialRequest, by: str, *, pending: bool = False) -> NewCredential:
        key = make_key() if wanted.kind == KEY else ""
        now = time.time()
        credential = Credential(
            id=f"cred_{uuid.uuid4().hex[:12]}",
            kind=wanted.kind,
            digest=digest_of(key) if key else wanted.certificate,
            name=wanted.name,
            tenant=wanted.tenant,
            roles=tuple(role.value for role in wanted.roles),
            created_at=now,
            created_by=by,
            expires_at=now + wanted.days * DAY_S if wanted.days else None,
            per_minute=wanted.per_minute,
            certificate=wanted.certificate if key else "",
            pending=pending,
            unit=wanted.unit,
        )
        return NewCredential(credential, key)

    async def _add(self, who: Principal, made: list[NewCredential]) -> None:
        for each in made:
            new = each.credential
            told = f"{new.name}, tenant {new.tenant}, {' '.join(new.roles)}"
            await self.record(who, "credential.create", new.id, detail=told)
        try:
            await self._credentials.add([each.credential for each in made])
        except IntegrityError as error:
            raise Conflict(DOING, "that certificate is known already") from error
        await self._changed()

    async def revoke(self, who: Principal, credential: str) -> Credential:
        """From this moment on it opens nothing; streams that run by it end at their next word."""
        if self._find(credential).revoked_at is not None:
            raise Conflict("revoke a credential", "it was revoked before", "it opens nothing")
        await self.record(who, "credential.revoke", credential)
        changed = await self._credentials.change(credential, revoked_at=time.time())
        await self._changed()
        return changed

    async def approve(self, who: Principal, credential: str) -> Credential:
        """By an admin of another kind than whoever made it, and than what it is for."""
        found = self._find(credential)
        if not found.pending:
            raise Conflict("approve a credential", "it waits for no approval")
        if AccessRole.SECURITY_ADMIN in who.roles or who.roles & roles_of(found.roles):
            cause = "an admin of another kind must approve it"
            raise Forbidden("approve a credential", cause)
        await self.record(who, "credential.approve", credential)
        changed = await self._credentials.change(credential, pending=False, approved_by=who.name)
        await self._changed()
        return changed

    def _find(self, credential: str) -> Credential:
        for each in self.gate.known:
            if each.id == credential:
                return each
        raise NotFound("find a credential", f"there is no credential {credential[:40]!r}")

    @property
    def _credentials(self) -> Credentials:
        assert self._table is not None
        return self._table

    # --- behind the scenes

    async def refresh(self) -> None:
        async with self._refreshing:  # an older look must not come last
            self.gate.load(await self._credentials.all())

    async def _changed(self) -> None:
        await self.refresh()
        if self._sharing:
            self._sharing.changed()

    async def _refresh_always(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self._stale.wait()
            with contextlib.suppress(StoreUnavailable):
                await self.refresh()

    async def _sign_always(self) -> None:
        while True:
            await asyncio.sleep(HEAD_EVERY_S)
            with contextlib.suppress(AuditUnavailable):
                await self._sum_up()
                await self._sign()

    async def _sum_up(self) -> None:
        for peer, count in self._refusals.sums().items():
            told = f"{count} more within {HEAD_EVERY_S:.0f} s"
            entry = AuditEntry("unknown", "access", "", "refused", peer=peer, detail=told)
            await self._write(entry)

    async def _sign(self) -> None:
        head = await asyncio.to_thread(self._audit.sign_head)
        if head:  # into the journal too: cutting log and heads together does not go unseen
            log.info("audit head %d %s", head["seq"], head["hash"])

    async def _write(self, entry: AuditEntry) -> None:
        await asyncio.to_thread(self._audit.append, entry)

    async def tell(self, act: str, about: str, detail: str = "") -> None:
        """Log what the box has done by itself; that it cannot be logged undoes nothing."""
        await self._note(AuditEntry("box", act, about, detail=detail))

    async def _note(self, entry: AuditEntry) -> None:
        """Of an act that did not happen, or has: things go on even if this cannot be logged."""
        try:
            await self._write(entry)
        except LingtingError as error:
            log.error("%s", error)

    def _check(self, wanted: CredentialRequest) -> None:
        """Raises InvalidRequest, Conflict."""
        _check(wanted)
        if ADMINS & set(wanted.roles) and wanted.certificate:
            self._check_one_office(wanted)
        alone = ADMINS & set(wanted.roles) and not wanted.certificate
        if alone and self._settings.access.admin_two_factors:
            hint = "name the certificate it comes with, see `lingting pki client`"
            raise InvalidRequest(DOING, "an admin needs two factors", hint, param="certificate")

    def _check_one_office(self, wanted: CredentialRequest) -> None:
        """Whoever holds a certificate is one person, who may be one kind of admin."""
        for each in self.gate.known:
            held = ADMINS & roles_of(each.roles)
            certificate = each.digest if each.kind == CERTIFICATE else each.certificate
            same = certificate == wanted.certificate and each.revoked_at is None
            if same and held and not held & set(wanted.roles):
                cause = f"its certificate is that of {each.name}, another kind of admin"
                raise Conflict(DOING, cause, "three admins are three people")


def _check(wanted: CredentialRequest) -> None:
    """Raises InvalidRequest."""
    admins = ADMINS & set(wanted.roles)
    if not wanted.roles:
        raise InvalidRequest(DOING, "it has no role", param="roles")
    if len(admins) > 1 or (admins and len(wanted.roles) > 1):
        cause = "an admin's credential is for that one role alone"
        raise InvalidRequest(DOING, cause, "make one for each", param="roles")
    if wanted.tenant in RESERVED:
        cause = f"{wanted.tenant!r} is the box's own name"
        raise InvalidRequest(DOING, cause, "give it another", param="tenant")
    if wanted.tenant and not wanted.tenant.strip("."):
        cause = f"{wanted.tenant!r} is no name"
        raise InvalidRequest(DOING, cause, "letters, digits and ._-", param="tenant")
    if not admins and not wanted.tenant:
        hint = "name the hotline system it is for; * sees every one's calls"
        raise InvalidRequest(DOING, "it has no tenant", hint, param="tenant")
    if (AccessRole.CLERK in wanted.roles) != bool(wanted.unit):
        hint = "name the unit of a clerk, and of nobody else"
        raise InvalidRequest(DOING, "a clerk has a unit", hint, param="unit")
    if AccessRole.CLERK in wanted.roles and len(wanted.roles) > 1:
        raise InvalidRequest(DOING, "a clerk is nothing else", param="roles")
    if wanted.kind == CERTIFICATE and not wanted.certificate:
        raise InvalidRequest(DOING, "no certificate is named", param="certificate")


def _doors(settings: Settings) -> str:
    return f"grpc {settings.grpc.host}:{settings.grpc.port}, http {settings.http.host}"
