"""/api/v1/admin/beside: speech bundles that hear some calls while another hears the others."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from appliance.access.access import Access
from appliance.access.roles import AccessRole, Principal
from appliance.api.fields import checked
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json, takes
from appliance.api.http.bundles import REF, refusing
from appliance.api.http.promises import PROBLEMS
from appliance.models.beside import BesideServing
from appliance.models.library import ModelLibrary

Tenant = Annotated[str, Field(min_length=1, max_length=64)]
Language = Annotated[str, Field(pattern="^[a-z]{2,3}$")]


class BesideWanted(BaseModel, extra="forbid"):
    ref: str = Field(pattern=REF, description="name@version, or a name: its newest")
    tenants: list[Tenant] = Field(
        default_factory=list, max_length=64, description="hotline systems whose calls it hears"
    )
    languages: list[Language] = Field(
        default_factory=list, max_length=32, description="ISO 639-1, of calls that name them"
    )


class BesideSchema(BaseModel):
    ref: str = Field(description="name@version; callers name it as their model, too")
    tenants: list[str]
    languages: list[str]


class BesideList(BaseModel):
    beside: list[BesideSchema]


def beside_routes(beside: BesideServing, library: ModelLibrary, access: Access) -> APIRouter:
    router = APIRouter(prefix="/api/v1/admin/beside", tags=["admin"])
    reader = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN, AccessRole.OPERATOR]))
    system = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN]))

    def told() -> BesideList:
        return BesideList(
            beside=[
                BesideSchema(ref=b.ref, tenants=[*b.tenants], languages=[*b.languages])
                for b in beside.bundles
            ]
        )

    @router.get("", response_model=BesideList, responses=PROBLEMS)
    async def listed(who: Principal = reader) -> BesideList:
        """Which bundles hear which calls; all others are heard by the active one."""
        return told()

    @router.put(
        "", response_model=BesideList, responses=PROBLEMS, openapi_extra=takes(BesideWanted)
    )
    async def serve(request: Request, who: Principal = system) -> BesideList:
        """Load a bundle beside the active one, for the calls named; running calls go on."""
        wanted = checked(BesideWanted, await read_json(request))
        async with refusing(), access.doing(who, "bundle.serve", wanted.ref):
            bundle = await run_in_threadpool(library.find, wanted.ref)
            await beside.add(bundle, wanted.tenants, wanted.languages)
        return told()

    @router.delete("/{ref}", status_code=204, response_model=None, responses=PROBLEMS)
    async def unserve(ref: str, who: Principal = system) -> Response:
        """Let go of one, once its calls have ended."""
        async with access.doing(who, "bundle.unserve", ref[:140]):
            await beside.remove(ref)
        return Response(status_code=204)

    return router
