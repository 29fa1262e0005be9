"""The subscriber that proposes answers while the citizen speaks, and notes what had none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appliance.assist.knowledge.desk import SURE, KnowledgeDesk
from appliance.assist.knowledge.outcome import answer_to, ended_well
from appliance.assist.knowledge.proposal import LOOKED_AT, ShownEntries, as_json, proposal
from appliance.assist.knowledge.want import Want, want
from appliance.assist.orders import pii
from appliance.assist.orders.said import said_in
from appliance.errors import NotFound
from appliance.feed.kinds.suggestions import Suggested
from appliance.feed.subscriber import FollowedCall, Listener, Owed, Subscriber
from appliance.messages import CallRecord, CallState, Final, Lasting, NumberedEvent
from appliance.metrics import Metrics
from appliance.store.asked import OpenQuestion
from appliance.store.database import Also
from appliance.store.jobs import Job
from appliance.store.store import Store

RECENT = 40  # utterances that a question is looked for in


class KnowledgeFollower(Subscriber):
    """Live: `suggestions` events. Durable: questions that nobody could answer."""

    name = "knowledge"

    def __init__(
        self,
        store: Store,
        desk: KnowledgeDesk,
        metrics: Metrics,
        announce: Callable[[OpenQuestion], Sequence[Also]] = lambda _: (),
    ) -> None:
        self._store, self._desk, self._metrics = store, desk, metrics
        self._announce = announce

    def listen(self, call: FollowedCall) -> Listener | None:
        self._desk.follow(call.id)
        return KnowledgeListener(call, self._desk, self._metrics)

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        spoken = state is CallState.FINISHED or (state is CallState.FAILED and call.config.live)
        return [Owed("questions")] if spoken and call.record(state).utterances else ()

    async def settle(self, job: Job) -> Sequence[Also]:
        """A question of a call that no entry answered, kept for whoever writes the next one."""
        try:
            record = await self._store.calls.record(job.call_id)
            config = await self._store.calls.config(job.call_id)
        except NotFound:  # deleted meanwhile
            return ()
        if record is None:
            return ()
        verdicts = await self._store.asked.of_call(job.call_id)
        if any(each.taken for each in verdicts):
            return ()
        found = await asyncio.to_thread(self._unanswered, record, config.tenant, bool(verdicts))
        return [await self._store.asked.adding(found), *self._announce(found)] if found else ()

    def _unanswered(self, record: CallRecord, tenant: str, rejected: bool) -> OpenQuestion | None:
        said = said_in(record.utterances)
        asks = want(said)
        if not asks.asks:
            return None
        place = place_of(record.derived)
        found = self._desk.search(asks.parts, place=place, most=1)
        if found and found[0].confidence >= SURE and not rejected:
            return None
        personal = _personal(record.derived)
        answer = answer_to(said, asks.utterance) if ended_well(record) else ""
        text, answer = pii.masked(asks.text, personal), pii.masked(answer, personal)
        of = (record.id, 0, text, answer, place, tenant)
        return OpenQuestion(*of, rejected=rejected)


class KnowledgeListener:
    """Of one call."""

    def __init__(self, call: FollowedCall, desk: KnowledgeDesk, metrics: Metrics) -> None:
        self._call, self._desk, self._metrics = call, desk, metrics
        self._shown = ShownEntries()
        self._asked: tuple[tuple[str, float], ...] = ()

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        if not isinstance(told.event, Final) or not len(self._desk.library):
            return ()
        record = self._call.record()
        asks = want(said_in(record.utterances[-RECENT:]))
        if not asks.parts or asks.parts == self._asked:
            return ()
        self._asked = asks.parts
        with self._metrics.suggestion_seconds.time():
            now = await asyncio.to_thread(self._proposed, asks, place_of(record.derived))
        if now.ids == self._shown.ids:
            return ()
        self._shown = now
        entries = await asyncio.to_thread(lambda: tuple(as_json(each, asks) for each in now.found))
        return [Suggested(asks.utterance, asks.text, entries)]

    def _proposed(self, asks: Want, place: str) -> ShownEntries:
        found = self._desk.search(asks.parts, place=place, most=LOOKED_AT)
        return proposal(self._shown, found, self._desk.refused(self._call.id))

    def leave(self) -> None:
        self._desk.forget(self._call.id)


def place_of(derived: Mapping[str, Any]) -> str:
    """Code of the division that a call is about, as its order has it; empty: it is not known."""
    codes = (each.get("codes", {}).get("division", "") for each in derived.get("orders", ()))
    return next(filter(None, codes), "")


def _personal(derived: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for draft in derived.get("orders", ()):
        found.update(pii.personal(draft.get("fields", {})))
    return found
