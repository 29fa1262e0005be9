"""/api/v1/admin: what the three admins do, each only their own part."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from appliance.access.access import Access, CredentialRequest, NewCredential
from appliance.access.roles import ADMINS, ANYBODY, AccessRole, Principal
from appliance.api.fields import checked
from appliance.api.http.auth import ROOT, Needs
from appliance.api.http.body import read_json, takes
from appliance.api.http.promises import PROBLEMS
from appliance.errors import Forbidden
from appliance.security import audit
from appliance.settings import Settings
from appliance.store.credentials import CERTIFICATE, KEY, Credential

NAME = r"^[A-Za-z0-9._-]{1,64}$"
TENANT = r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63}|\*)?$"
UNIT = r"^[\w-]{0,64}$"
FINGERPRINT = r"^([0-9a-f]{64})?$"
MOST_RECORDS = 1000


class CredentialWanted(BaseModel, extra="forbid"):
    name: str = Field(pattern=NAME, description="who it is for")
    roles: list[AccessRole] = Field(min_length=1, max_length=len(AccessRole))
    tenant: str = Field("", pattern=TENANT, description="hotline system; * sees every one's calls")
    days: float | None = Field(None, gt=0, le=3650, description="until it expires; none: never")
    per_minute: int = Field(0, ge=0, le=1_000_000, description="requests; 0: as the box is set")
    certificate: str = Field(
        "", pattern=FINGERPRINT, description="SHA-256 of the client certificate it must come with"
    )
    kind: str = Field(KEY, pattern=f"^({KEY}|{CERTIFICATE})$")
    unit: str = Field("", pattern=UNIT, description="of a clerk: its code in the city pack")


class CredentialShown(BaseModel):
    """Never the key; that is told once, when it is made."""

    id: str
    kind: str
    name: str
    tenant: str
    roles: list[str]
    created_at: float = Field(description="s since 1970")
    created_by: str
    expires_at: float | None
    per_minute: int
    certificate: str
    revoked_at: float | None
    pending: bool = Field(description="waits for the approval of an admin of another kind")
    approved_by: str
    unit: str = Field(description="a clerk's")


class CredentialMade(CredentialShown):
    key: str = Field(description="keep it: it is told this once; empty for a certificate")


class CredentialList(BaseModel):
    credentials: list[CredentialShown]


class FirstWanted(BaseModel, extra="forbid"):
    certificates: dict[AccessRole, Annotated[str, Field(pattern=FINGERPRINT)]] = {}
    anew: bool = Field(False, description="revoke all admins there are, for their keys are lost")


class FirstAdmins(BaseModel):
    credentials: list[CredentialMade]


class AuditPage(BaseModel):
    records: list[dict[str, Any]]


class AuditVerdictSchema(BaseModel):
    ok: bool
    records: int
    heads: int
    head: str
    fault: str
    unsigned: int


def admin_routes(access: Access, settings: Settings) -> APIRouter:
    router = APIRouter(prefix="/api/v1/admin", tags=["admin"])
    _add_credentials(router, access)
    _add_audit(router, access)
    _add_system(router, access, settings)
    return router


def _add_credentials(router: APIRouter, access: Access) -> None:
    security = Depends(Needs(access, [AccessRole.SECURITY_ADMIN]))
    any_admin = Depends(Needs(access, ADMINS))
    anybody = Depends(Needs(access, ANYBODY))

    @router.get("/credentials", response_model=CredentialList, responses=PROBLEMS)
    async def credentials(who: Principal = any_admin) -> CredentialList:
        """All that there are, revoked ones too."""
        return CredentialList(credentials=[_shown(each) for each in access.gate.known])

    @router.post(
        "/credentials",
        status_code=201,
        response_model=CredentialMade,
        responses=PROBLEMS,
        openapi_extra=takes(CredentialWanted),
    )
    async def create(request: Request, who: Principal = security) -> CredentialMade:
        """Make a key, or let a client certificate in."""
        wanted = checked(CredentialWanted, await read_json(request))
        given = wanted.model_dump()
        return _made(
            await access.create(who, CredentialRequest(**{**given, "roles": tuple(wanted.roles)}))
        )

    @router.post(
        "/credentials/{credential}/revoke", response_model=CredentialShown, responses=PROBLEMS
    )
    async def revoke(credential: str, who: Principal = security) -> CredentialShown:
        """From now on it opens nothing."""
        return _shown(await access.revoke(who, credential))

    @router.post(
        "/credentials/{credential}/approve", response_model=CredentialShown, responses=PROBLEMS
    )
    async def approve(credential: str, who: Principal = any_admin) -> CredentialShown:
        """Let another kind of admin in: the security admin alone cannot make admins."""
        return _shown(await access.approve(who, credential))

    @router.post(
        "/first",
        response_model=FirstAdmins,
        responses=PROBLEMS,
        openapi_extra=takes(FirstWanted),
    )
    async def first(request: Request, who: Principal = anybody) -> FirstAdmins:
        """The first three admins; root on the box, over its Unix socket, while there is none."""
        if not request.scope["state"].get(ROOT):
            raise Forbidden("make the first admins", "only root on the box itself may")
        wanted = checked(FirstWanted, await read_json(request))
        root = replace(who, name="root")
        made = await access.first_admins(root, wanted.certificates, anew=wanted.anew)
        return FirstAdmins(credentials=[_made(each) for each in made])


def _add_audit(router: APIRouter, access: Access) -> None:
    auditor = Depends(Needs(access, [AccessRole.AUDIT_ADMIN]))

    @router.get("/audit", response_model=AuditPage, responses=PROBLEMS)
    async def page(
        who: Principal = auditor,
        after: Annotated[int, Query(ge=0, le=2**53, description="records above this number")] = 0,
        size: Annotated[int, Query(ge=1, le=MOST_RECORDS)] = 100,
    ) -> AuditPage:
        """Records of the audit log, oldest first."""
        return AuditPage(
            records=await run_in_threadpool(audit.page, access.audit_folder, after, size)
        )

    @router.get("/audit/verify", response_model=AuditVerdictSchema, responses=PROBLEMS)
    async def verify(who: Principal = auditor) -> AuditVerdictSchema:
        """Whether the chain is whole, and reaches every signed head."""
        verdict = await run_in_threadpool(audit.verify, access.audit_folder)
        return AuditVerdictSchema.model_validate(verdict, from_attributes=True)

    @router.get(
        "/audit/export",
        response_model=None,
        responses={**PROBLEMS, 200: {"content": {"application/x-tar": {}}}},
    )
    async def export(who: Principal = auditor) -> Response:
        """The whole log with its heads and key, as a tar that `lingting audit verify` reads."""
        await access.record(who, "audit.export")
        return StreamingResponse(audit.export(access.audit_folder), media_type="application/x-tar")


def _add_system(router: APIRouter, access: Access, settings: Settings) -> None:
    system = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN]))

    @router.get("/settings", response_model=None, responses=PROBLEMS)
    async def effective(who: Principal = system) -> dict[str, Any]:
        """Settings in force. They hold no secret; URLs of databases are shown without theirs."""
        shown: dict[str, Any] = json.loads(settings.model_dump_json())
        for name in ("url", "keys_url"):
            shown["store"][name] = shown["store"][name].rpartition("@")[2]
        return shown

    @router.post("/restart", status_code=202, response_model=None, responses=PROBLEMS)
    async def restart(who: Principal = system) -> dict[str, str]:
        """Let running calls end, then stop; the service manager starts the box again."""
        await access.record(who, "box.restart")
        os.kill(os.getpid(), signal.SIGTERM)
        return {"status": "draining"}


def _shown(credential: Credential) -> CredentialShown:
    return CredentialShown.model_validate(credential, from_attributes=True)


def _made(made: NewCredential) -> CredentialMade:
    return CredentialMade(**_shown(made.credential).model_dump(), key=made.key)
