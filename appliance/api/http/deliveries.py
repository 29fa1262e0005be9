"""/api/v1/deliveries: webhooks that nobody took."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from appliance.access.access import Access
from appliance.access.roles import OPERATES, Principal
from appliance.api.http.auth import Needs
from appliance.api.http.promises import PROBLEMS
from appliance.errors import Forbidden
from appliance.messages import EVERY_TENANT
from appliance.webhooks.webhooks import Webhooks


class Delivery(BaseModel):
    id: str
    url: str
    type: str = Field(description="of the CloudEvent")
    call: str
    attempts: int
    error: str = Field(description="of the last attempt")
    next_at: float = Field(description="of the next attempt, s since 1970; past: there is none")


class DeadLetters(BaseModel):
    deliveries: list[Delivery] = Field(description="failed for good, newest first")
    failing: list[Delivery] = Field(description="failed, and tried again; the next one first")


def delivery_routes(webhooks: Webhooks, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/deliveries", tags=["deliveries"])
    operator = Depends(Needs(access, OPERATES))

    @router.get("", response_model=DeadLetters, responses=PROBLEMS)
    async def dead(who: Principal = operator) -> DeadLetters:
        """Deliveries that failed, for good or so far; of every hotline system."""
        _sees_all(who)
        letters, failing = await webhooks.dead_letters(), await webhooks.failing()
        return DeadLetters(
            deliveries=[Delivery(**letter) for letter in letters],
            failing=[Delivery(**letter) for letter in failing],
        )

    @router.post("/{delivery}/retry", status_code=204, responses=PROBLEMS)
    async def retry(delivery: str, who: Principal = operator) -> Response:
        """Try one again, from the start."""
        _sees_all(who)
        if access:
            await access.record(who, "delivery.retry", delivery[:64])
        await webhooks.retry_dead(delivery)
        return Response(status_code=204)

    return router


def _sees_all(who: Principal) -> None:
    if who.tenant != EVERY_TENANT:
        raise Forbidden(
            "see deliveries",
            "they are of every hotline system",
            "it takes an operator of tenant *",
        )
