"""/api/v1/knowledge: search, write, approve; /api/v1/calls/{id}/suggestions: what is proposed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from appliance.access.access import Access
from appliance.access.roles import APPROVES, EDITS, READS, SEARCHES, Principal
from appliance.api.calls import DEFAULT_PAGE, MOST_PER_PAGE
from appliance.api.http import knowledge_schemas as schemas
from appliance.api.http.auth import Needs
from appliance.api.http.body import checked, read_json, takes, version_of
from appliance.api.http.promises import PROBLEMS
from appliance.archive.archive import Archive
from appliance.assist.knowledge.desk import KnowledgeDesk
from appliance.assist.knowledge.library import FoundEntry
from appliance.assist.knowledge.passages import highlights
from appliance.assist.text.index import query_of
from appliance.errors import Forbidden
from appliance.store.asked import AgentVerdict
from appliance.store.knowledge import EntryState, KnowledgeEntry

MOST_FOUND = 50
MOST_TOGETHER = 500
MOST_BYTES = 16 << 20  # of many entries
MOST_ENTRY_BYTES = 512 << 10
PLACE = r"^(\d{12})?$"


class ManyEntries(BaseModel):
    entries: list[schemas.ImportedEntry] = Field(max_length=MOST_TOGETHER)


_version = partial(version_of, doing="change an entry")


def knowledge_routes(desk: KnowledgeDesk, archive: Archive, access: Access | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["knowledge"])
    _add_searching(router, desk, access)
    _add_editing(router, desk, access)
    _add_upkeep(router, desk, access)
    _add_reading(router, desk, access)
    _add_approving(router, desk, access)
    _add_suggestions(router, desk, archive, access)
    return router


def _add_searching(router: APIRouter, desk: KnowledgeDesk, access: Access | None) -> None:
    searcher = Depends(Needs(access, SEARCHES))

    @router.get("/knowledge/search", response_model=schemas.SearchSchema, responses=PROBLEMS)
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=2000, description="a question")],
        who: Principal = searcher,
        place: Annotated[str, Query(pattern=PLACE, description="12-digit code")] = "",
        day: Annotated[date | None, Query(description="on which it has to hold")] = None,
        most: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 3,
    ) -> schemas.SearchSchema:
        """What answers a question there, on that day; the best first."""
        found = await asyncio.to_thread(desk.search, [(q, 1.0)], place=place, day=day, most=most)
        return schemas.SearchSchema(found=[_found(each, q) for each in found])


def _found(each: FoundEntry, question: str) -> schemas.FoundSchema:
    words = each.entry.answer[each.passage.begin : each.passage.end]
    return schemas.found(each, highlights(words, query_of([(question, 1.0)])))


def _add_editing(router: APIRouter, desk: KnowledgeDesk, access: Access | None) -> None:
    editor = Depends(Needs(access, EDITS))

    @router.get("/knowledge", response_model=schemas.EntryList, responses=PROBLEMS)
    async def page(
        who: Principal = editor,
        state: EntryState | None = None,
        page_size: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = DEFAULT_PAGE,
        page_token: Annotated[str, Query(pattern=r"^\d{0,18}$")] = "",
    ) -> schemas.EntryList:
        """Entries, the last changed first."""
        before = int(page_token) if page_token else None
        found = await desk.page(state, page_size + 1, before)
        more = str(found[page_size - 1].sequence) if len(found) > page_size else ""
        told = [schemas.entry(each) for each in found[:page_size]]
        return schemas.EntryList(entries=told, next_page_token=more)

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
        entries = [each.entry(each.id) for each in given.entries]
        if approve:
            _check_approves(who)
        async with _doing(access, who, "knowledge.import", f"{len(entries)} entries"):
            made = await (desk.publish if approve else desk.draft)(entries, who.name)
        found = await desk.contradicting(made)
        return schemas.Imported(
            ids=[each.id for each in made],
            contradictions=[schemas.contradiction(each) for each in found],
            undated=sum(not each.valid_to for each in made),
        )


def _add_upkeep(router: APIRouter, desk: KnowledgeDesk, access: Access | None) -> None:
    editor = Depends(Needs(access, EDITS))

    @router.get("/knowledge/gaps", response_model=schemas.GapList, responses=PROBLEMS)
    async def gaps(who: Principal = editor) -> schemas.GapList:
        """What was asked and has no entry, by matter; what was asked most first."""
        return schemas.GapList(gaps=[schemas.gap(each) for each in await desk.gaps()])

    @router.post(
        "/knowledge/gaps/{gap}/draft",
        response_model=schemas.EntrySchema,
        status_code=201,
        responses=PROBLEMS,
    )
    async def draft_for(gap: str, who: Principal = editor) -> Response:
        """A draft of a gap: its questions, and what agents answered them."""
        return _answer(await desk.draft_for(gap, who.name), 201)

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
        who: Principal = editor, days: Annotated[int, Query(ge=0, le=3660)] = 30
    ) -> schemas.EntryList:
        """Live entries whose last day has come or comes within so many days."""
        return _list(desk.expiring(days))


def _add_reading(router: APIRouter, desk: KnowledgeDesk, access: Access | None) -> None:
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


def _add_approving(router: APIRouter, desk: KnowledgeDesk, access: Access | None) -> None:
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
        async with _doing(access, who, "knowledge.approve", entry):
            known = bool(who.credential)
            return _answer(await desk.approve(entry, who.name, _version(if_match), known=known))

    @router.post(
        "/knowledge/{entry}/retire", response_model=schemas.EntrySchema, responses=PROBLEMS
    )
    async def retire(entry: str, who: Principal = approver) -> Response:
        """It answers no longer; its history stays."""
        async with _doing(access, who, "knowledge.retire", entry):
            return _answer(await desk.retire(entry, who.name))


def _add_suggestions(
    router: APIRouter, desk: KnowledgeDesk, archive: Archive, access: Access | None
) -> None:
    reader = Depends(Needs(access, READS))

    @router.get("/calls/{call}/suggestions", responses=PROBLEMS)
    async def suggestions(call: str, who: Principal = reader) -> dict[str, Any]:
        """What is proposed to the agent now; of a call that is over, at its end."""
        record = await archive.get(call, tenant=who.tenant)
        if access and who.is_human:
            await access.record(who, "call.read", record.id)
        told = record.derived.get("suggestions", {"utterance": "", "question": "", "entries": []})
        return dict(told)

    @router.post(
        "/calls/{call}/suggestions/{entry}",
        status_code=204,
        responses=PROBLEMS,
        openapi_extra=takes(schemas.VerdictFields),
    )
    async def judge(request: Request, call: str, entry: str, who: Principal = reader) -> Response:
        """采纳 or 不准: it weighs from the next question on, in this call and in others alike."""
        wanted = checked(schemas.VerdictFields, await read_json(request))
        record = await archive.get(call, tenant=who.tenant)
        question = record.derived.get("suggestions", {}).get("question", "")
        await desk.judge(AgentVerdict(record.id, entry, wanted.taken, who.name, question))
        return Response(status_code=204)


def _check_approves(who: Principal) -> None:
    if not who.roles & APPROVES:
        raise Forbidden("import entries", "you may not approve them", "leave approve=true out")


def _list(entries: Sequence[KnowledgeEntry]) -> schemas.EntryList:
    return schemas.EntryList(entries=[schemas.entry(each) for each in entries])


def _answer(entry: KnowledgeEntry, status: int = 200) -> Response:
    body = schemas.entry(entry).model_dump(mode="json")
    return JSONResponse(body, status, headers={"ETag": f'"{entry.version}"'})


def _doing(access: Access | None, who: Principal, act: str, about: str) -> Any:
    return access.doing(who, act, about) if access else nullcontext()
