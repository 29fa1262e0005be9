"""lingting.hotline.v1.Knowledge: what of /api/v1/knowledge other systems ask for, by gRPC."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict

from appliance.access.roles import APPROVES, EDITS, READS, SEARCHES, AccessRole
from appliance.api import knowledge_schemas as schemas
from appliance.api.calls import DEFAULT_PAGE, MOST_PER_PAGE
from appliance.api.fields import DOING, checked
from appliance.api.grpc.auth import Doorman
from appliance.api.grpc.hotline_requests import id_of
from appliance.api.grpc.mirror import bounded, chosen, day_of, message, resource
from appliance.api.knowledge import MOST_FOUND, MOST_QUESTION, MOST_TOGETHER, KnowledgeService
from appliance.errors import InvalidRequest, TooLarge
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.store.knowledge import EntryState, KnowledgeEntry

DOOR = "knowledge"
FOUND = 3
PLACE = re.compile(r"(\d{12})?")
TOKEN = re.compile(r"\d{0,18}")


class KnowledgeServicer:
    """Each method is translation around the service."""

    service = pb.DESCRIPTOR.services_by_name["Knowledge"]

    def __init__(self, service: KnowledgeService, doorman: Doorman) -> None:
        self._service, self._doorman = service, doorman

    async def SearchEntries(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "SearchEntries", SEARCHES):
            if not 0 < len(request.question) <= MOST_QUESTION:
                cause = f"the question must have 1 to {MOST_QUESTION} characters"
                raise InvalidRequest(DOING, cause, param="question")
            if not PLACE.fullmatch(request.place):
                raise InvalidRequest(DOING, "place must be a 12-digit code", param="place")
            most = bounded(request.most, "most", FOUND, MOST_FOUND)
            day = day_of(request.day, "day")
            told = await self._service.search(request.question, request.place, day, most)
            return message(
                pb.SearchEntriesResponse, {"found": [_found(each) for each in told.found]}
            )

    async def ListEntries(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ListEntries", EDITS):
            state = chosen(EntryState, request.state, "state") if request.state else None
            size = bounded(request.page_size, "page_size", DEFAULT_PAGE, MOST_PER_PAGE)
            if not TOKEN.fullmatch(request.page_token):
                raise InvalidRequest(DOING, "page_token is none of ours", param="page_token")
            told = await self._service.page(state, size, request.page_token)
            entries = [_entry(each) for each in told.entries]
            page = {"entries": entries, "next_page_token": told.next_page_token}
            return message(pb.ListEntriesResponse, page)

    async def GetEntry(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetEntry", SEARCHES):
            return _answer(await self._service.desk.get(_id(request.name)))

    async def ImportEntries(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ImportEntries", EDITS) as asked:
            if len(request.entries) > MOST_TOGETHER:
                raise TooLarge(DOING, f"{len(request.entries)} entries", f"{MOST_TOGETHER} at most")
            given = [_given(each) for each in request.entries]
            made = await self._service.import_entries(given, asked.who, approve=request.approve)
            told = made.model_dump(exclude={"ids"})
            for each in told["contradictions"]:
                each |= {name: resource("entries", each[name]) for name in ("entry", "other")}
            names = [resource("entries", each) for each in made.ids]
            return message(pb.ImportEntriesResponse, {**told, "names": names})

    async def UpdateEntry(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "UpdateEntry", EDITS) as asked:
            entry = _id(request.entry.name)
            given = _given(request.entry).entry(entry)
            version = request.version or None
            return _answer(await self._service.desk.change(entry, given, asked.who.name, version))

    async def ApproveEntry(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ApproveEntry", APPROVES) as asked:
            entry, version = _id(request.name), request.version or None
            return _answer(await self._service.approve(entry, asked.who, version))

    async def RetireEntry(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "RetireEntry", APPROVES) as asked:
            return _answer(await self._service.retire(_id(request.name), asked.who))

    async def ListGaps(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ListGaps", EDITS) as asked:
            gaps = [_gap(each) for each in (await self._service.gaps(asked.who)).gaps]
            return message(pb.ListGapsResponse, {"gaps": gaps})

    async def DraftForGap(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "DraftForGap", EDITS) as asked:
            gap = id_of(request.name, "gaps/")
            who = asked.who
            return _answer(await self._service.desk.draft_for(gap, who.name, who.tenant))

    async def GetSuggestions(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetSuggestions", READS) as asked:
            told = await self._service.suggestions(id_of(request.name), asked.who)
            return message(pb.Suggestions, told)

    async def JudgeSuggestion(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "JudgeSuggestion", READS) as asked:
            call, entry = id_of(request.call), _id(request.entry)
            await self._service.judge(call, entry, asked.who, taken=request.taken)
            return Empty()

    async def SendSuggestion(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "SendSuggestion", READS) as asked:
            wanted = checked(schemas.SendFields, {"channel": request.channel})
            of = (id_of(request.call), _id(request.entry), asked.who)
            await self._service.send(*of, wanted.channel)
            return Empty()

    def answering(self, context: Any, method: str, roles: frozenset[AccessRole]) -> Any:
        return self._doorman.answering(context, method, DOOR, roles)


def _id(name: str) -> str:
    return id_of(name, "entries/")


def _given(entry: Any) -> schemas.ImportedEntry:
    """What is written of it; what is the box's own is left aside."""
    told = MessageToDict(entry, preserving_proto_field_name=True)
    fields = {name: told[name] for name in schemas.EntryFields.model_fields if name in told}
    return checked(
        schemas.ImportedEntry,
        {"answer": "", **fields, "id": entry.name.removeprefix("entries/")},
    )


def _answer(entry: KnowledgeEntry) -> Any:
    return message(pb.Entry, _entry(schemas.entry(entry)))


def _entry(told: schemas.EntrySchema) -> dict[str, Any]:
    names = {
        "name": resource("entries", told.id),
        "gap": resource("gaps", told.gap),
        "replaces": resource("entries", told.replaces),
        "absorbs": [resource("entries", each) for each in told.absorbs],
    }
    return told.model_dump(mode="json", exclude={"id"}) | names


def _found(told: schemas.FoundSchema) -> dict[str, Any]:
    return told.model_dump(exclude={"entry"}) | {
        "entry": _entry(told.entry),
        "marks": [{"begin": begin, "end": end} for begin, end in told.marks],
        "also": [resource("entries", each) for each in told.also],
    }


def _gap(told: schemas.GapSchema) -> dict[str, Any]:
    samples = [{**each.model_dump(), "call": resource("calls", each.call)} for each in told.samples]
    name = resource("gaps", told.id)
    return told.model_dump(exclude={"id"}) | {"name": name, "samples": samples}
