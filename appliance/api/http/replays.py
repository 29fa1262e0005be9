"""/api/v1/replays: what follows calls is done again for past ones."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from appliance.access.access import Access
from appliance.access.roles import OPERATES, Principal
from appliance.api.fields import checked
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json
from appliance.api.http.promises import PROBLEMS
from appliance.errors import Forbidden, InvalidRequest
from appliance.feed.replay import Replay, Replays
from appliance.messages import EVERY_TENANT
from appliance.store.jobs import JobState

DOING = "replay calls"


class ReplayWanted(BaseModel, extra="forbid"):
    name: str = Field(max_length=64, description="of who follows calls")
    since: datetime = Field(description="calls that began then or later")
    until: datetime | None = Field(None, description="and before then; none: to this moment")
    tenant: str = Field(EVERY_TENANT, max_length=64, description="one hotline system's calls")


class ReplayShown(BaseModel):
    id: str
    state: JobState
    progress: float = Field(ge=0, le=1)
    error: str


class ReplayNames(BaseModel):
    names: list[str] = Field(description="who can be replayed")


def replay_routes(replays: Replays, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/replays", tags=["replays"])
    operator = Depends(Needs(access, OPERATES))

    @router.get("", response_model=ReplayNames, responses=PROBLEMS)
    async def names(who: Principal = operator) -> ReplayNames:
        """Whose work can be done again."""
        return ReplayNames(names=replays.names)

    @router.post("", status_code=202, response_model=ReplayShown, responses=PROBLEMS)
    async def ask(request: Request, who: Principal = operator) -> Response:
        """Queue what one who follows calls owes past ones; done once for each replay."""
        wanted = checked(ReplayWanted, await read_json(request))
        if not who.sees(wanted.tenant):
            raise Forbidden(DOING, "they are another hotline system's", "name your own tenant")
        if access:
            await access.record(who, "replay", wanted.name)
        try:
            since = wanted.since.timestamp()
            until = wanted.until.timestamp() if wanted.until else None
        except (ValueError, OverflowError) as error:
            hint = "name a later year; without a zone it is the box's"
            raise InvalidRequest(DOING, "that time is out of range", hint, param="since") from error
        found = await replays.ask(wanted.name, since, until, wanted.tenant)
        shown = _shown(await replays.find(found))
        return JSONResponse(shown.model_dump(mode="json"), 202)

    @router.get("/{replay}", response_model=ReplayShown, responses=PROBLEMS)
    async def status(replay: str, who: Principal = operator) -> ReplayShown:
        """How far one has come."""
        return _shown(await replays.find(replay))

    return router


def _shown(replay: Replay) -> ReplayShown:
    return ReplayShown(
        id=replay.id, state=replay.state, progress=replay.progress, error=replay.error
    )
