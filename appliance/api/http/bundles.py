"""/api/v1/admin/bundles: the bundles that this box holds, and which of them serve."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from appliance.access.access import Access
from appliance.access.roles import AccessRole, Principal
from appliance.api.fields import checked
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json, takes
from appliance.api.http.promises import PROBLEMS
from appliance.api.http.upload import IDLE_TIMEOUT_S, Inlet
from appliance.errors import BundleError, InvalidRequest
from appliance.models import archive
from appliance.models.library import HeldBundle, ModelLibrary
from appliance.models.rollout import Rollout
from appliance.models.slots import SLOTS

MOST_BYTES = 64 << 30
REF = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(@[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"
SLOT = f"^({'|'.join(SLOTS)})$"
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
TAR: dict[int | str, dict[str, Any]] = {200: {"content": {"application/x-tar": {}}}}


class BundleSchema(BaseModel):
    ref: str = Field(description="name@version")
    kind: str
    description: str
    licence: str
    origin: str
    languages: list[str] = Field(description="none: whatever its tokenizer knows")
    size: int = Field(description="bytes of its files")
    demo: bool
    shipped: bool = Field(description="came with the release")
    expires: str
    serves: list[str] = Field(description="slots that it was activated in")


class SlotSchema(BaseModel):
    active: str = Field(description="name@version; empty: what the settings name")
    before: str = Field(description="what a rollback goes back to; empty: what the settings name")
    proven: str = Field(description="what the box came up with last; empty: what the settings name")


class BundleList(BaseModel):
    bundles: list[BundleSchema]
    slots: dict[str, SlotSchema]


class BundleVerdict(BaseModel):
    ref: str
    signed_by: str = Field(description="name of the trusted key; release: came with it")


class ActivationWanted(BaseModel, extra="forbid"):
    ref: str = Field(pattern=REF, description="name@version, or a name: its newest")
    slot: str = Field("", pattern=f"{SLOT[:-2]}|)$", description="where; empty: by its kind")


class RollbackWanted(BaseModel, extra="forbid"):
    slot: str = Field(pattern=SLOT)


def bundle_routes(
    library: ModelLibrary, access: Access, rollout: Rollout | None = None
) -> APIRouter:
    router = APIRouter(prefix="/api/v1/admin/bundles", tags=["admin"])
    _add_reading(router, library, access)
    _add_keeping(router, library, access, rollout)
    _add_serving(router, library, access, rollout)
    return router


def _add_reading(router: APIRouter, library: ModelLibrary, access: Access) -> None:
    reader = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN, AccessRole.OPERATOR]))
    system = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN]))

    @router.get("", response_model=BundleList, responses=PROBLEMS)
    async def bundles(who: Principal = reader) -> BundleList:
        """All that are here, by name and version."""
        return await run_in_threadpool(_listed, library)

    @router.get("/{ref}/verify", response_model=BundleVerdict, responses=PROBLEMS)
    async def verify(ref: str, who: Principal = reader) -> BundleVerdict:
        """Every file against its hash, and who vouches for it."""

        def check() -> BundleVerdict:
            bundle = library.find(ref)
            return BundleVerdict(ref=bundle.ref, signed_by=library.check(bundle))

        return await run_in_threadpool(check)

    @router.get("/{ref}", response_model=None, responses={**PROBLEMS, **TAR})
    async def export(ref: str, who: Principal = system) -> Response:
        """The bundle as a tar, with its signatures."""
        bundle = await run_in_threadpool(library.find, ref)
        await access.record(who, "bundle.export", bundle.ref)
        names = archive.names_in(bundle.folder)
        size = {"content-length": str(archive.packed_size(bundle.folder, names))}
        pieces = archive.pack(bundle.folder, names)
        return StreamingResponse(pieces, media_type="application/x-tar", headers=size)


def _add_keeping(
    router: APIRouter, library: ModelLibrary, access: Access, rollout: Rollout | None
) -> None:
    system = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN]))

    @router.post(
        "",
        status_code=201,
        response_model=BundleSchema,
        responses=PROBLEMS,
        openapi_extra={"requestBody": {"required": True, "content": BINARY}},
    )
    async def take(
        request: Request,
        who: Principal = system,
        allow_downgrade: Annotated[bool, Query(description="though a newer one is here")] = False,
    ) -> BundleSchema:
        """Import a bundle: the tar that an export gives, whole or not at all."""
        size = _declared(request)
        async with refusing(), access.doing(who, "bundle.import", f"{size} bytes"):
            return await _received(library, request, size, allow_downgrade=allow_downgrade)

    @router.delete("/{ref}", status_code=204, response_model=None, responses=PROBLEMS)
    async def remove(ref: str, who: Principal = system) -> Response:
        """Delete one that serves nowhere and is no way back."""
        async with refusing(), access.doing(who, "bundle.remove", ref[:140]):
            loaded = [rollout.loads] if rollout else []
            await run_in_threadpool(library.remove, ref, *loaded)
        return Response(status_code=204)


def _add_serving(
    router: APIRouter, library: ModelLibrary, access: Access, rollout: Rollout | None
) -> None:
    system = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN]))

    async def change(
        who: Principal, act: str, slot: str, what: str, work: Callable[[], Any]
    ) -> BundleList:
        async with refusing(), access.doing(who, act, what):
            if rollout:
                rollout.check_free(slot)
            await run_in_threadpool(work)
        return await run_in_threadpool(_listed, library)

    @router.post(
        "/activate",
        response_model=BundleList,
        responses=PROBLEMS,
        openapi_extra=takes(ActivationWanted),
    )
    async def activate(request: Request, who: Principal = system) -> BundleList:
        """Let a bundle serve; it is checked whole first. It serves from the next start on."""
        wanted = checked(ActivationWanted, await read_json(request))
        slot = wanted.slot or await run_in_threadpool(_slot_of, library, wanted.ref)
        ref, told = wanted.ref, f"{slot} {wanted.ref}"
        return await change(who, "bundle.activate", slot, told, lambda: library.activate(slot, ref))

    @router.post(
        "/rollback",
        response_model=BundleList,
        responses=PROBLEMS,
        openapi_extra=takes(RollbackWanted),
    )
    async def rollback(request: Request, who: Principal = system) -> BundleList:
        """Let what served before serve again, from the next start on."""
        slot = checked(RollbackWanted, await read_json(request)).slot
        return await change(who, "bundle.rollback", slot, slot, lambda: library.roll_back(slot))


async def _received(
    library: ModelLibrary, request: Request, size: int, *, allow_downgrade: bool
) -> BundleSchema:
    with library.receiving(size) as file:
        inlet = Inlet(request, size, IDLE_TIMEOUT_S)
        async for piece in Request(request.scope, inlet.receive).stream():
            await run_in_threadpool(file.write, piece)
        file.seek(0)
        taken = await run_in_threadpool(lambda: library.take(file, allow_downgrade=allow_downgrade))
    return await run_in_threadpool(_shown, library, taken)


def _declared(request: Request) -> int:
    told = request.headers.get("content-length", "")
    if not told.isdecimal() or not 0 < int(told) <= MOST_BYTES:
        cause = "it does not say how long it is" if not told else f"{told[:20]} bytes"
        raise InvalidRequest("import a bundle", cause, "send it with its Content-Length")
    return int(told)


@contextlib.asynccontextmanager
async def refusing() -> AsyncIterator[None]:
    """A bundle that is no good is the fault of whoever brings it, not of the box."""
    try:
        yield
    except BundleError as error:
        raise InvalidRequest(error.doing, error.cause, error.hint) from error


def _slot_of(library: ModelLibrary, ref: str) -> str:
    kind = library.find(ref).manifest.kind
    return next(slot for slot, takes_kind in SLOTS.items() if takes_kind == kind)


def _listed(library: ModelLibrary) -> BundleList:
    slots = {slot: SlotSchema(**asdict(state)) for slot, state in library.slots().items()}
    return BundleList(bundles=[_shown(library, each) for each in library.held()], slots=slots)


def _shown(library: ModelLibrary, bundle: HeldBundle) -> BundleSchema:
    told = bundle.manifest
    return BundleSchema(
        ref=bundle.ref,
        kind=told.kind,
        description=told.description,
        licence=told.licence,
        origin=told.origin,
        languages=list(told.languages),
        size=bundle.size,
        demo=told.demo,
        shipped=bundle.shipped,
        expires=told.expires,
        serves=[slot for slot, state in library.slots().items() if state.active == bundle.ref],
    )
