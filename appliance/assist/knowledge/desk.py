"""The desk of the knowledge base: entries are kept, changed and approved there, and searched."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from appliance.assist.knowledge import edits
from appliance.assist.knowledge.contradicting import all_contradictions, contradicting
from appliance.assist.knowledge.duplicates import Duplicates, duplicates, merged
from appliance.assist.knowledge.edits import Contradiction
from appliance.assist.knowledge.freed import give_back
from appliance.assist.knowledge.gaps import Gap
from appliance.assist.knowledge.library import FoundEntry, Library, changed, crowded, tidied
from appliance.assist.knowledge.opinions import opinions
from appliance.assist.knowledge.rows import one_row
from appliance.assist.knowledge.unanswered import UnansweredQuestions
from appliance.assist.text.index import query_of
from appliance.errors import Conflict, Forbidden, InvalidRequest, NotFound
from appliance.messages import EVERY_TENANT
from appliance.metrics import Metrics
from appliance.store.asked import AgentVerdict, OpenQuestion
from appliance.store.database import Also
from appliance.store.knowledge import (
    Decide,
    EntryState,
    EntryVersion,
    KnowledgeEntry,
    Read,
    new_id,
)
from appliance.store.store import Store

if TYPE_CHECKING:
    from appliance.assist.current import CurrentCity

log = logging.getLogger(__name__)

CHANGED = "knowledge"  # a notice
COUNT_EVERY_S = 60.0  # gaps, for whoever watches the box
LOOK_EVERY_S = 5.0  # where notices may be lost
CHINA = timedelta(hours=8)
FORMS = 3  # of a question, in a draft
SURE = 0.5  # confidence, from which on an entry answers a question
Parts = Sequence[tuple[str, float]]


class KnowledgeDesk:
    """`start` and `close` it; `library` is what is searched now."""

    def __init__(self, store: Store, city: CurrentCity, metrics: Metrics) -> None:
        self._store, self._city, self._metrics = store, city, metrics
        self.library = Library()
        self._changed = asyncio.Event()
        self._taking = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._refused: dict[str, set[str]] = {}  # by calls that run here
        self._judged: tuple[object, ...] | None = None  # what opinions were made of
        self._counted_at = float("-inf")

    async def start(self) -> None:
        asked, sequence = self._store.asked, lambda: self.library.sequence
        self._unanswered = UnansweredQuestions(asked, self._is_answered, sequence)
        self._store.notices.on(CHANGED, lambda _: self._changed.set())
        self._store.notices.when_missed(self._changed.set)
        self._changed.set()
        self._looking = asyncio.create_task(self._look(), name="knowledge")

    async def close(self) -> None:
        running = [each for each in (self._looking, self._tidying) if each]
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            try:
                await self.take_changes()
                if crowded(self.library) and (self._tidying is None or self._tidying.done()):
                    self._tidying = asyncio.create_task(self._tidy(), name="knowledge tidying")
                await self._weigh()
                await self._count()
                self._metrics.looked_timestamp_seconds.labels("knowledge").set_to_current_time()
            except Exception:  # what is known stays known
                log.exception("reading the knowledge base failed")
            await _either(self._changed, LOOK_EVERY_S)
            self._changed.clear()

    async def _weigh(self) -> None:
        """What agents have said, where they have said something since."""
        stamp = await self._store.asked.stamp()
        if stamp == self._judged:
            return
        made = await asyncio.to_thread(opinions, await self._store.asked.verdicts())
        async with self._taking:
            self.library = replace(self.library, opinions=made)
        self._judged = stamp

    async def _count(self) -> None:
        self._metrics.knowledge_entries.set(len(self.library))
        if time.monotonic() - self._counted_at >= COUNT_EVERY_S:
            self._metrics.knowledge_gaps.set(await self._unanswered.refresh())
            self._counted_at = time.monotonic()

    async def take_changes(self) -> None:
        """What was changed since is searched from now on."""
        async with self._taking:
            found = await self._store.knowledge.since(self.library.sequence)
            self.library = await asyncio.to_thread(changed, self.library, found)

    async def _tidy(self) -> None:
        """What was changed is searched meanwhile, on rows of its own."""
        while some := crowded(self.library):
            one = await asyncio.to_thread(one_row, some)
            async with self._taking:
                self.library = tidied(self.library, some, one)
            del some, one
            await asyncio.to_thread(give_back)

    # --- finding

    def search(
        self, parts: Parts, *, place: str = "", day: date | None = None, most: int = 3
    ) -> list[FoundEntry]:
        """In any thread: what answers a question of some texts, each with how much it matters."""
        when = day or today()
        return self.library.search(query_of(parts), day=when, place=place, most=most)

    async def get(self, entry_id: str) -> KnowledgeEntry:
        return await self._store.knowledge.get(entry_id)

    async def page(
        self, state: EntryState | None, size: int, before: int | None = None
    ) -> list[KnowledgeEntry]:
        """The last changed first; `before` is the sequence of the page before's last."""
        return await self._store.knowledge.page(state, size, before)

    async def history(self, entry_id: str) -> list[EntryVersion]:
        return await self._store.knowledge.history(entry_id)

    # --- changing

    async def draft(self, entries: Sequence[KnowledgeEntry], who: str) -> list[KnowledgeEntry]:
        """New ones, or proposed changes of those that they replace; all or none.

        Raises:
            InvalidRequest: one of them cannot be kept.
        """
        return await self._put(entries, EntryState.DRAFT, who, "drafted")

    async def publish(self, entries: Sequence[KnowledgeEntry], who: str) -> list[KnowledgeEntry]:
        """Live at once, on an approver's word for all of them."""
        return await self._put(entries, EntryState.LIVE, who, "imported")

    async def _put(
        self, entries: Sequence[KnowledgeEntry], state: EntryState, who: str, action: str
    ) -> list[KnowledgeEntry]:
        counted = Counter(each.id for each in entries if each.id)
        if twice := next((name for name, n in counted.items() if n > 1), ""):
            cause = f"{twice!r} is there twice"
            raise InvalidRequest(edits.DOING, cause, "each id once", param="id")
        divisions = self._city.pack.divisions
        approved = who if state is EntryState.LIVE else ""
        made = [
            replace(
                edits.checked(each, divisions),
                id=each.id or new_id(),
                state=state,
                changed_by=who[:64],
                approved_by=approved,
            )
            for each in entries
        ]
        put = await self._store.knowledge.put(made, action, who)
        self._tell()
        return put

    async def change(
        self, entry_id: str, entry: KnowledgeEntry, who: str, version: int | None = None
    ) -> KnowledgeEntry:
        """Of a draft, itself; of one that is live, a draft that replaces it when it is approved."""
        before = await self.get(entry_id)
        entry = edits.checked(entry, self._city.pack.divisions)
        if before.state is EntryState.LIVE:
            if version not in (None, before.version):
                cause = f"it is version {before.version} now"
                raise Conflict("change an entry", cause, "read it again")
            mine = replace(entry, id="", replaces=entry_id, base=before.version)
            return (await self.draft([mine], who))[0]

        def decide(now: KnowledgeEntry, read: Read) -> list[KnowledgeEntry]:
            if now.state is EntryState.LIVE:
                raise Conflict("change an entry", "it was approved meanwhile", "read it again")
            kept = {name: getattr(now, name) for name in ("id", "gap", "replaces", "base")}
            kept["absorbs"] = now.absorbs
            state = EntryState.DRAFT
            return [replace(entry, state=state, changed_by=who[:64], approved_by="", **kept)]

        return await self._changed_to(entry_id, decide, "changed", who, version)

    async def approve(
        self, entry_id: str, who: str, version: int | None = None, *, known: bool = True
    ) -> KnowledgeEntry:
        """It answers from now on; raises Conflict if it is no draft, Forbidden if `who` wrote it.

        Args:
            known: whether `who` is somebody's name: behind an open door everybody has the same.

        Returns:
            The entry that answers: of a proposed change the one that was changed.
        """

        def decide(now: KnowledgeEntry, read: Read) -> list[KnowledgeEntry]:
            if now.state is not EntryState.DRAFT:
                raise Conflict("approve an entry", f"it is {now.state}", "change it first")
            if known and now.changed_by == who[:64]:
                hint = "somebody else has to approve it"
                raise Forbidden("approve an entry", "you wrote it", hint)
            if not now.replaces:
                return [replace(now, state=EntryState.LIVE, approved_by=who[:64])]
            absorbed = [read(each) for each in now.absorbs]
            if other := next((e for e in absorbed if e.state is not EntryState.LIVE), None):
                cause = f"{other.id}, which retires by it, is {other.state} now"
                raise Conflict("approve an entry", cause, "merge them anew")
            gone = [now, *absorbed]
            used = [replace(each, state=EntryState.RETIRED, approved_by=who[:64]) for each in gone]
            return [_replaced(_unchanged(now, read(now.replaces)), now, who), *used]

        return await self._changed_to(entry_id, decide, "approved", who, version)

    async def retire(self, entry_id: str, who: str) -> KnowledgeEntry:
        """It answers no longer."""

        def decide(now: KnowledgeEntry, read: Read) -> list[KnowledgeEntry]:
            return [replace(now, state=EntryState.RETIRED, approved_by=who[:64])]

        return await self._changed_to(entry_id, decide, "retired", who)

    async def _changed_to(
        self, entry_id: str, decide: Decide, action: str, who: str, version: int | None = None
    ) -> KnowledgeEntry:
        made = await self._store.knowledge.change(entry_id, decide, action, who, version)
        self._tell()
        return made

    def _tell(self) -> None:
        self._changed.set()
        self._store.notices.tell(CHANGED)

    # --- what is wrong with it, and what is missing

    async def contradicting(self, entries: Sequence[KnowledgeEntry]) -> list[Contradiction]:
        """Of those with what is live, and with each other."""
        await self.take_changes()
        return await asyncio.to_thread(contradicting, self.library, entries)

    async def contradictions(self) -> list[Contradiction]:
        """Of live entries, each once."""
        return await asyncio.to_thread(all_contradictions, list(self.library.by_id.values()))

    async def duplicates(self) -> list[Duplicates]:
        """Live entries that ask the same."""
        return await asyncio.to_thread(duplicates, list(self.library.by_id.values()))

    async def merge(self, keep_id: str, ids: Sequence[str], who: str) -> KnowledgeEntry:
        """One live entry for all of them: a draft, which an approver makes so."""
        keep = await self.get(keep_id)
        others = [await self.get(each) for each in dict.fromkeys(ids) if each != keep_id]
        for each in (keep, *others):
            if each.state is not EntryState.LIVE or each.scope != keep.scope:
                cause = f"{each.id} is {each.state}, for {each.scope or 'all places'}"
                hint = "merge live entries of one place"
                raise InvalidRequest("merge entries", cause, hint, param="ids")
        made = replace(merged(keep, others), absorbs=tuple(each.id for each in others))
        return await self.change(keep_id, made, who)

    def expiring(self, within_days: int) -> list[KnowledgeEntry]:
        """Live ones whose last day is near, the nearest first."""
        last = (today() + timedelta(within_days)).isoformat()
        ending = [each for each in self.library.by_id.values() if "" < each.valid_to <= last]
        return sorted(ending, key=lambda each: (each.valid_to, each.id))

    async def gaps(self, tenant: str = EVERY_TENANT) -> list[Gap]:
        """What was asked and still has no answer."""
        return await self._unanswered.gaps(tenant)

    def _is_answered(self, asked: OpenQuestion) -> bool:
        """By an entry, for sure; where the agent would not have it, by one that came since."""
        found = self.search([(asked.text, 1.0)], place=asked.place, most=1)
        sure = bool(found) and found[0].confidence >= SURE
        return sure and (not asked.rejected or found[0].entry.changed_at > asked.at)

    async def gap(self, gap_id: str, tenant: str = EVERY_TENANT) -> Gap:
        """Raises NotFound."""
        found = next((each for each in await self.gaps(tenant) if each.id == gap_id), None)
        if found is None:
            raise NotFound("find a gap", f"there is no gap {gap_id!r}", "it may have been closed")
        return found

    async def draft_for(self, gap_id: str, who: str, tenant: str = EVERY_TENANT) -> KnowledgeEntry:
        """A draft of a gap: its questions, and what agents answered."""
        gap = await self.gap(gap_id, tenant)
        forms = tuple(dict.fromkeys(each.text for each in gap.questions))[:FORMS]
        answer = gap.answer or "（待补充：没有坐席答复可以参考）"
        entry = KnowledgeEntry("", forms, answer, scope=gap.place, gap=gap.id)
        return (await self.draft([entry], who))[0]

    async def judge(self, verdict: AgentVerdict, told: Sequence[Also] = ()) -> None:
        """An agent's word on what was proposed in a call; it weighs from the next question on."""
        await self.get(verdict.entry_id)
        await self._store.asked.judge(verdict, told)
        if (refused := self._refused.get(verdict.call_id)) is not None:
            (refused.discard if verdict.taken else refused.add)(verdict.entry_id)
        self._tell()

    def follow(self, call_id: str) -> None:
        """What is refused in this call is remembered until it is forgotten."""
        self._refused[call_id] = set()

    def refused(self, call_id: str) -> set[str]:
        """What the agent would not have in a call that runs here."""
        return self._refused.get(call_id, set())

    def forget(self, call_id: str) -> None:
        self._refused.pop(call_id, None)


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _unchanged(draft: KnowledgeEntry, now: KnowledgeEntry) -> KnowledgeEntry:
    """What a draft is a proposed change of, as long as it is; raises Conflict."""
    if now.state is EntryState.LIVE and draft.base in (0, now.version):
        return now
    cause = f"{now.id} is {now.state}, version {now.version}: this was written for {draft.base}"
    raise Conflict("approve an entry", cause, "write the change anew")


def _replaced(now: KnowledgeEntry, draft: KnowledgeEntry, who: str) -> KnowledgeEntry:
    said = (
        "questions",
        "answer",
        "kind",
        "department",
        "scope",
        "valid_from",
        "valid_to",
        "source",
    )
    values = {name: getattr(draft, name) for name in (*said, "tags")}
    return replace(
        now, state=EntryState.LIVE, changed_by=draft.changed_by, approved_by=who[:64], **values
    )


def today() -> date:
    """In China."""
    return (datetime.now(UTC) + CHINA).date()
