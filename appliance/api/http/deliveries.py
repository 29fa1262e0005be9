"""/api/v1/deliveries: webhooks that nobody took."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from appliance.api.http.recordings import PROBLEMS
from appliance.archive.archive import Archive


class Delivery(BaseModel):
    id: str
    url: str
    type: str = Field(description="of the CloudEvent")
    call: str
    attempts: int
    error: str = Field(description="of the last attempt")


class DeadLetters(BaseModel):
    deliveries: list[Delivery]


def delivery_routes(archive: Archive) -> APIRouter:
    router = APIRouter(prefix="/api/v1/deliveries", tags=["deliveries"])

    @router.get("", response_model=DeadLetters, responses=PROBLEMS)
    async def dead() -> DeadLetters:
        """Deliveries that failed for good, newest first."""
        letters = await archive.dead_letters()
        return DeadLetters(deliveries=[Delivery(**letter) for letter in letters])

    @router.post("/{delivery}/retry", status_code=204, responses=PROBLEMS)
    async def retry(delivery: str) -> Response:
        """Try one again, from the start."""
        await archive.retry_delivery(delivery)
        return Response(status_code=204)

    return router
