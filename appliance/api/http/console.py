"""The page at `/`: who may look, what they see, and the stream that keeps it up to date."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from starlette.requests import HTTPConnection
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
)

from appliance.access.roles import (
    ANYBODY,
    OPERATES,
    ORDERS,
    READS,
    SEARCHES,
    SEES_WARNINGS,
    SENDS,
    AccessRole,
    Principal,
)
from appliance.api.auth import bearer
from appliance.api.http.auth import COOKIE, Needs
from appliance.api.http.followed import Followed
from appliance.api.http.sse import LISTENING, EventStream, written
from appliance.api.http.status import PLACES
from appliance.api.orders import hidden_body, tenant_of
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.life import OPEN
from appliance.console.board import Lines
from appliance.console.facts import facts
from appliance.console.orders import MOST_ROWS
from appliance.console.orders import rows as order_rows
from appliance.console.page import STATIC, renderer
from appliance.console.view import PageNews, SharedView, rounded
from appliance.console.viewer import Language, Viewer
from appliance.errors import Forbidden, NotFound, Unauthenticated
from appliance.store.order_rows import OrderFilter
from appliance.watch.history import SERIES, History

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.call.box import Box

TICK_S = 0.15  # between two looks for news
QUIET_S = 15.0  # after which a line says that the connection lives
COOKIE_S = 12 * 3600
# Nothing from elsewhere, nothing inline: what a citizen says can never become a program. Kept audio
# is fetched once, for the audit log, and played from memory.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Visitor(Needs):
    """Whoever comes with a browser and shows no key, or one that opens nothing, is asked for one on
    a page."""

    async def __call__(self, connection: HTTPConnection) -> Principal | None:  # type: ignore[override]
        try:
            return await super().__call__(connection)
        except (Unauthenticated, Forbidden) as error:
            if wants_html(connection):
                connection.state.without_role = isinstance(error, Forbidden)
                return None
            raise


def wants_html(connection: HTTPConnection) -> bool:
    return "text/html" in connection.headers.get("accept", "")


def console_routes(
    box: Box, history: History, access: Access | None, followed: Followed | None = None
) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    shared = SharedView(box, followed.lines if followed else Lines())
    needs = Needs(access, OPERATES | ORDERS)
    watcher, operator = Depends(needs), Depends(Needs(access, OPERATES))
    visitor = Depends(Visitor(access, ANYBODY))

    @router.get("/", response_model=None)
    async def root(request: Request, who: Principal | None = visitor) -> Response:
        if not wants_html(request):
            return JSONResponse(PLACES)
        if who is None:
            return asking(request)
        viewer = viewer_of(request, who, followed=followed is not None)
        if not viewer.sees_status and viewer.places:  # a duty officer's first page, an editor's
            path, _, _ = viewer.places[0]
            return RedirectResponse(path, 303, HEADERS)
        return shown(request, renderer(viewer.language).page(viewer))

    @router.get("/console/events", response_model=None)
    async def events(request: Request, who: Principal = watcher) -> Response:
        """Server-sent events, as far as they may be seen: `verdict`, `load`, `now`, `condition`,
        `sample` and `calls`."""
        token = request.cookies.get(COOKIE, "")

        def still() -> None:
            """Raises once the key is no longer good, or the session is over; looking is use."""
            needs.still(who)
            if token and access and not access.sessions.key(token):
                raise Unauthenticated("follow the box", "the session is over", "sign in again")

        async with AsyncExitStack() as stack:
            stack.enter_context(shared.place(who))
            viewer = viewer_of(request, who)
            if access and who.is_human and viewer.sees_calls:
                await access.record(who, "calls.follow")  # else it must not be done
            told = _told(shared, PageNews(shared, history, viewer, who), still)
            return EventStream(LISTENING, told, stack.pop_all(), HEADERS)

    @router.get("/console/history", response_model=None)
    async def past(since: float = 0.0, who: Principal = operator) -> Response:
        """Samples after `since`, s since 1970, by the box's own clock."""
        samples = [rounded(sample) for sample in history.since(since)]
        zone_s = time.localtime().tm_gmtoff
        return JSONResponse({"names": SERIES, "utc_offset_s": zone_s, "samples": samples})

    _add_static(router)
    if followed:
        _add_orders(router, followed.services.orders, access)
        _add_terms(router, followed, access)
        _add_views(router, followed, access)
    _add_session(router, access)
    _add_trying(router, box, access, followed)
    return router


def _add_static(router: APIRouter) -> None:
    @router.get("/console/static/{name:path}", response_model=None)
    async def static(name: str) -> Response:
        try:
            path = (STATIC / name).resolve()
            there = path.is_relative_to(STATIC) and path.is_file()
        except (OSError, ValueError, RuntimeError):  # too long, NUL, a loop of links
            there = False
        if not there:
            raise NotFound("read a file of the page", "there is none of that name")
        headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
        return FileResponse(path, headers=headers)


