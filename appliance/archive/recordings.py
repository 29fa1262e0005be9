"""Works on accepted recordings until each has reached its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from appliance.archive.kept import KeptCall, peak_of
from appliance.call.box import Box
from appliance.call.keeping import Ending
from appliance.errors import LingtingError, NotFound, Overloaded, StoreDamaged, StoreUnavailable
from appliance.messages import CallConfig, CallState, Event
from appliance.metrics import Metrics
from appliance.store.jobs import MOST_ATTEMPTS, Job, LeaseLost
from appliance.store.store import Store

log = logging.getLogger(__name__)

KIND = "recording"
MOST_TAKEN = 2 * MOST_ATTEMPTS  # a recording that kills the box is taken no more often
AGAIN_AND_AGAIN = "work on the recording: it failed again and again"
POLL_S = 2.0  # a recording that failed may be due again
RENEW_S = 1.0  # the progress is stored as well
PAUSE_S = 1.0  # after a database that did not answer


class Recordings:
    """As many at once as the settings say; `wake` it when one was queued."""

    def __init__(
        self,
        store: Store,
        box: Box,
        metrics: Metrics,
        running: dict[str, KeptCall],
        open_kept: Callable[[str, CallConfig], KeptCall],
    ) -> None:
        self._store, self._box, self._metrics = store, box, metrics
        self._running = running  # calls under way, by id: shared with the archive
        self._open_kept = open_kept
        self._wake = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by call id

    def start(self) -> None:
        count = self._box.settings.limits.recordings
        self._workers = [
            asyncio.create_task(self._work(), name=f"recordings-{i}") for i in range(count)
        ]

    def wake(self) -> None:
        self._wake.set()

    def cancel(self, call_id: str) -> None:
        """Stop working on a call, if it is worked on here."""
        if task := self._tasks.get(call_id):
            task.cancel()

    async def close(self) -> None:
        """Give back what is under way."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                if job := await self._store.jobs.take([KIND]):
                    await self._run(job)
                    continue
            except StoreUnavailable as error:
                log.error("no recording can be worked on: %s", error)
                await asyncio.sleep(PAUSE_S)
            except Exception:  # one job must not cost the others their worker
                log.exception("a recording's runner met a bug")
                await asyncio.sleep(PAUSE_S)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def _run(self, job: Job) -> None:
        """One job, in a task that a deletion may cancel."""
        if job.attempts > MOST_TAKEN:
            await self._give_up(job, f"the box stopped {MOST_TAKEN} times while it worked on it")
            return
        task = asyncio.create_task(self._transcribe(job), name=f"recording-{job.call_id}")
        self._tasks[job.call_id] = task
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:  # the box shuts down
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(LingtingError):
                await self._store.calls.set_state(job.call_id, CallState.QUEUED)
                await self._store.jobs.released(job)
            raise
        finally:
            if self._tasks.get(job.call_id) is task:
                del self._tasks[job.call_id]
        if not task.cancelled() and (error := task.exception()):
            await self._failed(job, error)

    async def _transcribe(self, job: Job) -> None:
        """Shown as running meanwhile."""
        kept = self._open_kept(job.call_id, await self._store.calls.config(job.call_id))
        self._running[kept.id] = kept
        ended = False
        try:
            await self._hear(job, kept)
            ended = await self._finish(job, kept)
        finally:
            if self._running.get(kept.id) is kept:
                del self._running[kept.id]
            await kept.over(CallState.FINISHED if ended else CallState.QUEUED)

    async def _hear(self, job: Job, kept: KeptCall) -> None:
        calls, call_id = self._store.calls, job.call_id
        await calls.set_state(call_id, CallState.RUNNING)
        position = Position(await asyncio.to_thread(self._store.vault.size, call_id))
        renewing = asyncio.create_task(self._renew(job, position, asyncio.current_task()))
        try:
            async with self._box.open_call(kept.config, kept) as call:
                reading = asyncio.create_task(_read_out(call.events()))
                try:
                    async for chunk in self._store.audio(call_id):
                        await call.accept(chunk)
                        position.bytes += len(chunk)
                    await call.finish()
                    await reading
                finally:
                    reading.cancel()
        finally:
            renewing.cancel()

    async def _renew(
        self, job: Job, position: Position, working: asyncio.Task[None] | None
    ) -> None:
        """Keep the lease while the work goes on; stop the work if it is lost."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._store.jobs.renew(job, position.share)
            except LeaseLost:
                if working:
                    working.cancel()
                return
            except StoreUnavailable as error:
                log.warning("a lease is not renewed: %s", error)

    async def _finish(self, job: Job, kept: KeptCall) -> bool:
        """Record, journal, job and what follows, in one transaction; False if it is not ours."""
        record = kept.record(CallState.FINISHED)
        ended = self._store.jobs.ended(job)
        journal = await self._store.calls.journalling(kept.id, kept.events)
        extra = (ended, journal, *kept.also(CallState.FINISHED))
        try:
            if not await self._store.calls.finish(record, peak_of(record), *extra):
                return False
        except LeaseLost:
            return False
        await self._drop_audio(kept.id)
        return True

    async def _drop_audio(self, call_id: str) -> None:
        if not self._store.settings.keep_audio_days:
            await self._store.drop_audio([call_id])

    async def _failed(self, job: Job, error: BaseException) -> None:
        """Try again what may be better another time; else it has failed, and says why."""
        known = isinstance(error, LingtingError)
        retryable = error.retryable if isinstance(error, LingtingError) else True
        log.warning("recording %s, attempt %d: %s", job.call_id, job.attempts, error)
        if not known:
            log.error("a recording met a bug", exc_info=error)
        if isinstance(error, LeaseLost):
            return
        with contextlib.suppress(LingtingError):
            if isinstance(error, Overloaded):  # not the recording's fault
                await self._store.calls.set_state(job.call_id, CallState.QUEUED)
                await self._store.jobs.released(job, error.retry_after_s)
            elif retryable and job.attempts < MOST_ATTEMPTS:
                await self._store.calls.set_state(job.call_id, CallState.QUEUED)
                await self._store.jobs.failed(job, str(error))
            else:
                await self._give_up(job, str(error) if known else AGAIN_AND_AGAIN)

    async def _give_up(self, job: Job, why: str) -> None:
        """The recording has failed; of what cannot be read only that is stored."""
        dead = self._store.jobs.given_up(job, why)
        try:
            config = await self._store.calls.config(job.call_id)
        except (NotFound, StoreDamaged):
            if not await self._store.calls.fail(job.call_id, why, dead):  # deleted meanwhile
                await self._store.jobs.write(dead)
            return
        kept = self._open_kept(job.call_id, config)
        kept.ending = Ending.failed(why)
        extra = (dead, *kept.also(CallState.FAILED))
        if await self._store.calls.finish(kept.record(CallState.FAILED), None, *extra):
            await self._drop_audio(kept.id)


class Position:
    """How far a recording has been read."""

    def __init__(self, total_bytes: int) -> None:
        self.bytes, self._total = 0, max(1, total_bytes)

    @property
    def share(self) -> float:
        return min(1.0, self.bytes / self._total)


async def _read_out(events: AsyncIterator[Event]) -> None:
    """So that the call never waits for a reader."""
    async for _ in events:
        pass
