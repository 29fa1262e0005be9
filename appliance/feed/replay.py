"""Replays: what a subscriber owes past calls is queued anew, as if they had just ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.call.log import EventLog
from appliance.errors import Conflict, LingtingError, NotFound
from appliance.feed.owed import owed
from appliance.feed.subscriber import Subscriber, is_durable
from appliance.messages import EVERY_TENANT, CallConfig, CallRecord, CallState
from appliance.metrics import Metrics
from appliance.store.calls import OVER, Filter, Summary
from appliance.store.jobs import Job, JobState
from appliance.store.store import Store
from appliance.work.runner import JobProgress, Work

log = logging.getLogger(__name__)

KIND = "replay"
PAGE = 100  # calls at once


@dataclass(frozen=True, slots=True)
class Replay:
    """How far one has come."""

    id: str
    state: JobState
    progress: float  # 0..1
    error: str


class PastCall:
    """A call that is over, as a subscriber sees it."""

    def __init__(self, summary: Summary, config: CallConfig, record: CallRecord) -> None:
        self.id, self.config = summary.id, config
        self.started_at = config.began_at or summary.created_at
        self.log = EventLog()
        self._record = record

    def record(self, state: CallState | None = None) -> CallRecord:
        return self._record


class Replays(Work):
    """One at a time; cut off, it begins anew, and nothing is queued twice."""

    kind = KIND

    def __init__(self, store: Store, subscribers: Sequence[Subscriber], metrics: Metrics) -> None:
        super().__init__(store.jobs)
        self._store, self._metrics = store, metrics
        self._subscribers = {each.name: each for each in subscribers if is_durable(each)}

    @property
    def names(self) -> list[str]:
        return sorted(self._subscribers)

    async def ask(
        self, name: str, since: float, until: float | None, tenant: str = EVERY_TENANT
    ) -> str:
        """Queue a replay; returns its id.

        Args:
            since: s since 1970; calls that began then or later.
            until: and before then; None: to this moment.

        Raises:
            NotFound: nothing of that name can be replayed.
        """
        if name not in self._subscribers:
            known = ", ".join(self.names)
            raise NotFound("replay calls", f"nobody is called {name[:64]!r}", f"there are {known}")
        asked = {"name": name, "since": since, "until": until, "tenant": tenant}
        replay = await self.jobs.add(KIND, payload=json.dumps(asked).encode())
        self.jobs.news.tell()
        return replay

    async def find(self, replay: str) -> Replay:
        """Raises NotFound."""
        job = await self.jobs.find(KIND, replay)
        if job is None:
            raise NotFound("find a replay", f"there is none {replay[:64]!r}")
        return Replay(job.id, job.state, job.progress, job.error)

    async def run(self, job: Job, progress: JobProgress) -> None:
        asked = json.loads(job.payload)
        subscriber = self._subscribers.get(asked["name"])
        if subscriber is None:
            raise Conflict("replay calls", f"{asked['name']} is not with this release")
        until = asked["until"] or job.created_at
        wanted = Filter(since=asked["since"], until=until, tenant=asked["tenant"])
        total, done, after = await self._store.calls.count_all(wanted), 0, None
        while rows := await self._store.calls.page(wanted, PAGE, after):
            for summary in rows:
                await self._again(summary, subscriber, job.id)
            done, after = done + len(rows), (rows[-1].created_at, rows[-1].id)
            progress.share = min(1.0, done / max(1, total))
            self.jobs.news.tell()
        await self.jobs.done(job)

    async def _again(self, summary: Summary, subscriber: Subscriber, replay: str) -> None:
        """One call; what cannot be read any more is left out, and said."""
        if summary.state not in OVER:
            return
        try:
            config = await self._store.calls.config(summary.id)
            record = await self._store.calls.record(summary.id)
        except LingtingError as error:
            log.error("a call is not replayed: %s", error)
            return
        if record is None:
            return
        call = PastCall(summary, config, record)
        for debt in owed(call, summary.state, [subscriber], self._metrics, replay):
            await self.jobs.write(debt)
