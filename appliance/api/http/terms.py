"""/api/v1/terms: a hotline system's names and words that are to be heard right."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from appliance.access.access import Access
from appliance.access.roles import READS, WRITES, Principal
from appliance.api.http.auth import Needs
from appliance.api.http.promises import PROBLEMS
from appliance.api.http.upload import IDLE_TIMEOUT_S, Inlet
from appliance.archive.tenant_terms import TenantTerms
from appliance.errors import Forbidden, InvalidRequest, SettingsError
from appliance.store.term_lists import TermList
from appliance.terms.files import parse_terms

MOST_BYTES = 4 << 20
TENANT = r"^[A-Za-z0-9_-]?[A-Za-z0-9._-]{0,63}$"
TEXT = {"schema": {"type": "string"}}
BODY = {"requestBody": {"required": True, "content": {"text/plain": TEXT}}}
Tenant = Annotated[
    str, Query(pattern=TENANT, description="hotline system; empty: the key's own, or local")
]


class TermSchema(BaseModel):
    text: str
    weight: float = Field(description="nats in its favour; negative: it is seldom said")
    category: str
    fault: str = Field(description="why nothing that was heard is ever taken for it; else empty")


class TermListSchema(BaseModel):
    tenant: str
    terms: list[TermSchema]
    changed_at: float = Field(description="s since 1970; 0: never")
    changed_by: str


def term_routes(terms: TenantTerms, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/terms", tags=["terms"])
    reader, writer = Depends(Needs(access, READS)), Depends(Needs(access, WRITES))

    @router.get("", response_model=TermListSchema, responses=PROBLEMS)
    async def get(who: Principal = reader, tenant: Tenant = "") -> TermListSchema:
        """The list; the city pack's names are heard right beside it."""
        return _shown(await terms.get(_of(who, tenant)))

    @router.put("", response_model=TermListSchema, responses=PROBLEMS, openapi_extra=BODY)
    async def put(request: Request, who: Principal = writer, tenant: Tenant = "") -> TermListSchema:
        """Replace it: a term a line, or CSV with a head line text,weight,category. It is in force
        for what is said from now on, in running calls too."""
        mine = _of(who, tenant)
        body = Request(request.scope, Inlet(request, MOST_BYTES, IDLE_TIMEOUT_S).receive)
        try:
            given = parse_terms((await body.body()).decode("utf-8-sig"), "the list")
        except UnicodeDecodeError as error:
            cause = f"it is not UTF-8: {error.reason}"
            raise InvalidRequest("read a list of terms", cause, "save it as UTF-8") from error
        except SettingsError as error:
            raise InvalidRequest(error.doing, error.cause, error.hint) from error
        if access:
            await access.record(who, "terms.put", mine, detail=f"{len(given)} terms")
        return _shown(await terms.put(mine, given, who.name))

    return router


def _of(who: Principal, tenant: str) -> str:
    wanted = tenant or who.own_tenant
    if not who.sees(wanted):
        raise Forbidden("see a list of terms", f"{wanted} is another hotline system")
    return wanted


def _shown(kept: TermList) -> TermListSchema:
    shown = [
        TermSchema(text=t.text, weight=t.weight, category=t.category, fault=t.fault)
        for t in kept.terms
    ]
    return TermListSchema(
        tenant=kept.tenant, terms=shown, changed_at=kept.changed_at, changed_by=kept.changed_by
    )
