"""A running call as the archive holds it: journalled, followed by watchers, in the end a record."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from appliance.call.keeping import Ending
from appliance.call.moods import NEGATIVE
from appliance.call.record import Ledger
from appliance.errors import LingtingError, NotFound, StoreUnavailable
from appliance.messages import (
    Alert,
    CallConfig,
    CallRecord,
    CallState,
    Final,
    Lasting,
    Level,
    Partial,
    Role,
)
from appliance.metrics import Metrics
from appliance.store.calls import LEVELS, Calls, Peak
from appliance.store.database import Also
from appliance.store.store import Store
from appliance.store.vault import Writer

log = logging.getLogger(__name__)

NEVER = math.inf  # partials seen by who wants none
AUDIO_FLUSH_S = 1.0  # of a live call's audio may be lost with the machine
STORE_AGAIN_S = (1.0, 60.0)  # first and longest pause before a record is stored again


@dataclass(frozen=True, slots=True)
class Told:
    """What a watcher sees. `sequence` counts what lasts, from 1; a partial has the last one's."""

    sequence: int
    event: Lasting | Partial | CallState  # the state is the last there is
    error: str = ""  # with the state: why it failed


class KeptCall:
    """A `Keeper`, and what watchers follow.

    Args:
        journal: where events are written before they are published; None for a recording, which
            a crash only makes run again.
        agent_moods: whether the agent's are told too.
    """

    def __init__(
        self,
        call_id: str,
        config: CallConfig,
        metrics: Metrics,
        journal: Calls | None = None,
        *,
        agent_moods: bool = False,
    ) -> None:
        self.id, self.config, self.started_at = call_id, config, time.time()
        self._metrics, self._journal = metrics, journal
        self.ledger = Ledger(agent_moods=agent_moods)
        self.events: list[Lasting] = []  # event n has sequence n + 1
        self.ending: Ending | None = None
        self.state = CallState.RUNNING
        self.journal_torn = False  # an event is missing from it
        self._folded: tuple[object, CallRecord] | None = None  # of what, and what it came to
        self._partials: dict[int, Partial] = {}  # by leg
        self._shown = 0  # partials so far
        self._changed = asyncio.Condition()
        self.on_alert: Callable[[KeptCall, Alert], Awaitable[None]] | None = None
        self.on_end: Callable[[KeptCall, CallState], list[Also]] | None = None
        self._writing = asyncio.Lock()  # the journal is in the order of publication

    async def keep(self, event: Lasting) -> None:
        async with self._writing:
            if self._journal:
                try:
                    await self._journal.append(self.id, len(self.events) + 1, event)
                except LingtingError as error:  # the words go out all the same
                    self.journal_torn = True
                    self._metrics.journal_failures_total.inc()
                    log.error("an event of a call is not in its journal: %s", error)
            self.events.append(event)
            self.ledger.add(event)
        await self._tell()
        if isinstance(event, Alert) and self.on_alert:
            await self.on_alert(self, event)

    def show(self, partial: Partial) -> None:
        self._partials[partial.leg] = partial
        self._shown += 1
        asyncio.get_running_loop().create_task(self._tell())

    async def hear(self, data: bytes) -> None:
        """Overridden where audio is kept."""

    async def end(self, ending: Ending) -> None:
        """Overridden by who stores the record."""
        self.ending = ending

    def close(self) -> None:
        """Let go of what is under way: the box stops."""

    async def over(self, state: CallState) -> None:
        """Nothing comes any more: watchers see the state and are done."""
        self.state = state
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def also(self, state: CallState) -> list[Also]:
        """What else is done in the transaction that ends it so."""
        return self.on_end(self, state) if self.on_end else []

    def record(self, state: CallState | None = None) -> CallRecord:
        """The call so far, or as it will be stored in `state`; folded once for each."""
        state = state or self.state
        about = (len(self.events), state, self.ending)
        if self._folded is None or self._folded[0] != about:
            ending = self.ending or self.ledger.ending()
            record = self.ledger.record(self.id, self.config, state, self.started_at, ending)
            self._folded = about, record
        return self._folded[1]

    async def follow(self, after: int, *, partials: bool) -> AsyncIterator[Told]:
        """Events above `after`, then as they come, until the call is over.

        However slowly this is read, the call does not wait.
        """
        sequence, shown = after, self._shown if partials else NEVER
        while True:
            await self._news(sequence, shown)
            for event in self.events[sequence:]:
                sequence += 1
                yield Told(sequence, event)
            if partials and self._shown > shown:
                shown = self._shown
                for partial in self._current():
                    yield Told(sequence, partial)
            # A recording that is tried again has fewer events than were seen of it before.
            if self.state is not CallState.RUNNING and len(self.events) <= sequence:
                yield Told(sequence, self.state, self.ending.error if self.ending else "")
                return

    async def _news(self, sequence: int, shown: float) -> None:
        """Until there is more than a watcher has seen."""

        def any_news() -> bool:
            more = len(self.events) > sequence or self._shown > shown
            return more or self.state is not CallState.RUNNING

        async with self._changed:
            await self._changed.wait_for(any_news)

    @property
    def news(self) -> tuple[int, int]:
        """Changes with everything that happens."""
        return len(self.events), self._shown

    def latest(self) -> Final | Partial | None:
        """The last that was said, as far as it is known."""
        current = self._current()
        if current:
            return max(current, key=lambda partial: partial.end_ms)
        return next((e for e in reversed(self.events) if isinstance(e, Final) and e.text), None)

    def _current(self) -> list[Partial]:
        """Partials of utterances that have no final yet."""
        done = self.ledger.finals
        return [p for p in self._partials.values() if (p.leg, p.utterance) not in done]