def _add_orders(router: APIRouter, desk: OrderDesk, access: Access | None) -> None:
    reader = Depends(Needs(access, ORDERS))

    @router.get("/console/orders", response_model=None)
    async def in_work(request: Request, who: Principal = reader) -> Response:
        """Orders in work, what is due first; names and numbers are hidden."""
        unit = who.unit if AccessRole.CLERK in who.roles else None
        wanted = OrderFilter(states=tuple(sorted(OPEN)), unit=unit, tenant=tenant_of(who))
        late = replace(wanted, due_before=time.time())
        due, total = await desk.soonest(wanted, MOST_ROWS), await desk.count(wanted)
        hidden = [replace(each, body=hidden_body(each)) for each in due]
        rows = order_rows(hidden, desk.city.pack, time.time())
        words = renderer(language_of(request))
        return HTMLResponse(words.orders(rows, total, await desk.count(late)), 200, HEADERS)


def _add_terms(router: APIRouter, followed: Followed, access: Access | None) -> None:
    reader = Depends(Visitor(access, READS))

    @router.get("/terms", response_model=None)
    async def listed(request: Request, who: Principal | None = reader) -> Response:
        """A hotline system's names and words that are to be heard right, to be typed in."""
        if who is None:
            return asking(request)
        viewer = viewer_of(request, who, followed=True)
        kept = await followed.terms.get(who.own_tenant)
        return shown(request, renderer(viewer.language).terms(viewer, kept))


def _add_views(router: APIRouter, followed: Followed, access: Access | None) -> None:
    """Knowledge, quality and warnings: frames whose scripts ask the doors, as any program does."""

    def add(name: str, roles: frozenset[AccessRole]) -> None:
        reader = Depends(Visitor(access, roles))

        @router.get(f"/{name}", name=name, response_model=None)
        async def view(request: Request, who: Principal | None = reader) -> Response:
            if who is None:
                return asking(request)
            viewer = viewer_of(request, who, followed=True)
            told = facts(followed.services.orders.city.pack, viewer.language)
            return shown(request, renderer(viewer.language).view(name, viewer, told))

    add("knowledge", SEARCHES)
    add("quality", READS)
    add("warnings", SEES_WARNINGS)


def _add_trying(
    router: APIRouter, box: Box, access: Access | None, followed: Followed | None
) -> None:
    sender = Depends(Visitor(access, SENDS))

    @router.get("/try", response_model=None)
    async def trying(request: Request, who: Principal | None = sender) -> Response:
        """Anybody who may send audio drops a file or speaks, and sees the words come."""
        if who is None:
            return asking(request)
        viewer = viewer_of(request, who, followed=followed is not None)
        return shown(request, renderer(viewer.language).trying(viewer, box.models()))


def _add_session(router: APIRouter, access: Access | None) -> None:
    anybody = Depends(Needs(access, ANYBODY))

    @router.post("/console/session", response_model=None)
    async def sign_in(request: Request, who: Principal = anybody) -> Response:
        """A cookie for the key in the header."""
        answer = Response(status_code=204)
        if access and (key := bearer(request.headers.get("authorization", ""))):
            await access.record(who, "session.begin")
            token = access.sessions.begin(key)
            secure = request.url.scheme == "https"
            answer.set_cookie(
                COOKIE, token, COOKIE_S, httponly=True, samesite="strict", secure=secure
            )
        return answer

    @router.delete("/console/session", response_model=None)
    async def sign_out(request: Request, who: Principal = anybody) -> Response:
        token = request.cookies.get(COOKIE, "")
        if access and access.sessions.key(token):
            access.sessions.end(token)
            await access.record(who, "session.end")
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE)
        return answer


async def _told(
    shared: SharedView, news: PageNews, still: Callable[[], None]
) -> AsyncGenerator[str]:
    """What is new, until the box drains or the viewer may look no more."""
    quiet_since = time.monotonic()
    while True:
        try:
            still()
        except Unauthenticated:  # the page asks who it is when it comes again
            return
        for each in news.take():
            quiet_since = time.monotonic()
            yield written(each.data, name=each.name)
        if shared.draining:  # no page holds up a restart
            return
        if time.monotonic() - quiet_since > QUIET_S:
            quiet_since = time.monotonic()
            yield LISTENING
        await asyncio.sleep(TICK_S)


def language_of(connection: HTTPConnection) -> Language:
    """As asked for, now or before; Chinese first."""
    asked = connection.query_params.get("lang") or connection.cookies.get("lang")
    return "en" if asked == "en" else "zh"


def asking(request: Request) -> Response:
    """For a key: whoever asks showed none, or one that does not open this page."""
    without_role = request.state.without_role
    page = renderer(language_of(request)).login(without_role=without_role)
    return HTMLResponse(page, 403 if without_role else 401, HEADERS)


def shown(request: Request, page: str) -> Response:
    """A page; a language that was chosen with it is remembered."""
    answer = HTMLResponse(page, 200, HEADERS)
    if "lang" in request.query_params:
        year_s = 365 * 86_400
        answer.set_cookie("lang", language_of(request), year_s, httponly=True, samesite="strict")
    return answer


def viewer_of(request: Request, who: Principal, *, followed: bool = False) -> Viewer:
    signed_in = bool(request.cookies.get(COOKIE))
    return Viewer(who.name, language_of(request), who.roles, signed_in, followed)
