"""Calls that another gateway hears: told to it, and seen from here.

What lasts is in the journal, which all gateways read; a notice says that there is more of it. What
is for the moment goes in the notice itself, sealed under the call's key, while somebody elsewhere
watches.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence

from pydantic import TypeAdapter

from appliance.call.log import EventLog
from appliance.errors import LingtingError
from appliance.feed.journal import PAGE, Journal
from appliance.feed.running import RunningCalls
from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.messages import Lasting, NumberedEvent, Partial
from appliance.store.calls import OVER
from appliance.store.notices import Fields
from appliance.store.store import Store

log = logging.getLogger(__name__)

MORE, SHOWN, WATCHED = "more", "shown", "watched"  # notices: of a call's journal, partial, watchers
ASK_EVERY_S = 3.0  # for what is for the moment
WATCHED_FOR_S = 3 * ASK_EVERY_S
MOST_SHOWN = 8  # partials not looked at yet
PARTIAL = TypeAdapter(Partial)


class Neighbours(Subscriber):
    """Tells the other gateways of every live call that is heard here.

    Args:
        store: whose gateways; not started yet.
    """

    name = "neighbours"
    partials = True

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watched: dict[str, float] = {}  # call, until when; monotonic s
        store.notices.on(WATCHED, self._watch)

    def _watch(self, fields: Fields) -> None:
        now = time.monotonic()
        self._watched = {call: until for call, until in self._watched.items() if until > now}
        self._watched[str(fields["call"])] = now + WATCHED_FOR_S

    def listen(self, call: FollowedCall) -> Listener | None:
        return Telling(call.id, self) if call.config.live and self._store.notices.shared else None

    async def tell(self, call_id: str, told: NumberedEvent) -> None:
        if isinstance(told.event, Lasting):
            self._store.notices.tell(MORE, call=call_id)
        elif isinstance(told.event, Partial) and self._is_watched(call_id):
            cipher, key = await self._store.ring.get(call_id)
            sealed = cipher.seal(key, PARTIAL.dump_json(told.event), _about(call_id))
            self._store.notices.tell(SHOWN, call=call_id, sealed=base64.b64encode(sealed).decode())

    def _is_watched(self, call_id: str) -> bool:
        return self._watched.get(call_id, 0.0) > time.monotonic()


class Telling:
    """One call's events on their way to the others."""

    def __init__(self, call_id: str, neighbours: Neighbours) -> None:
        self._call_id, self._neighbours = call_id, neighbours

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        await self._neighbours.tell(self._call_id, told)
        return ()

    def leave(self) -> None:
        """Its end is told by who keeps the register."""


class Mirror:
    """A call that another gateway hears, as far as its journal and notices tell."""

    def __init__(self, call_id: str, store: Store, running: RunningCalls) -> None:
        self.log = EventLog()
        self.watchers = 0
        self._call_id, self._store = call_id, store
        self._journal, self._news = Journal(store.calls), running.news_of(call_id)
        self._shown: asyncio.Queue[str] = asyncio.Queue(MOST_SHOWN)
        self._tasks = [asyncio.create_task(work()) for work in (self._follow, self._ask)]

    def show(self, sealed: str) -> None:
        """A partial, as it came."""
        with contextlib.suppress(asyncio.QueueFull):
            self._shown.put_nowait(sealed)
        self._news.tell()

    async def _follow(self) -> None:
        error: BaseException | None = None
        try:
            while await self._look():
                pass
        except LingtingError as lost:
            error = lost
        finally:
            self.log.close(error)

    async def _look(self) -> bool:
        """Take what is new; False: the call is over."""
        seen = self._news.count
        over = (await self._store.calls.find(self._call_id)).state in OVER
        while await self._read():
            pass
        while not self._shown.empty():
            await self._take(self._shown.get_nowait())
        if not over:
            with contextlib.suppress(TimeoutError):  # a notice may be lost
                async with asyncio.timeout(ASK_EVERY_S):
                    await self._news.wait(seen)
        return not over

    async def _read(self) -> bool:
        """A page of the journal; False: there is no more."""
        before = self.log.sequence
        for sequence, event in await self._journal.read(self._call_id, before):
            if sequence != self.log.sequence + 1:  # it comes late, from a database that was away
                break
            await self.log.put(event)
        return self.log.sequence - before >= PAGE

    async def _take(self, sealed: str) -> None:
        try:
            cipher, key = await self._store.ring.get(self._call_id)
            plain = cipher.open(key, base64.b64decode(sealed), _about(self._call_id))
            self.log.show(PARTIAL.validate_json(plain))
        except ValueError as error:
            log.warning("a partial of another gateway is not understood: %s", error)

    async def _ask(self) -> None:
        while True:
            self._store.notices.tell(WATCHED, call=self._call_id)
            await asyncio.sleep(ASK_EVERY_S)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Mirrors:
    """One for each call that is watched here and heard elsewhere, however many watch it."""

    def __init__(self, store: Store, running: RunningCalls) -> None:
        self._store, self._running = store, running
        self._mirrors: dict[str, Mirror] = {}
        store.notices.on(MORE, lambda fields: running.look_again(str(fields["call"])))
        store.notices.on(SHOWN, self._show)

    def _show(self, fields: Fields) -> None:
        if mirror := self._mirrors.get(str(fields["call"])):
            mirror.show(str(fields["sealed"]))

    @contextlib.asynccontextmanager
    async def of(self, call_id: str) -> AsyncIterator[EventLog]:
        """The log of a call that is heard elsewhere; closed when that is over or cannot be read."""
        mirror = self._mirrors.get(call_id)
        if mirror is None or mirror.log.closed:
            mirror = self._mirrors[call_id] = Mirror(call_id, self._store, self._running)
        mirror.watchers += 1
        try:
            yield mirror.log
        finally:
            mirror.watchers -= 1
            if not mirror.watchers:
                if self._mirrors.get(call_id) is mirror:
                    del self._mirrors[call_id]
                await mirror.close()


def _about(call_id: str) -> bytes:
    return f"{call_id}:partial".encode()