class LiveCall(KeptCall):
    """A live call: each event is journalled, the record is stored at its end."""

    def __init__(
        self,
        call_id: str,
        config: CallConfig,
        store: Store,
        metrics: Metrics,
        audio: Writer | None,
        register: dict[str, KeptCall],
        *,
        agent_moods: bool,
    ) -> None:
        super().__init__(call_id, config, metrics, store.calls, agent_moods=agent_moods)
        self._store, self._register = store, register
        self._storing: asyncio.Task[None] | None = None  # what the database did not take
        self._audio = audio
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
        if not await self._stored(state):
            storing = self._store_later(state)
            self._storing = asyncio.create_task(storing, name=f"storing-{self.id}")
        await self.over(state)

    async def _stored(self, state: CallState) -> bool:
        """Whether the record is on the disk, or need not be any more."""
        calls, record = self._store.calls, self.record(state)
        try:
            also = self.also(state)
            if self.journal_torn:
                also.append(await calls.journalling(self.id, self.events))
            await calls.finish(record, peak_of(record), *also)
        except NotFound:
            pass  # deleted meanwhile
        except LingtingError as error:
            log.error("a call's record is not stored yet: %s", error)
            return False
        self._register.pop(self.id, None)
        return True

    async def _store_later(self, state: CallState) -> None:
        """Until then the call is read from memory; if the box stops, from its journal."""
        pause_s, longest_s = STORE_AGAIN_S
        await asyncio.sleep(pause_s)
        while not await self._stored(state):
            pause_s = min(2 * pause_s, longest_s)
            await asyncio.sleep(pause_s)

    def close(self) -> None:
        if self._storing:
            self._storing.cancel()


def peak_of(record: CallRecord) -> Peak | None:
    """The strongest negative mood of whoever is not the agent."""
    felt = [
        (LEVELS[u.mood.level], u.mood)
        for u in record.utterances
        if u.mood and u.mood.level and u.mood.emotion in NEGATIVE and u.role is not Role.AGENT
    ]
    if not felt:
        return None
    mood = max(felt, key=lambda pair: pair[0])[1]
    assert mood.emotion and mood.level
    return Peak(mood.emotion, Level(mood.level))


def new_id() -> str:
    """Of a call; later ones sort behind earlier ones."""
    return f"{int(time.time() * 1000):012x}{uuid.uuid4().hex[:20]}"
