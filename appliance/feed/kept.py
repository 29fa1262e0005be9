"""A call that is kept: journalled, followed by subscribers and watchers, in the end a record."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence

from sqlalchemy.exc import IntegrityError

from appliance.call.keeping import Ending
from appliance.call.log import EventLog
from appliance.errors import LingtingError, NotFound, StoreUnavailable
from appliance.feed.followers import Followers
from appliance.feed.journal import Journal
from appliance.feed.owed import owed
from appliance.feed.record import Ledger
from appliance.feed.subscriber import Subscriber
from appliance.messages import (
    NEGATIVE,
    CallConfig,
    CallRecord,
    CallState,
    Ended,
    Lasting,
    LegRole,
    Level,
    NumberedEvent,
)
from appliance.metrics import Metrics
from appliance.news import News
from appliance.pauses import doubling
from appliance.store.calls import LEVELS, Peak
from appliance.store.database import Also
from appliance.store.store import Store
from appliance.store.vault import Writer

log = logging.getLogger(__name__)

AUDIO_FLUSH_S = 1.0  # of a live call's audio may be lost with the machine
JOURNAL_PATIENCE_S = 1.0  # that words wait for the disk; then they are told all the same
STORE_AGAIN_S = (1.0, 60.0)  # first and longest pause before a record is stored again


class KeptCall:
    """A `Keeper`, and what subscribers and watchers follow.

    Args:
        subscribers: who hear it, and are owed work when it ends.
        journal: where events are written before they are told; None for a recording, which a
            crash only makes run again.
        agent_moods: whether the agent's are told too.

    Attributes:
        journalled: so many of its first events were in the journal before it began.
    """

    journalled = 0

    def __init__(
        self,
        call_id: str,
        config: CallConfig,
        metrics: Metrics,
        subscribers: Sequence[Subscriber] = (),
        journal: Journal | None = None,
        *,
        agent_moods: bool = False,
    ) -> None:
        self.id, self.config, self.started_at = call_id, config, config.began_at or time.time()
        self._metrics, self._journal, self._subscribers = metrics, journal, subscribers
        self.ledger = Ledger(agent_moods=agent_moods)
        self.log = EventLog(self._keep)
        self.ending: Ending | None = None
        self.state = CallState.RUNNING
        self._missing: dict[int, Lasting] = {}  # events that the journal did not take yet
        self._late: set[asyncio.Future[None]] = set()  # writes to it that took too long
        self._catching_up: asyncio.Task[None] | None = None
        self._folded: tuple[object, CallRecord] | None = None  # of what, and what it came to
        self._changed = News()  # of the state
        self._followers: Followers | None = None

    def begin(self) -> None:
        """Let subscribers follow."""
        self._followers = Followers(self, self._subscribers, self._metrics)

    # --- its events

    async def _keep(self, first: int, events: Sequence[Lasting]) -> None:
        """The words go out whatever the disk does."""
        if journal := self._journal:
            numbered = [each for each in enumerate(events, first) if each[0] > self.journalled]
            await asyncio.gather(*(self._write(journal, n, event) for n, event in numbered))
        for event in events:
            try:
                self.ledger.add(event)
            except Exception:  # what was told with it must not suffer
                log.exception("an event is not in its call's record: its kind has a bug")

    async def _write(self, journal: Journal, sequence: int, event: Lasting) -> None:
        writing = asyncio.ensure_future(journal.append(self.id, sequence, event))
        patience_s = 0.0 if self._late else JOURNAL_PATIENCE_S
        done, _ = await asyncio.wait([writing], timeout=patience_s)
        self._late.add(writing)

        def written(writing: asyncio.Future[None]) -> None:
            self._late.discard(writing)
            if not writing.cancelled() and (error := writing.exception()):
                self._missed(journal, sequence, event, error)

        if done:
            written(writing)
        else:
            writing.add_done_callback(written)
            self._metrics.journal_failures_total.inc()

    def _missed(
        self, journal: Journal, sequence: int, event: Lasting, error: BaseException
    ) -> None:
        """The journal did not take an event: it is asked again until it does."""
        if not isinstance(error, LingtingError):
            log.error("a journal met a bug", exc_info=error)
        self._metrics.journal_failures_total.inc()
        log.error("an event of a call is not in its journal: %s", error)
        self._missing[sequence] = event
        if self._catching_up is None or self._catching_up.done():
            catching_up = self._catch_up(journal)
            self._catching_up = asyncio.create_task(catching_up, name=f"journal-{self.id}")

    async def _catch_up(self, journal: Journal) -> None:
        pauses = doubling(*STORE_AGAIN_S)
        while self._missing and not self.log.closed:  # its end writes all of it
            await asyncio.sleep(next(pauses))
            with contextlib.suppress(LingtingError):
                for sequence, event in sorted(self._missing.items()):
                    with contextlib.suppress(IntegrityError):  # it was written after all
                        await journal.append(self.id, sequence, event)
                    self._missing.pop(sequence, None)

    @property
    def torn(self) -> bool:
        """Whether its journal does not hold, or may not hold, all that was told."""
        return bool(self._missing or self._late)

    async def hear(self, data: bytes) -> None:
        """Overridden where audio is kept."""

    # --- its end

    async def settle(self) -> None:
        if self._followers:
            await self._followers.settle()

    async def end(self, ending: Ending) -> None:
        """Overridden by who stores the record."""
        self.ending = ending

    def over(self, state: CallState) -> None:
        """Nothing comes any more: watchers see the state and are done."""
        self.state = state
        self.log.close()
        self._changed.tell()

    def close(self) -> None:
        """Let go of what is under way: the box stops."""
        if self._catching_up:
            self._catching_up.cancel()
        if self._followers:
            self._followers.close()

    def also(self, state: CallState) -> list[Also]:
        """What else is done in the transaction that ends it so."""
        return owed(self, state, self._subscribers, self._metrics)

    def record(self, state: CallState | None = None) -> CallRecord:
        """The call so far, or as it will be stored in `state`; folded once for each."""
        state = state or self.state
        about = (self.log.sequence, state, self.ending)
        if self._folded is None or self._folded[0] != about:
            ending = self.ending or self.ledger.ending()
            record = self.ledger.record(self.id, self.config, state, self.started_at, ending)
            self._folded = about, record
        return self._folded[1]

    @property
    def ended(self) -> Ended:
        ending = self.ending
        return Ended(self.state, ending.error, ending.cut_short) if ending else Ended(self.state)

    async def follow(self, after: int, *, partials: bool) -> AsyncIterator[NumberedEvent]:
        """Events above `after`, then as they come, until the call is over.

        However slowly this is read, the call does not wait.
        """
        sequence = after
        async for told in self.log.follow(after, partials=partials):
            sequence = told.sequence
            yield told
        while self.state is CallState.RUNNING:
            await self._changed.wait()
        yield NumberedEvent(min(sequence, self.log.sequence), self.ended)


class LiveCall(KeptCall):
    """A live call: each event is journalled, the record is stored at its end."""

    def __init__(
        self,
        call_id: str,
        config: CallConfig,
        metrics: Metrics,
        subscribers: Sequence[Subscriber],
        store: Store,
        audio: Writer | None,
        stored: Callable[[KeptCall], None],
        *,
        agent_moods: bool,
    ) -> None:
        """`stored` is called once its record is, or need not be any more."""
        journal = Journal(store.calls)
        super().__init__(call_id, config, metrics, subscribers, journal, agent_moods=agent_moods)
        self._store, self._audio = store, audio
        self._storing: asyncio.Task[None] | None = None  # what the database did not take
        self._when_stored = stored
        self._flushed_at = time.monotonic()

    async def hear(self, data: bytes) -> None:
        if self._audio is None:
            return
        try:
            await self._audio.write(data)
            if time.monotonic() - self._flushed_at > AUDIO_FLUSH_S:
                self._flushed_at = time.monotonic()
                if not await asyncio.to_thread(self._store.has_room):
                    raise StoreUnavailable("keep audio", "the disk is nearly full")
                await self._audio.flush()
        except StoreUnavailable as error:
            self._shed_audio(error)

    def _shed_audio(self, error: StoreUnavailable) -> None:
        """Disk full: a call goes on without its audio being kept."""
        log.error("a call's audio is not kept any more: %s", error)
        self._metrics.audio_shed_total.inc()
        if self._audio:
            self._audio.close()
            self._audio = None

    async def end(self, ending: Ending) -> None:
        await super().end(ending)
        state = CallState.FAILED if ending.error else CallState.FINISHED
        try:
            if self._audio:
                await self._audio.finish()
        except StoreUnavailable as error:
            self._shed_audio(error)
        self.log.close()  # what comes now is in no record any more
        try:
            if not await self._stored(state):
                storing = self._store_later(state)
                self._storing = asyncio.create_task(storing, name=f"storing-{self.id}")
        finally:
            self.over(state)

    async def _stored(self, state: CallState) -> bool:
        """Whether the record is on the disk, or need not be any more."""
        try:
            record = self.record(state)
            also = self.also(state)
            if self.torn and self._journal:
                also.append(await self._journal.rewriting(self.id, self.log.events()))
            await self._store.calls.finish(record, peak_of(record), *also)
        except NotFound:
            pass  # deleted meanwhile
        except LingtingError as error:
            log.error("a call's record is not stored yet: %s", error)
            return False
        except Exception:
            log.exception("a call's record is not stored yet: a bug")
            return False
        self._when_stored(self)
        self._store.jobs.news.tell()  # of what its end has queued
        return True

    async def _store_later(self, state: CallState) -> None:
        """Until then the call is read from memory; if the box stops, from its journal."""
        for pause_s in doubling(*STORE_AGAIN_S):
            await asyncio.sleep(pause_s)
            if await self._stored(state):
                return

    def close(self) -> None:
        super().close()
        if self._storing:
            self._storing.cancel()


def peak_of(record: CallRecord) -> Peak | None:
    """The strongest negative mood of whoever is not the agent."""
    felt = [
        (LEVELS[u.mood.level], u.mood)
        for u in record.utterances
        if u.mood and u.mood.level and u.mood.emotion in NEGATIVE and u.role is not LegRole.AGENT
    ]
    if not felt:
        return None
    mood = max(felt, key=lambda pair: pair[0])[1]
    assert mood.emotion and mood.level
    return Peak(mood.emotion, Level(mood.level))


def new_id() -> str:
    """Of a call; later ones sort behind earlier ones."""
    return f"{int(time.time() * 1000):012x}{uuid.uuid4().hex[:20]}"
