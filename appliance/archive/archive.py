"""The archive as the doors see it: accept recordings, find calls, watch them, delete them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from appliance.archive.arrivals import Arrivals, Claim
from appliance.archive.kept import KeptCall, LiveCall, Told, new_id
from appliance.archive.recordings import KIND, Recordings
from appliance.archive.recovery import JOURNAL_PAGE, recover
from appliance.archive.retention import Retention
from appliance.archive.webhooks import KIND as WEBHOOK
from appliance.archive.webhooks import Deliverer, dead_letters
from appliance.call.box import Box
from appliance.call.keeping import Ending, Keeper
from appliance.call.record import Ledger
from appliance.errors import (
    Conflict,
    LingtingError,
    NotFound,
    Overloaded,
    StoreDamaged,
    StoreUnavailable,
)
from appliance.messages import EVERY_TENANT, SANE_ID, CallConfig, CallRecord, CallState
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store import jobs
from appliance.store.calls import OVER, Filter, Summary
from appliance.store.store import Store
from appliance.store.vault import Writer, audio_key

log = logging.getLogger(__name__)

MOST_WATCHERS = 1000  # of calls and operations
POLL_S = 0.2


class Archive:
    """Owns the store and the work on recordings. `keep` is the box's way to it.

    Wire it by `Box(..., keep=archive.keep)` and `archive.attach(box)`.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self.store = Store(settings.store, metrics)
        self._running: dict[str, KeptCall] = {}  # by id
        self._recordings: Recordings | None = None
        self._deliverer = Deliverer(settings.webhooks, self.store.jobs, metrics)
        self._arrivals = Arrivals(self.store, settings.limits)
        self._watchers = 0
        self._retention = Retention(self.store, self._arrivals.under_way)

    async def start(self) -> None:
        """Open the store and finish what a crash left; raises StoreUnavailable."""
        await self.store.start()
        await recover(self.store.calls, self._open_kept)
        await self._retention.start()

    def attach(self, box: Box) -> None:
        """Begin to work on recordings."""
        self._recordings = Recordings(
            self.store, box, self._metrics, self._running, self._open_kept
        )
        self._recordings.start()
        self._deliverer.start()

    async def pause(self) -> None:
        """Work on no more recordings: what is under way is given back for the next start."""
        if self._recordings:
            await self._recordings.close()

    async def close(self) -> None:
        await self._retention.close()
        await self.pause()
        for kept in self._running.values():
            kept.close()
        await self._deliverer.close()
        await self.store.close()

    # --- live calls

    async def keep(self, config: CallConfig) -> Keeper | None:
        """A keeper for a live call.

        Raises:
            StoreUnavailable: it could not be kept.
        """
        call_id = new_id()
        audio = await self._live_audio(call_id)
        try:
            await self._begin(call_id, config)  # last: a row that is made has who ends it
        except StoreUnavailable:
            await self.store.forget(call_id)
            raise
        kept = LiveCall(
            call_id,
            config,
            self.store,
            self._metrics,
            audio,
            self._running,
            agent_moods=self._settings.emotions.agent,
        )
        self._running[call_id] = self._announcing(kept)
        return kept

    async def _live_audio(self, call_id: str) -> Writer | None:
        """Where a live call's audio goes; None if it is not kept, or cannot be."""
        if not self._settings.store.keep_audio_days or not self.store.has_room():
            return None
        try:
            sealing = await self.store.ring.make(audio_key(call_id))
        except StoreUnavailable as error:
            log.error("a call's audio is not kept: %s", error)
            self._metrics.audio_shed_total.inc()
            return None
        return self.store.vault.writer(call_id, *sealing)

    async def _begin(self, call_id: str, config: CallConfig) -> None:
        """Make a live call's row; if the caller goes away meanwhile, it ends at once."""
        creating = asyncio.ensure_future(
            self.store.calls.create(call_id, config, CallState.RUNNING)
        )
        try:
            await asyncio.shield(creating)
        except asyncio.CancelledError:
            with contextlib.suppress(LingtingError):
                await creating
                await self.store.calls.fail(call_id, "the caller went away")
            raise

    def _open_kept(self, call_id: str, config: CallConfig) -> KeptCall:
        agent = self._settings.emotions.agent
        return self._announcing(KeptCall(call_id, config, self._metrics, agent_moods=agent))

    def _announcing(self, kept: KeptCall) -> KeptCall:
        kept.on_alert, kept.on_end = self._deliverer.alert, self._deliverer.ended
        return kept

    # --- recordings

    async def accept(
        self, config: CallConfig, chunks: AsyncIterator[bytes], claimed: Claim | None = None
    ) -> str:
        """Take a recording; once this returns its id, it will reach an end whatever happens.

        Raises:
            Overloaded: too many wait, or the disk is nearly full.
            Conflict: the Idempotency-Key was used for another request.
        """
        assert self._recordings
        try:
            return await self._arrivals.accept(config, chunks, claimed)
        finally:
            self._recordings.wake()

    # --- finding

    async def find(self, name: str, *, tenant: str = EVERY_TENANT) -> Summary:
        """By the box's id or the caller's, of that tenant's calls; raises NotFound."""
        if not SANE_ID.fullmatch(name):
            raise NotFound("find a call", "that is no call's name")
        return await self.store.calls.find(name, tenant)

    async def get(self, name: str, *, tenant: str = EVERY_TENANT) -> CallRecord:
        """A call as far as it has come; raises NotFound."""
        summary = await self.find(name, tenant=tenant)
        if kept := self._running.get(summary.id):
            return kept.record()
        if record := await self.store.calls.record(summary.id):
            return record
        config = await self._config(summary)
        nothing = Ending.failed(summary.error)
        return Ledger().record(summary.id, config, summary.state, summary.created_at, nothing)

    async def _config(self, summary: Summary) -> CallConfig:
        """What a call was asked for, as far as that can still be read."""
        try:
            return await self.store.calls.config(summary.id)
        except StoreDamaged:
            return CallConfig(
                live=summary.live,
                call_id=summary.name,
                tenant=summary.tenant,
                door=summary.door,
            )

    async def audio(self, name: str, *, tenant: str = EVERY_TENANT) -> AsyncGenerator[bytes]:
        """A call's, as it came in; raises NotFound if none is kept, Conflict if it still runs."""
        summary = await self.find(name, tenant=tenant)
        if summary.state not in OVER:
            raise Conflict("read a call's audio", f"the call is {summary.state.value}", "wait")
        async for chunk in self.store.audio(summary.id, whole=not summary.live):
            yield chunk

    async def page(
        self, wanted: Filter, size: int, after: tuple[float, str] | None = None
    ) -> list[Summary]:
        """Newest first; `after` is the (created_at, id) of the page before's last."""
        return await self.store.calls.page(wanted, size, after)

    def live(self) -> list[KeptCall]:
        """Live calls under way, oldest first."""
        kept = self._running.values()
        return [k for k in kept if k.config.live and k.state is CallState.RUNNING]

    async def progress(self, call_id: str) -> float:
        """Of a recording, 0..1."""
        job = await self.store.jobs.of_call(call_id, KIND)
        return job.progress if job else 0.0

    async def watch(
        self, name: str, after: int = 0, *, partials: bool = True, tenant: str = EVERY_TENANT
    ) -> AsyncGenerator[Told]:
        """A call's events above `after`, as they come, until it is over.

        Raises:
            NotFound: no such call.
            Overloaded: too many watch already.
        """
        summary = await self.find(name, tenant=tenant)
        with self._watching():
            async with contextlib.aclosing(self._told(summary, after, partials)) as told:
                async for each in told:
                    yield each

    async def wait(self, name: str, within_s: float, *, tenant: str = EVERY_TENANT) -> None:
        """Until a call is over, but not longer than `within_s`; raises as `watch` does."""
        with self._watching(), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (await self.find(name, tenant=tenant)).state not in OVER:
                    await asyncio.sleep(POLL_S)

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        if self._watchers >= MOST_WATCHERS:
            raise Overloaded("watch a call", f"{self._watchers} watch already", retry_after_s=5)
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    async def _told(self, summary: Summary, after: int, partials: bool) -> AsyncGenerator[Told]:
        while summary.state not in OVER:
            if kept := self._running.get(summary.id):
                async for told in kept.follow(after, partials=partials):
                    if isinstance(told.event, CallState) and told.event not in OVER:
                        break  # tried again: what it says comes once more
                    yield told
                    if isinstance(told.event, CallState):
                        return
            else:
                await asyncio.sleep(POLL_S)  # a queued recording
            summary = await self.find(summary.id)
        while page := await self.store.calls.journal(summary.id, after, JOURNAL_PAGE):
            for sequence, event in page:
                after = sequence
                yield Told(sequence, event)
        yield Told(after, summary.state, summary.error)

    # --- deleting

    async def delete(self, name: str, *, tenant: str = EVERY_TENANT) -> None:
        """Shred a call: its key first. A recording that is worked on is stopped.

        Raises:
            Conflict: a live call that still runs.
            NotFound: no such call.
        """
        summary = await self.find(name, tenant=tenant)
        if summary.id != name and await self.store.calls.count_named(name, tenant) > 1:
            raise Conflict(
                "delete a call", f"several are named {name!r}", "name each by the box's id"
            )
        kept = self._running.get(summary.id)
        if summary.live and kept and kept.state is CallState.RUNNING:
            raise Conflict("delete a call", "it is still running", "hang up first")
        cancelling = jobs.cancelling(summary.id, KIND)
        await self.store.calls.end(summary.id, CallState.CANCELLED, "it was deleted", cancelling)
        if self._recordings:
            self._recordings.cancel(summary.id)
        await self._retention.shred([summary.id])

    async def cancel(self, name: str, *, tenant: str = EVERY_TENANT) -> None:
        """Stop a recording and keep its row as cancelled; raises Conflict if it is over."""
        summary = await self.find(name, tenant=tenant)
        if summary.live or summary.state in OVER:
            raise Conflict("cancel a recording", f"it is {summary.state.value}")
        kept = self._open_kept(summary.id, await self._config(summary))
        kept.started_at = summary.created_at
        also = (jobs.cancelling(summary.id, KIND), *kept.also(CallState.CANCELLED))
        if not await self.store.calls.finish(kept.record(CallState.CANCELLED), None, *also):
            raise Conflict("cancel a recording", "it has just come to its end")
        if self._recordings:
            self._recordings.cancel(summary.id)
        await self.store.drop_audio([summary.id])

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Deliveries that failed for good, newest first."""
        return dead_letters(await self.store.jobs.dead(WEBHOOK))

    async def retry_delivery(self, delivery: str) -> None:
        """Try a dead letter again, from the start; raises NotFound."""
        if not await self.store.jobs.revive(WEBHOOK, delivery):
            raise NotFound("retry a delivery", f"there is no dead letter {delivery!r}")
