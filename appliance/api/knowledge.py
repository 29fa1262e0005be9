"""The knowledge base as every door serves it, once it is known who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import date
from typing import TYPE_CHECKING, Any

from appliance.access.roles import APPROVES, Principal
from appliance.api import knowledge_schemas as schemas
from appliance.assist.knowledge.desk import today
from appliance.assist.knowledge.library import FoundEntry
from appliance.assist.knowledge.passages import highlights
from appliance.assist.text.index import query_of
from appliance.errors import Conflict, Forbidden
from appliance.store.asked import AgentVerdict, AnswerRecipient
from appliance.store.knowledge import EntryState, KnowledgeEntry

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.archive.archive import Archive
    from appliance.assist.knowledge.desk import KnowledgeDesk
    from appliance.store.database import Also

MOST_FOUND = 50
TellAnswer = Callable[[AnswerRecipient, KnowledgeEntry], "Sequence[Also]"]
MOST_QUESTION = 2000  # characters
MOST_TOGETHER = 500  # entries imported at once


class KnowledgeService:
    """Privileged acts are audited here; roles are the doors' to ask for."""

    def __init__(
        self,
        desk: KnowledgeDesk,
        archive: Archive,
        access: Access | None,
        tell_answer: TellAnswer = lambda *_: (),
    ) -> None:
        self.desk = desk
        self._archive, self._access, self._tell_answer = archive, access, tell_answer

    async def search(
        self, question: str, place: str, day: date | None, most: int
    ) -> schemas.SearchSchema:
        asked = [(question, 1.0)]

        def found() -> list[schemas.FoundSchema]:
            best = self.desk.search(asked, place=place, day=day, most=most)
            return [_found(each, question) for each in best]

        return schemas.SearchSchema(found=await asyncio.to_thread(found))

    async def page(self, state: EntryState | None, size: int, token: str) -> schemas.EntryList:
        """The last changed first."""
        found = await self.desk.page(state, size + 1, int(token) if token else None)
        more = str(found[size - 1].sequence) if len(found) > size else ""
        told = [schemas.entry(each) for each in found[:size]]
        return schemas.EntryList(entries=told, next_page_token=more)

    async def import_entries(
        self, given: Sequence[schemas.ImportedEntry], who: Principal, *, approve: bool
    ) -> schemas.Imported:
        """All of them or none, as drafts or live at once; raises Forbidden, InvalidRequest."""
        if approve and not who.roles & APPROVES:
            cause, hint = "you may not approve them", "leave approve=true out"
            raise Forbidden("import entries", cause, hint)
        entries = [each.entry(each.id) for each in given]
        async with self._doing(who, "knowledge.import", f"{len(entries)} entries"):
            put = self.desk.publish if approve else self.desk.draft
            made = await put(entries, who.name)
        found = await self.desk.contradicting(made)
        return schemas.Imported(
            ids=[each.id for each in made],
            contradictions=[schemas.contradiction(each) for each in found],
            undated=sum(not each.valid_to for each in made),
        )

    async def gaps(self, who: Principal) -> schemas.GapList:
        found = await self.desk.gaps(who.tenant)
        return schemas.GapList(gaps=[schemas.gap(each) for each in found])

    async def approve(self, entry: str, who: Principal, version: int | None) -> KnowledgeEntry:
        async with self._doing(who, "knowledge.approve", entry):
            known = bool(who.credential)
            return await self.desk.approve(entry, who.name, version, known=known)

    async def retire(self, entry: str, who: Principal) -> KnowledgeEntry:
        async with self._doing(who, "knowledge.retire", entry):
            return await self.desk.retire(entry, who.name)

    async def suggestions(self, call: str, who: Principal) -> dict[str, Any]:
        """What is proposed now; of a call that is over, at its end. Raises NotFound."""
        record = await self._archive.get(call, tenant=who.tenant)
        if self._access and who.is_human:
            await self._access.record(who, "call.read", record.id)
        told = record.derived.get("suggestions", {"utterance": "", "question": "", "entries": []})
        verdicts = await self._archive.store.asked.of_call(record.id)
        refused = {each.entry_id for each in verdicts if not each.taken}
        entries = [each for each in told["entries"] if each["entry"] not in refused]
        return {**told, "entries": entries}

    async def judge(self, call: str, entry: str, who: Principal, *, taken: bool) -> None:
        """采纳 or 不准. Raises NotFound."""
        record = await self._archive.get(call, tenant=who.tenant)
        question = record.derived.get("suggestions", {}).get("question", "")
        await self.desk.judge(AgentVerdict(record.id, entry, taken, who.name, question))

    async def send(self, call: str, entry: str, who: Principal, channel: str) -> None:
        """The answer goes to whoever called, by the hotline system; it counts as 采纳.

        Raises:
            NotFound, Conflict: it answers no longer, or nobody takes answers.
        """
        doing, store = "send an answer", self._archive.store
        found = await self._archive.find(call, tenant=who.tenant)
        record, answer = await self._archive.get(found.id), await self.desk.get(entry)
        if answer.state is not EntryState.LIVE or not answer.holds_on(today().isoformat()):
            raise Conflict(doing, f"{entry} does not answer", "take one that is live")
        whose = (await store.calls.config(found.id)).tenant
        told = self._tell_answer(AnswerRecipient(found.id, found.name, whose, channel), answer)
        if not told:
            hint = 'name one in [[webhooks.endpoints]], with events = ["knowledge.answer"]'
            raise Conflict(doing, "no endpoint takes answers", hint)
        question = record.derived.get("suggestions", {}).get("question", "")
        async with self._doing(who, "knowledge.send", f"{found.id} {entry} {channel}"):
            await self.desk.judge(AgentVerdict(found.id, entry, True, who.name, question), told)
        store.jobs.news.tell()

    def _doing(self, who: Principal, act: str, about: str) -> Any:
        return self._access.doing(who, act, about) if self._access else nullcontext()


def _found(each: FoundEntry, question: str) -> schemas.FoundSchema:
    words = each.entry.answer[each.passage.begin : each.passage.end]
    return schemas.found(each, highlights(words, query_of([(question, 1.0)])))
