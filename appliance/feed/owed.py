"""Does what subscribers owe calls that are over, and queues it anew for past ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from appliance.errors import LingtingError
from appliance.feed.subscriber import FollowedCall, Owed, Subscriber, job_id
from appliance.messages import CallState
from appliance.metrics import Metrics
from appliance.store import jobs
from appliance.work.runner import JobProgress, Work

if TYPE_CHECKING:
    from appliance.store.database import Also
    from appliance.store.jobs import Job, Jobs

log = logging.getLogger(__name__)


class OwedWork(Work):
    """Runs one subscriber's durable side."""

    def __init__(self, queue: Jobs, subscriber: Subscriber) -> None:
        super().__init__(queue)
        self.kind, self.at_once = subscriber.job_kind, subscriber.at_once
        self._subscriber = subscriber

    async def run(self, job: Job, progress: JobProgress) -> None:
        """What it made and the end of its job are one transaction: done once in effect."""
        async with asyncio.timeout(self._subscriber.patience_s):
            made = [*await self._subscriber.settle(job), self.jobs.ended(job)]

        def work(connection: Connection) -> None:
            for also in made:
                also(connection)

        await self.jobs.write(work)
        self.jobs.news.tell()  # it may have queued more

    async def failed(self, job: Job, error: BaseException) -> None:
        pause_s = self._subscriber.retry(job, error)
        known = isinstance(error, LingtingError)
        told = str(error) if known else repr(error)
        await self.jobs.failed(job, told, retry=pause_s is not None, after_s=pause_s)


def owed(
    call: FollowedCall,
    state: CallState,
    subscribers: Iterable[Subscriber],
    metrics: Metrics,
    replay: str = "",
) -> list[Also]:
    """For the transaction in which a call ends: jobs for all that subscribers owe it.

    Args:
        replay: the name of one; what was done before is then done again.
    """
    found: list[Also] = []
    for subscriber in subscribers:
        try:
            debts = list(subscriber.owes(call, state))
        except Exception:  # the call's end is worth more; `lingting replay` makes up for it
            metrics.subscriber_failures_total.labels(subscriber.name, "error").inc()
            log.exception("%s does not say what it owes call %s", subscriber.name, call.id)
            continue
        for debt in debts:
            found.append(queued(subscriber, call.id, debt, replay))
    return found


def queued(subscriber: Subscriber, call_id: str, debt: Owed, replay: str = "") -> Also:
    """For a transaction: the job for one debt, once for each that it is about."""
    known = job_id(call_id, subscriber.name, debt.about, replay)
    return jobs.new(subscriber.job_kind, call_id=call_id, payload=debt.payload, job_id=known)[1]
