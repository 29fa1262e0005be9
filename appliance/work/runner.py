"""Runs durable jobs of one kind: so many at once, leased, retried, given back at a shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from appliance.errors import LingtingError, Overloaded
from appliance.store.jobs import MOST_ATTEMPTS, Job, Jobs, LeaseLost

log = logging.getLogger(__name__)

POLL_S = 2.0  # a job that failed may be due again; one that another gateway queued
RENEW_S = 1.0  # of leases; the progress is stored as well
MOST_TAKEN = 4 * MOST_ATTEMPTS  # a job that kills the box is taken no more often
PAUSE_S = 1.0  # after a database that did not answer


@dataclass(slots=True)
class JobProgress:
    """How far a job has come, 0..1; written by who works on it."""

    share: float = 0.0


class Work:
    """How jobs of a kind are done. Override `run`, and what else is not as for all.

    Attributes:
        kind: of the jobs.
        at_once: as many jobs at most.
        fair: taken in turn between hotline systems.
    """

    kind = ""
    at_once = 1
    fair = False

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs

    async def run(self, job: Job, progress: JobProgress) -> None:
        """Do it, and end it by `jobs.ended` in the transaction that stores what it made."""
        raise NotImplementedError

    async def give_up(self, job: Job, why: str) -> None:
        """It has failed for good."""
        await self.jobs.write(self.jobs.given_up(job, why))

    async def interrupted(self, job: Job) -> None:
        """The box stops in the middle of it."""
        await self.jobs.released(job)

    async def failed(self, job: Job, error: BaseException) -> None:
        """Try again what may be better another time; what was refused for want of room is free."""
        if isinstance(error, Overloaded):
            await self.jobs.released(job, error.retry_after_s)
            return
        known = error if isinstance(error, LingtingError) else None
        retry = job.attempts < MOST_ATTEMPTS and (known is None or known.retryable)
        await self.jobs.failed(job, str(error) if known else repr(error), retry=retry)


class Runner:
    """`start` and `close` it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._places = asyncio.Semaphore(work.at_once)
        self._looking: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._looking = asyncio.create_task(self._look(), name=f"{self.work.kind}-runner")

    async def close(self) -> None:
        """Give back what is under way."""
        looking = [self._looking] if self._looking else []
        for task in (*looking, *self._running):
            task.cancel()
        await asyncio.gather(*looking, *self._running, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await self._places.acquire()
            job: Job | None = None
            seen = self.work.jobs.news.count
            try:
                job = await self._take()
            finally:
                if job is None:
                    self._places.release()
            if job:
                task = asyncio.create_task(self._hold(job), name=f"{job.kind}-{job.id}")
                self._running.add(task)
                task.add_done_callback(self._over)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self.work.jobs.news.wait(seen)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()):
            log.error("%s: a job's runner met a bug", self.work.kind, exc_info=error)

    async def _take(self) -> Job | None:
        try:
            return await self.work.jobs.take([self.work.kind], fair=self.work.fair)
        except LingtingError as error:
            log.error("%s: no job can be taken: %s", self.work.kind, error)
        except Exception:  # whatever it was, the next job is looked for
            log.exception("%s: looking for a job met a bug", self.work.kind)
        await asyncio.sleep(PAUSE_S)
        return None

    async def _hold(self, job: Job) -> None:
        """One job, in a task that ends with its lease: whoever deletes a call cancels its job."""
        if job.attempts > MOST_TAKEN:
            why = f"the box stopped {MOST_TAKEN} times while it worked on it"
            with contextlib.suppress(LingtingError):
                await self.work.give_up(job, why)
            return
        progress = JobProgress()
        doing = asyncio.create_task(self.work.run(job, progress))
        renewing = asyncio.create_task(self._renew(job, progress, doing))
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError:  # the box stops
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
            with contextlib.suppress(LingtingError):
                await self.work.interrupted(job)
            raise
        finally:
            renewing.cancel()
        if not doing.cancelled() and (error := doing.exception()):
            await self._failed(job, error)

    async def _failed(self, job: Job, error: BaseException) -> None:
        if isinstance(error, LeaseLost):
            return
        log.warning("%s %s, attempt %d: %s", job.kind, job.id, job.attempts, error)
        if not isinstance(error, LingtingError):
            log.error("%s: a job met a bug", job.kind, exc_info=error)
        with contextlib.suppress(LingtingError):
            await self.work.failed(job, error)

    async def _renew(self, job: Job, progress: JobProgress, doing: asyncio.Task[None]) -> None:
        """Keep the lease while the work goes on; stop the work if it is lost."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self.work.jobs.renew(job, progress.share)
            except LeaseLost:
                doing.cancel()
                return
            except LingtingError as error:
                log.warning("a lease is not renewed: %s", error)
