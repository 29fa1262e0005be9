"""/open311/v2: Open311 GeoReport v2, the public standard for citizens' requests, in XML and JSON.

Services are leaf categories; requests are orders.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from appliance.access.access import Access
from appliance.access.roles import AccessRole, Principal
from appliance.api.http.auth import Needs
from appliance.api.http.errors import fault_of
from appliance.api.http.promises import STATUSES, Responses
from appliance.api.http.upload import IDLE_TIMEOUT_S, Inlet
from appliance.api.texts import TextMessage, orders_of, take_text
from appliance.archive.texts import Texts
from appliance.assist.city.tiers import CHINA
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.draft import OrderField
from appliance.assist.orders.life import CHINESE, ENDED, Actor, OrderState
from appliance.errors import InvalidRequest, LingtingError, NotFound
from appliance.store.order_rows import Order, OrderFilter

SENDS = frozenset({AccessRole.CALLER})
MOST_FORM_BYTES = 256 << 10
MOST_REQUESTS = 1000  # as the standard has it
MOST_DAYS = 90  # of one list, as the standard has it
PATH = "/open311/v2"
# The standard's own errors, in the form that was asked for; the door's, of who may not come in.
FORMS = ("application/json", "text/xml", "application/problem+json")
ANSWERS: Responses = {
    status: {"content": {form: {} for form in FORMS}} for status in (200, *STATUSES)
}
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Rows = list[dict[str, Any]]


def open311_routes(desk: OrderDesk, texts: Texts, access: Access | None) -> APIRouter:
    router = APIRouter(prefix=PATH, tags=["open311"])
    _add_services(router, desk, access)
    _add_requests(router, desk, access)
    _add_posting(router, desk, texts, access)
    return router


class GeoReportQuery:
    """What every request names: the form of the answer and the city."""

    def __init__(
        self, ending: str, jurisdiction_id: Annotated[str, Query(max_length=64)] = ""
    ) -> None:
        self.ending, self.jurisdiction = ending, jurisdiction_id

    def check(self, desk: OrderDesk) -> None:
        """Raises NotFound for another city."""
        pack = desk.city.pack.identity
        if self.jurisdiction not in ("", pack.name, pack.division):
            raise NotFound(
                "answer Open311", f"jurisdiction_id {self.jurisdiction} is not ours", pack.name
            )


AskedHere = Annotated[GeoReportQuery, Depends()]


def _add_services(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    sender = Depends(Needs(access, SENDS))

    @router.get("/services.{ending}", response_model=None, responses=ANSWERS)
    async def services(asked: AskedHere, who: Principal = sender) -> Response:
        """What can be asked for: the leaf categories."""

        def found() -> Rows:
            asked.check(desk)
            return _services(desk)

        return _telling(asked, found, "services", "service")

    @router.get("/services/{code}.{ending}", response_model=None, responses=ANSWERS)
    async def service(code: str, asked: AskedHere, who: Principal = sender) -> Response:
        """One of them; there are no attributes besides the description."""

        def found() -> Rows:
            asked.check(desk)
            if code not in desk.city.pack.taxonomy:
                raise NotFound("answer Open311", f"there is no service_code {code}")
            return [{"service_code": code, "attributes": []}]

        return _telling(asked, found, "", "service_definition")

    @router.get("/discovery.{ending}", response_model=None, responses=ANSWERS)
    async def discovery(request: Request, asked: AskedHere, who: Principal = sender) -> Response:
        """Where this is spoken, and which forms it has."""

        def found() -> Rows:
            asked.check(desk)
            return [_discovery(desk, f"{request.base_url}{PATH.lstrip('/')}")]

        return _telling(asked, found, "", "discovery")


def _discovery(desk: OrderDesk, url: str) -> dict[str, Any]:
    pack = desk.city.pack
    endpoint = {
        "specification": "GeoReport_v2",
        "url": url,
        "changeset": pack.version,
        "type": "production",
        "formats": ["application/json", "text/xml"],
    }
    return {
        "changeset": pack.version,
        "contact": f"{pack.identity.title} {pack.identity.hotline}",
        "key_service": "",
        "endpoints": [endpoint],
    }


def _services(desk: OrderDesk) -> Rows:
    taxonomy = desk.city.pack.taxonomy
    return [
        {
            "service_code": each.code,
            "service_name": each.name,
            "description": each.summary,
            "metadata": "false",
            "type": "realtime",
            "keywords": ",".join(each.keywords),
            "group": taxonomy.name(each.parent) if each.parent else each.name,
        }
        for each in taxonomy.leaves
    ]


def _add_requests(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    sender = Depends(Needs(access, SENDS))

    @router.get("/requests.{ending}", response_model=None, responses=ANSWERS)
    async def requests(
        asked: AskedHere,
        who: Principal = sender,
        service_request_id: Annotated[str, Query(max_length=2000)] = "",
        service_code: Annotated[str, Query(max_length=2000)] = "",
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        status: Annotated[str, Query(max_length=20)] = "",
    ) -> Response:
        """By ids, or those of a time, at most 90 days and 1000 requests."""

        async def found() -> Rows:
            asked.check(desk)
            if service_request_id:
                ids = service_request_id.split(",")[:MOST_REQUESTS]
                orders = [await desk.get(each.strip(), who.tenant) for each in ids]
            else:
                wanted = _filter(start_date, end_date, status, who.tenant)
                codes = tuple(filter(None, service_code.split(",")))
                wanted = replace(wanted, categories=codes or None)
                orders = await desk.page(wanted, MOST_REQUESTS)
            return [_request(desk, each) for each in orders]

        return await _telling_later(asked, found, "service_requests", "request")

    @router.get("/tokens/{token}.{ending}", response_model=None, responses=ANSWERS)
    async def token_(token: str, asked: AskedHere, who: Principal = sender) -> Response:
        """The request that came of what was answered with a token; none of it: not yet."""

        async def found() -> Rows:
            asked.check(desk)
            made = [each for each in await desk.of_call(token) if who.sees(each.tenant)]
            if not made:
                raise NotFound("answer Open311", f"of {token} there is no request yet")
            return [{"service_request_id": made[0].number, "token": token}]

        return await _telling_later(asked, found, "service_requests", "request")

    @router.get("/requests/{order}.{ending}", response_model=None, responses=ANSWERS)
    async def request_(order: str, asked: AskedHere, who: Principal = sender) -> Response:
        """One by its id."""

        async def found() -> Rows:
            asked.check(desk)
            return [_request(desk, await desk.get(order, who.tenant))]

        return await _telling_later(asked, found, "service_requests", "request")


def _aware(moment: datetime) -> datetime:
    """Without a zone it is the city's own time."""
    return moment if moment.tzinfo else moment.replace(tzinfo=CHINA)


