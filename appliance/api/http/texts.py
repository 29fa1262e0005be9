"""/api/v1/texts: written messages from an app, a page, WeChat, Weibo or mail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import JSONResponse, Response

from appliance.access.access import Access
from appliance.access.roles import SENDS, Principal
from appliance.api import orders as common
from appliance.api.fields import checked
from appliance.api.http import order_schemas as schemas
from appliance.api.http.auth import Needs
from appliance.api.http.body import MOST_TEXT_BYTES, read_json, takes
from appliance.api.http.promises import PROBLEMS
from appliance.api.texts import TextMessage, orders_of, take_text
from appliance.archive.texts import Texts
from appliance.assist.orders.desk import OrderDesk


def text_routes(texts: Texts, desk: OrderDesk, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1/texts", tags=["texts"])
    sender = Depends(Needs(access, SENDS))

    @router.post(
        "",
        status_code=201,
        response_model=schemas.TextTaken,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.TextWanted),
    )
    async def take(
        request: Request,
        who: Principal = sender,
        idempotency_key: Annotated[str, Header(max_length=128)] = "",
    ) -> Response:
        """Take a message: kept, classified and made an order as a call is."""
        wanted = checked(schemas.TextWanted, await read_json(request, MOST_TEXT_BYTES))
        message = TextMessage(
            wanted.channel,
            wanted.text,
            wanted.author,
            wanted.phone,
            wanted.message_id,
            tuple(wanted.attachments),
        )
        found = await take_text(texts, who, message, idempotency_key)
        made = [common.shown(each, masked=False) for each in await orders_of(desk, found)]
        return JSONResponse({"id": found, "orders": made}, 201)

    return router
