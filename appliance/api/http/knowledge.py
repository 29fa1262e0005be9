"""/api/v1/knowledge: search, write, approve; /api/v1/calls/{id}/suggestions: what is proposed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from appliance.access.access import Access
from appliance.access.roles import APPROVES, EDITS, READS, SEARCHES, Principal
from appliance.api import knowledge_schemas as schemas
from appliance.api.calls import DEFAULT_PAGE, MOST_PER_PAGE
from appliance.api.fields import checked
from appliance.api.http.auth import Needs
from appliance.api.http.body import read_json, takes, version_of
from appliance.api.http.promises import PROBLEMS
from appliance.api.knowledge import MOST_FOUND, MOST_QUESTION, MOST_TOGETHER, KnowledgeService
from appliance.store.knowledge import EntryState, KnowledgeEntry

MOST_BYTES = 16 << 20  # of many entries
MOST_ENTRY_BYTES = 512 << 10
PLACE = r"^(\d{12})?$"


class ManyEntries(BaseModel):
    entries: list[schemas.ImportedEntry] = Field(max_length=MOST_TOGETHER)


_version = partial(version_of, doing="change an entry")


def knowledge_routes(service: KnowledgeService, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["knowledge"])
    _add_searching(router, service, access)
    _add_editing(router, service, access)
    _add_upkeep(router, service, access)
    _add_reading(router, service, access)
    _add_approving(router, service, access)
    _add_suggestions(router, service, access)
    _add_sending(router, service, access)
    return router


def _add_searching(router: APIRouter, service: KnowledgeService, access: Access | None) -> None:
    searcher = Depends(Needs(access, SEARCHES))

    @router.get("/knowledge/search", response_model=schemas.SearchSchema, responses=PROBLEMS)
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=MOST_QUESTION, description="a question")],
        who: Principal = searcher,
        place: Annotated[str, Query(pattern=PLACE, description="12-digit code")] = "",
        day: Annotated[date | None, Query(description="on which it has to hold")] = None,
        most: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 3,
    ) -> schemas.SearchSchema:
        """What answers a question there, on that day; the best first."""
        return await service.search(q, place, day, most)


def _add_editing(router: APIRouter, service: KnowledgeService, access: Access | None) -> None:
    desk = service.desk
    editor = Depends(Needs(access, EDITS))

    @router.get("/knowledge", response_model=schemas.EntryList, responses=PROBLEMS)
    async def page(
        who: Principal = editor,
        state: EntryState | None = None,
        page_size: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = DEFAULT_PAGE,
        page_token: Annotated[str, Query(pattern=r"^\d{0,18}$")] = "",
    ) -> schemas.EntryList:
        """Entries, the last changed first."""
        return await service.page(state, page_size, page_token)

    @router.post(
        "/knowledge",
        response_model=schemas.EntrySchema,
        status_code=201,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.EntryFields),
    )
    async def draft(request: Request, who: Principal = editor) -> Response:
        """A draft; it answers once somebody else has approved it."""
        given = checked(schemas.EntryFields, await read_json(request, MOST_ENTRY_BYTES))
        (made,) = await desk.draft([given.entry()], who.name)
        return _answer(await desk.get(made.id), 201)

    @router.post(
        "/knowledge/batch",
        response_model=schemas.Imported,
        responses=PROBLEMS,
        openapi_extra=takes(ManyEntries),
    )
    async def many(
        request: Request,
        who: Principal = editor,
        approve: Annotated[bool, Query(description="live at once; for approvers")] = False,
    ) -> schemas.Imported:
        """Up to 500 entries, all or none; the same id again is a new version."""
        given = checked(ManyEntries, await read_json(request, MOST_BYTES))
        return await service.import_entries(given.entries, who, approve=approve)


def _add_upkeep(router: APIRouter, service: KnowledgeService, access: Access | None) -> None:
    desk = service.desk
    editor = Depends(Needs(access, EDITS))

    @router.get("/knowledge/gaps", response_model=schemas.GapList, responses=PROBLEMS)
    async def gaps(who: Principal = editor) -> schemas.GapList:
        """What was asked and has no entry, by matter; what was asked most first."""
        return await service.gaps(who)

    @router.post(
        "/knowledge/gaps/{gap}/draft",
        response_model=schemas.EntrySchema,
        status_code=201,
        responses=PROBLEMS,
    )
    async def draft_for(gap: str, who: Principal = editor) -> Response:
        """A draft of a gap: its questions, and what agents answered them."""
        return _answer(await desk.draft_for(gap, who.name, who.tenant), 201)

    @router.get("/knowledge/duplicates", response_model=schemas.DuplicateList, responses=PROBLEMS)
    async def duplicates(who: Principal = editor) -> schemas.DuplicateList:
        """Live entries that ask the same, and which of them is proposed for all."""
        told = [
            schemas.DuplicateSchema(
                keep=each.entries[0].id,
                ids=[entry.id for entry in each.entries],
                titles=[entry.title for entry in each.entries],
            )
            for each in await desk.duplicates()
        ]
        return schemas.DuplicateList(duplicates=told)

    @router.post(
        "/knowledge/merge",
        response_model=schemas.EntrySchema,
        status_code=201,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.MergeFields),
    )
    async def merge(request: Request, who: Principal = editor) -> Response:
        """A draft that answers for several entries; approved, the others retire."""
        wanted = checked(schemas.MergeFields, await read_json(request))
        return _answer(await desk.merge(wanted.keep, wanted.ids, who.name), 201)

    @router.get(
        "/knowledge/contradictions", response_model=schemas.ContradictionList, responses=PROBLEMS
    )
    async def contradictions(who: Principal = editor) -> schemas.ContradictionList:
        """Live entries for one question, place and time that say different things."""
        told = [schemas.contradiction(each) for each in await desk.contradictions()]
        return schemas.ContradictionList(contradictions=told)

    @router.get("/knowledge/expiring", response_model=schemas.EntryList, responses=PROBLEMS)
    async def expiring(
        who: Principal = editor,
        days: Annotated[int, Query(ge=0, le=3660)] = 30,
        limit: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = MOST_PER_PAGE,
    ) -> schemas.EntryList:
        """Live entries whose last day has come or comes within so many days, the nearest first."""
        return _list(desk.expiring(days)[:limit])


def _add_reading(router: APIRouter, service: KnowledgeService, access: Access | None) -> None:
    desk = service.desk
    searcher = Depends(Needs(access, SEARCHES))
    editor = Depends(Needs(access, EDITS))

    @router.get("/knowledge/{entry}", response_model=schemas.EntrySchema, responses=PROBLEMS)
    async def get(entry: str, who: Principal = searcher) -> Response:
        """As it is now."""
        return _answer(await desk.get(entry))

    @router.get(
        "/knowledge/{entry}/history", response_model=schemas.VersionList, responses=PROBLEMS
    )
    async def history(entry: str, who: Principal = editor) -> schemas.VersionList:
        """Every version, and who made it so; the first one first."""
        await desk.get(entry)
        told = [schemas.version(each) for each in await desk.history(entry)]
        return schemas.VersionList(versions=told)

    @router.put(
        "/knowledge/{entry}",
        response_model=schemas.EntrySchema,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.EntryFields),
    )
    async def change(
        request: Request,
        entry: str,
        who: Principal = editor,
        if_match: Annotated[str, Header(max_length=40, description="the ETag it had")] = "",
    ) -> Response:
        """Of a draft the draft; of a live entry a draft that takes its place once approved."""
        given = checked(schemas.EntryFields, await read_json(request, MOST_ENTRY_BYTES))
        return _answer(await desk.change(entry, given.entry(entry), who.name, _version(if_match)))


def _add_approving(router: APIRouter, service: KnowledgeService, access: Access | None) -> None:
    approver = Depends(Needs(access, APPROVES))

    @router.post(
        "/knowledge/{entry}/approve", response_model=schemas.EntrySchema, responses=PROBLEMS
    )
    async def approve(
        entry: str,
        who: Principal = approver,
        if_match: Annotated[str, Header(max_length=40, description="the ETag it had")] = "",
    ) -> Response:
        """It answers from now on. Whoever wrote it cannot approve it."""
        return _answer(await service.approve(entry, who, _version(if_match)))

    @router.post(
        "/knowledge/{entry}/retire", response_model=schemas.EntrySchema, responses=PROBLEMS
    )
    async def retire(entry: str, who: Principal = approver) -> Response:
        """It answers no longer; its history stays."""
        return _answer(await service.retire(entry, who))


def _add_suggestions(router: APIRouter, service: KnowledgeService, access: Access | None) -> None:
    reader = Depends(Needs(access, READS))

    @router.get("/calls/{call}/suggestions", responses=PROBLEMS)
    async def suggestions(call: str, who: Principal = reader) -> dict[str, Any]:
        """What is proposed to the agent now; of a call that is over, at its end."""
        return await service.suggestions(call, who)

    @router.post(
        "/calls/{call}/suggestions/{entry}",
        status_code=204,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.VerdictFields),
    )
    async def judge(request: Request, call: str, entry: str, who: Principal = reader) -> Response:
        """采纳 or 不准: it weighs from the next question on, in this call and in others alike."""
        wanted = checked(schemas.VerdictFields, await read_json(request))
        await service.judge(call, entry, who, taken=wanted.taken)
        return Response(status_code=204)


def _add_sending(router: APIRouter, service: KnowledgeService, access: Access | None) -> None:
    reader = Depends(Needs(access, READS))

    @router.post(
        "/calls/{call}/suggestions/{entry}/send",
        status_code=202,
        response_class=Response,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.SendFields),
    )
    async def send(request: Request, call: str, entry: str, who: Principal = reader) -> Response:
        """Its answer goes to whoever called, by a text channel of the hotline system; that hears of
        it by webhook. It counts as 采纳."""
        wanted = checked(schemas.SendFields, await read_json(request))
        await service.send(call, entry, who, wanted.channel)
        return Response(status_code=202)


def _list(entries: Sequence[KnowledgeEntry]) -> schemas.EntryList:
    return schemas.EntryList(entries=[schemas.entry(each) for each in entries])


def _answer(entry: KnowledgeEntry, status: int = 200) -> Response:
    body = schemas.entry(entry).model_dump(mode="json")
    return JSONResponse(body, status, headers={"ETag": f'"{entry.version}"'})
