"""/api/v1/admin/trial: another speech bundle beside the one that serves, and its taking over."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from appliance.access.access import Access
from appliance.access.roles import AccessRole, Principal
from appliance.api.fields import checked
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json, takes
from appliance.api.http.bundles import REF, refusing
from appliance.api.http.promises import PROBLEMS
from appliance.models.library import ModelLibrary
from appliance.models.rollout import Rollout, RolloutPolicy, RolloutStage

DEFAULT = RolloutPolicy()


class TrialWanted(BaseModel, extra="forbid"):
    ref: str = Field(pattern=REF, description="name@version, or a name: its newest")
    share: float = Field(DEFAULT.share, gt=0, le=1, description="of the windows, heard twice")
    windows: int = Field(
        DEFAULT.windows, ge=1, le=100_000, description="heard twice before it may lead, and after"
    )
    least_agreement: float = Field(
        DEFAULT.least_agreement, ge=0, le=1, description="of the characters, heard alike"
    )
    most_cost: float = Field(
        DEFAULT.most_cost, gt=0, le=1000, description="times the work of the one that serves"
    )
    automatic: bool = Field(DEFAULT.automatic, description="lead as soon as it may")


class TrialSchema(BaseModel):
    stage: RolloutStage
    ref: str = Field(description="name@version of what is or was tried; empty: nothing was")
    before: str = Field(description="what was active before; empty: what the settings name")
    reason: str = Field(description="why it went back")
    windows: int = Field(description="heard by both, in this stage")
    failed: int = Field(description="that the shadow did not answer")
    agreement: float = Field(description="share of the characters that both heard alike")
    cost: float = Field(description="work of the shadow, times that of the leading one")
    old_calls: int = Field(description="calls that still run with the old one")


def trial_routes(rollout: Rollout, library: ModelLibrary, access: Access) -> APIRouter:
    router = APIRouter(prefix="/api/v1/admin/trial", tags=["admin"])
    reader = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN, AccessRole.OPERATOR]))
    system = Depends(Needs(access, [AccessRole.SYSTEM_ADMIN]))

    def told() -> TrialSchema:
        return TrialSchema(**asdict(rollout.state()))

    @router.get("", response_model=TrialSchema, responses=PROBLEMS)
    async def trial(who: Principal = reader) -> TrialSchema:
        """How the trial under way gets on, or how the last one ended."""
        return told()

    @router.post(
        "",
        status_code=202,
        response_model=TrialSchema,
        responses=PROBLEMS,
        openapi_extra=takes(TrialWanted),
    )
    async def begin(request: Request, who: Principal = system) -> TrialSchema:
        """Load a bundle beside the one that serves, and ask it a share of the real windows."""
        wanted = checked(TrialWanted, await read_json(request)).model_dump()
        ref = wanted.pop("ref")
        async with refusing(), access.doing(who, "bundle.try", ref):
            bundle = await run_in_threadpool(library.find, ref)
            rollout.begin(bundle, RolloutPolicy(**wanted))
        return told()

    @router.post("/lead", response_model=TrialSchema, responses=PROBLEMS)
    async def lead(who: Principal = system) -> TrialSchema:
        """Calls that begin from now on are heard by it; it is watched, and may go back."""
        async with access.doing(who, "bundle.lead", rollout.state().ref):
            rollout.promote()
        return told()

    @router.post("/abort", response_model=TrialSchema, responses=PROBLEMS)
    async def abort(who: Principal = system) -> TrialSchema:
        """Back to the one before; calls under way end as they began."""
        async with access.doing(who, "bundle.abort", rollout.state().ref):
            await rollout.abort()
        return told()

    return router
