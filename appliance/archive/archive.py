"""The archive as the doors see it: keep calls, accept recordings, find, watch and delete them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy.exc import IntegrityError

from appliance.archive.recovery import so_far
from appliance.archive.retention import Retention
from appliance.archive.takeover import Takeover
from appliance.audio import wav
from appliance.call.keeping import Ending, Keeper
from appliance.call.shares import Shares
from appliance.errors import (
    Conflict,
    LingtingError,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    StoreDamaged,
    StoreUnavailable,
)
from appliance.feed.journal import Journal
from appliance.feed.kept import KeptCall, new_id
from appliance.feed.neighbours import Mirrors
from appliance.feed.record import Ledger
from appliance.feed.running import RunningCalls
from appliance.feed.subscriber import Subscriber
from appliance.messages import (
    EVERY_TENANT,
    SANE_ID,
    CallConfig,
    CallRecord,
    CallState,
    Ended,
    Final,
    NumberedEvent,
)
from appliance.metrics import Metrics
from appliance.recordings.arrivals import KIND, Arrivals, Claim
from appliance.settings import Settings
from appliance.store import jobs
from appliance.store.calls import OVER, Filter, Summary
from appliance.store.claims import claim
from appliance.store.store import Store
from appliance.store.vault import Writer, audio_key

log = logging.getLogger(__name__)

MOST_WATCHERS = 1000  # of calls and operations


@dataclass(frozen=True, slots=True)
class Watcher:
    """Whose place among those who watch it is."""

    tenant: str
    credential: str = ""


class Archive:
    """`keep` is the box's way to it; `running` holds the calls under way.

    Args:
        store: not started yet: the archive starts and closes it.
        subscribers: follow every call.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        subscribers: Sequence[Subscriber] = (),
    ) -> None:
        self._settings, self._metrics = settings, metrics
        self.store = store
        agent_moods = settings.emotions.agent
        self.running = RunningCalls(subscribers, metrics, store.notices, agent_moods=agent_moods)
        self._mirrors = Mirrors(store, self.running)
        self._takeover = Takeover(store, self.running)
        self._arrivals = Arrivals(store, settings.limits)
        self._watchers = Shares(1, settings.limits.weights)
        self._retention = Retention(store)

    async def start(self) -> None:
        """Open the store and finish what a crash left; raises StoreUnavailable."""
        await self.store.start()
        await self._takeover.start()
        await self._retention.start()

    async def close(self) -> None:
        await self._retention.close()
        self.running.close()
        await self._takeover.close()
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
        except OutcomeUnknown:
            raise  # if the row is there, it is found as a stray
        except StoreUnavailable:
            await self.store.forget(call_id)
            raise
        return self.running.begin_live(call_id, config, self.store, audio)

    async def keep_text(
        self, config: CallConfig, owner: str, key: str, finals: Sequence[Final]
    ) -> KeptCall | str:
        """A keeper for a written message, which has no sound and is journalled whole, or not at
        all; or the id of the message that the Idempotency-Key `key` of `owner` made before.

        Raises:
            Conflict: it was used for another message.
            StoreUnavailable: it could not be kept.
        """
        told = (config.channel, config.caller, *(final.text for final in finals))
        claimed = hashlib.sha256("\n".join(told).encode()).hexdigest()
        if key and (known := await self.store.claims.find(owner, key, claimed)):
            return known
        call_id = new_id()
        claims = [claim(owner, key, claimed, call_id)] if key else []
        try:
            await self.store.ring.make(call_id)
            whole = await Journal(self.store.calls).rewriting(call_id, finals)
            extra = (whole, *claims)
            await self.store.calls.create(call_id, config, CallState.RUNNING, *extra, keyed=True)
        except OutcomeUnknown:
            raise  # if the row is there, it is found as a stray
        except StoreUnavailable:
            await self.store.forget(call_id)
            raise
        except IntegrityError:  # the same, sent twice at the same moment
            await self.store.forget(call_id)
            if known := await self.store.claims.find(owner, key, claimed):
                return known
            raise
        kept = self.running.begin_live(call_id, config, self.store, None)
        kept.journalled = len(finals)
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

    # --- recordings

    async def accept(
        self, config: CallConfig, chunks: AsyncIterator[bytes], claimed: Claim | None = None
    ) -> str:
        """Take a recording; once this returns its id, it will reach an end whatever happens.

        Raises:
            Overloaded: too many wait, or the disk is nearly full.
            Conflict: the Idempotency-Key was used for another request.
        """
        try:
            return await self._arrivals.accept(config, chunks, claimed)
        finally:
            self.store.jobs.news.tell()

    # --- finding

    async def find(self, name: str, *, tenant: str = EVERY_TENANT) -> Summary:
        """By the box's id or the caller's, of that tenant's calls; raises NotFound."""
        if not SANE_ID.fullmatch(name):
            raise NotFound("find a call", "that is no call's name")
        return await self.store.calls.find(name, tenant)

    async def get(self, name: str, *, tenant: str = EVERY_TENANT) -> CallRecord:
        """A call as far as it has come; raises NotFound."""
        summary = await self.find(name, tenant=tenant)
        kept = self.running.get(summary.id)
        if kept and summary.state not in OVER:
            return kept.record()
        if record := await self.store.calls.record(summary.id):
            return record
        if summary.live and summary.state not in OVER:  # heard by another gateway
            return (await so_far(self.store.calls, summary, self.running)).record()
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
        """A call's as it came in, with a WAV header if it came without any.

        Raises:
            NotFound: none is kept.
            Conflict: it still runs.
        """
        summary = await self.find(name, tenant=tenant)
        if summary.state not in OVER:
            raise Conflict("read a call's audio", f"the call is {summary.state.value}", "wait")
        config = await self._config(summary)
        with contextlib.suppress(NotFound):  # which reading tells
            if header := wav.header(config.audio, await self.store.audio_length(summary.id)):
                yield header
        async for chunk in self.store.audio(summary.id, whole=not summary.live):
            yield chunk

    async def page(
        self, wanted: Filter, size: int, after: tuple[float, str] | None = None
    ) -> list[Summary]:
        """Newest first; `after` is the (created_at, id) of the page before's last."""
        return await self.store.calls.page(wanted, size, after)

    def live(self) -> list[KeptCall]:
        """Live calls under way, oldest first."""
        return self.running.live()

    async def progress(self, call_id: str) -> float:
        """Of a recording, 0..1."""
        job = await self.store.jobs.of_call(call_id, KIND)
        return job.progress if job else 0.0

    async def watch(
        self, name: str, after: int = 0, *, partials: bool = True, tenant: str = EVERY_TENANT
    ) -> AsyncGenerator[NumberedEvent]:
        """A call's events above `after`, as they come, until it is over.

        Raises:
            NotFound: no such call.
            Overloaded: too many watch already.
        """
        summary = await self.find(name, tenant=tenant)
        with self._watching(tenant):
            async with contextlib.aclosing(self._told(summary, after, partials)) as told:
                async for each in told:
                    yield each

    async def wait(self, name: str, within_s: float, *, tenant: str = EVERY_TENANT) -> None:
        """Until a call is over, but not longer than `within_s`; raises as `watch` does."""
        summary = await self.find(name, tenant=tenant)
        news = self.running.news_of(summary.id)
        with self._watching(tenant), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    seen = news.count
                    if (await self.find(summary.id)).state in OVER:
                        return
                    await news.wait(seen)

    def _is_elsewhere(self, summary: Summary) -> bool:
        """Whether another gateway hears it."""
        return summary.live and summary.gateway not in ("", self.store.gateways.me)

    @contextlib.contextmanager
    def _watching(self, tenant: str) -> Iterator[None]:
        def refuse() -> NoReturn:
            cause = f"{self._watchers.held} watch already"
            raise Overloaded("watch a call", cause, retry_after_s=5)

        with self._watchers.holding(Watcher(tenant), MOST_WATCHERS, refuse):
            yield

    async def _told(
        self, summary: Summary, after: int, partials: bool
    ) -> AsyncGenerator[NumberedEvent]:
        news = self.running.news_of(summary.id)
        while summary.state not in OVER:
            seen = news.count
            if kept := self.running.get(summary.id):
                async for told in kept.follow(after, partials=partials):
                    if isinstance(told.event, Ended) and told.event.state not in OVER:
                        break  # tried again: what it says comes once more
                    yield told
                    if isinstance(told.event, Ended):
                        return
            summary = await self.find(summary.id)
            if summary.state in OVER or self.running.get(summary.id):
                continue
            if self._is_elsewhere(summary):
                async with self._mirrors.of(summary.id) as heard:
                    async for told in heard.follow(after, partials=partials):
                        after = told.sequence
                        yield told
                    if heard.error:
                        raise heard.error
            else:
                await news.wait(seen)  # a queued recording
            summary = await self.find(summary.id)
        journal = Journal(self.store.calls)
        while page := await journal.read(summary.id, after):
            for sequence, event in page:
                after = sequence
                yield NumberedEvent(sequence, event)
        cut_short = False
        with contextlib.suppress(StoreDamaged):
            record = await self.store.calls.record(summary.id)
            cut_short = bool(record and record.cut_short)
        last = min(after, await self.store.calls.last_sequence(summary.id))
        yield NumberedEvent(last, Ended(summary.state, summary.error, cut_short))

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
        here = any(kept.id == summary.id for kept in self.running.live())
        if here or (self._is_elsewhere(summary) and summary.state not in OVER):
            raise Conflict("delete a call", "it is still running", "hang up first")
        cancelling = jobs.cancelling(summary.id, KIND)
        await self.store.calls.end(summary.id, CallState.CANCELLED, "it was deleted", cancelling)
        await self._retention.shred([summary.id])
        self.running.tell(summary.id)

    async def cancel(self, name: str, *, tenant: str = EVERY_TENANT) -> None:
        """Stop a recording and keep its row as cancelled; raises Conflict if it is over."""
        summary = await self.find(name, tenant=tenant)
        if summary.live or summary.state in OVER:
            raise Conflict("cancel a recording", f"it is {summary.state.value}")
        kept = self.running.at_rest(summary.id, await self._config(summary))
        kept.started_at = kept.config.began_at or summary.created_at
        also = (jobs.cancelling(summary.id, KIND), *kept.also(CallState.CANCELLED))
        if not await self.store.calls.finish(kept.record(CallState.CANCELLED), None, *also):
            raise Conflict("cancel a recording", "it has just come to its end")
        await self.store.drop_audio([summary.id])
        self.running.tell(summary.id)
        self.store.jobs.news.tell()