def _filter(start: datetime | None, end: datetime | None, status: str, tenant: str) -> OrderFilter:
    until = _aware(end) if end else datetime.now(UTC)
    until = max(until, datetime.fromtimestamp(0, UTC) + timedelta(days=MOST_DAYS))
    since = _aware(start) if start else until - timedelta(days=MOST_DAYS)
    if (until - since) > timedelta(days=MOST_DAYS):
        since = until - timedelta(days=MOST_DAYS)
    wanted = set(status.split(",")) - {""}
    states = {s.value for s in OrderState}
    if wanted == {"open"}:
        states -= {s.value for s in ENDED}
    elif wanted == {"closed"}:
        states = {s.value for s in ENDED}
    return OrderFilter(
        states=tuple(sorted(states)),
        since=since.timestamp(),
        until=until.timestamp(),
        tenant=tenant,
    )


def _request(desk: OrderDesk, order: Order) -> dict[str, Any]:
    fields, pack = order.body.get("fields", {}), desk.city.pack
    unit = pack.units.get(order.unit)
    return {
        "service_request_id": order.number,
        "status": "closed" if order.state in ENDED else "open",
        "status_notes": CHINESE[OrderState(order.state)],
        "service_name": pack.taxonomy.name(order.category),
        "service_code": order.category,
        "description": fields.get("content", {}).get("text", ""),
        "agency_responsible": unit.name if unit else "",
        "service_notice": order.body.get("question", ""),
        "requested_datetime": _time(order.created_at),
        "updated_datetime": _time(order.changed_at),
        "expected_datetime": _time(order.due_at),
        "address": fields.get("address", {}).get("text", ""),
        "address_id": order.division,
        "zipcode": "",
        "lat": "",
        "long": "",
        "media_url": "",
    }


