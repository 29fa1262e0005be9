"""Works on accepted recordings until each has reached its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from appliance.call.box import Box
from appliance.call.conversation import Conversation
from appliance.call.keeping import Ending
from appliance.errors import LingtingError, NotFound, Overloaded, StoreDamaged
from appliance.feed.journal import Journal
from appliance.feed.kept import KeptCall, peak_of
from appliance.feed.running import RunningCalls
from appliance.messages import CallState
from appliance.recordings.arrivals import KIND
from appliance.store.jobs import MOST_ATTEMPTS, Job
from appliance.store.store import Store
from appliance.work.runner import JobProgress, Work

AGAIN_AND_AGAIN = "work on the recording: it failed again and again"


class Recordings(Work):
    """As many at once as the settings say."""

    kind = KIND
    fair = True

    def __init__(self, store: Store, box: Box, running: RunningCalls) -> None:
        super().__init__(store.jobs)
        self._store, self._box, self._running = store, box, running
        self.at_once = box.settings.limits.recordings

    async def run(self, job: Job, progress: JobProgress) -> None:
        """Shown as running meanwhile."""
        config = await self._store.calls.config(job.call_id)
        kept = self._running.begin_recording(job.call_id, config)
        ended = False
        try:
            await self._hear(kept, progress)
            ended = await self._finish(job, kept)
        finally:
            kept.over(CallState.FINISHED if ended else CallState.QUEUED)
            self._running.leave(kept)
            self.jobs.news.tell()  # of what its end has queued

    async def _hear(self, kept: KeptCall, progress: JobProgress) -> None:
        await self._store.calls.set_state(kept.id, CallState.RUNNING)
        heard = self._read(kept.id, progress)
        async with Conversation(self._box, kept.config, heard, keeper=kept) as talk:
            async for _ in talk.told():
                pass

    async def _read(self, call_id: str, progress: JobProgress) -> AsyncIterator[bytes]:
        total = max(1, await asyncio.to_thread(self._store.vault.size, call_id))
        read = 0
        async for chunk in self._store.audio(call_id):
            yield chunk
            read += len(chunk)
            progress.share = min(1.0, read / total)

    async def _finish(self, job: Job, kept: KeptCall) -> bool:
        """Record, journal, job and what follows, in one transaction; False if it is not ours."""
        record = kept.record(CallState.FINISHED)
        journal = await Journal(self._store.calls).rewriting(kept.id, kept.log.events())
        extra = (self.jobs.ended(job), journal, *kept.also(CallState.FINISHED))
        if not await self._store.calls.finish(record, peak_of(record), *extra):
            return False
        await self._drop_audio(kept.id)
        return True

    async def _drop_audio(self, call_id: str) -> None:
        """To its end, also where the box stops meanwhile: what was heard is not left behind."""
        if self._store.settings.keep_audio_days:
            return
        dropping = asyncio.create_task(self._store.drop_audio([call_id]))
        try:
            await asyncio.shield(dropping)
        except asyncio.CancelledError:
            await dropping
            raise

    async def interrupted(self, job: Job) -> None:
        await self._store.calls.set_state(job.call_id, CallState.QUEUED)
        await super().interrupted(job)

    async def failed(self, job: Job, error: BaseException) -> None:
        """Try again what may be better another time; else it has failed, and says why."""
        known = error if isinstance(error, LingtingError) else None
        retryable = (known is None or known.retryable) and job.attempts < MOST_ATTEMPTS
        if retryable or isinstance(error, Overloaded):
            await self._store.calls.set_state(job.call_id, CallState.QUEUED)
            await super().failed(job, error)
            return
        await self.give_up(job, str(known) if known else AGAIN_AND_AGAIN)

    async def give_up(self, job: Job, why: str) -> None:
        """The recording has failed; of what cannot be read only that is stored."""
        try:
            await self._fail(job, why)
        finally:
            self._running.tell(job.call_id)

    async def _fail(self, job: Job, why: str) -> None:
        dead = self.jobs.given_up(job, why)
        try:
            config = await self._store.calls.config(job.call_id)
        except (NotFound, StoreDamaged):
            if not await self._store.calls.fail(job.call_id, why, dead):  # deleted meanwhile
                await self.jobs.write(dead)
            return
        kept = self._running.at_rest(job.call_id, config)
        came_at = (await self._store.calls.find(job.call_id)).created_at
        kept.started_at = kept.config.began_at or came_at
        kept.ending = Ending.failed(why)
        extra = (dead, *kept.also(CallState.FAILED))
        if await self._store.calls.finish(kept.record(CallState.FAILED), None, *extra):
            await self._drop_audio(kept.id)