def _add_posting(router: APIRouter, desk: OrderDesk, texts: Texts, access: Access | None) -> None:
    sender = Depends(Needs(access, SENDS))

    @router.post("/requests.{ending}", status_code=201, response_model=None, responses=ANSWERS)
    async def post(request: Request, asked: AskedHere, who: Principal = sender) -> Response:
        """Make a request: a form with service_code, description, address_string, phone ..."""

        async def made() -> Rows:
            form = await _form(request)
            asked.jurisdiction = asked.jurisdiction or form.get("jurisdiction_id", "")
            asked.check(desk)
            return [await _posted(desk, texts, who, form)]

        return await _telling_later(asked, made, "service_requests", "request", status=201)


async def _form(request: Request) -> dict[str, str]:
    inlet = Inlet(request, MOST_FORM_BYTES, IDLE_TIMEOUT_S)
    body = await Request(request.scope, inlet.receive).body()
    try:
        given = parse_qs(body.decode(), max_num_fields=100, errors="strict")
    except ValueError as error:
        raise InvalidRequest("read the request", f"the body is no form: {error}") from error
    return {name: values[0] for name, values in given.items()}


async def _posted(
    desk: OrderDesk, texts: Texts, who: Principal, form: dict[str, str]
) -> dict[str, Any]:
    code, words = form.get("service_code", ""), form.get("description", "").strip()
    if code and code not in desk.city.pack.taxonomy:
        raise NotFound("answer Open311", f"there is no service_code {code}")
    if not words:
        raise InvalidRequest("answer Open311", "description is missing", param="description")
    if not (form.get("address_string") or form.get("address_id")):
        cause = "address_string is missing; coordinates alone are not enough here"
        raise InvalidRequest("answer Open311", cause, param="address_string")
    place = form.get("address_string", "")
    said = f"地址：{place}。\n{words}" if place else words
    message = TextMessage("open311", said, phone=form.get("phone", "")[:32])
    call_id = await take_text(texts, who, message)
    orders = await orders_of(desk, call_id)
    if not orders:
        return {"token": call_id, "service_notice": "", "account_id": ""}
    order = orders[0]
    if code and order.category != code:
        fields = {OrderField.CATEGORY.value: code}
        order = await desk.patch(order.id, fields, who.name, Actor.SYSTEM, version=None)
    return {"service_request_id": order.number, "service_notice": "", "account_id": ""}


def _time(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else ""


def _telling(asked: GeoReportQuery, find: Any, whole: str, each: str) -> Response:
    try:
        return _told(asked.ending, find(), whole, each)
    except LingtingError as error:
        return _failed(asked.ending, error)


async def _telling_later(
    asked: GeoReportQuery, find: Any, whole: str, each: str, *, status: int = 200
) -> Response:
    try:
        return _told(asked.ending, await find(), whole, each, status)
    except LingtingError as error:
        return _failed(asked.ending, error)


def _failed(ending: str, error: LingtingError) -> Response:
    fault = fault_of(error)
    rows = [{"code": str(fault.status), "description": fault.message}]
    told = _told(ending, rows, "errors", "error", fault.status)
    told.headers.update(fault.headers)
    return told


def _told(ending: str, rows: Rows, whole: str, each: str, status: int = 200) -> Response:
    """Without a `whole` it is one alone."""
    if ending == "json":
        return JSONResponse(rows if whole else rows[0], status)
    if ending != "xml":
        return JSONResponse([{"code": "404", "description": "ask for .xml or .json"}], 404)
    root = ElementTree.Element(whole or each)
    for row in rows:
        _fill(ElementTree.SubElement(root, each) if whole else root, row)
    body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(body, status, media_type="text/xml; charset=utf-8")


def _fill(element: ElementTree.Element, value: Any, name: str = "") -> None:
    """Of a list `things` each is a `thing`."""
    if isinstance(value, dict):
        for key, each in value.items():
            _fill(ElementTree.SubElement(element, key), each, key)
    elif isinstance(value, list):
        for each in value:
            _fill(ElementTree.SubElement(element, name.removesuffix("s")), each)
    else:
        element.text = NO_XML.sub("", str(value))
