"""The duty officer's desk: warnings as orders come in, and what becomes of each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from appliance.assist.city.divisions import is_within
from appliance.assist.warnings import usual
from appliance.assist.warnings.book import QUIET_S, EarlyWarning
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.expected import DAY_S
from appliance.assist.warnings.following import Following, Touched, contact_of
from appliance.assist.warnings.life import (
    OPEN,
    REASONED,
    WarningAction,
    WarningKind,
    WarningState,
    after,
)
from appliance.errors import Conflict, InvalidRequest, LingtingError
from appliance.messages import EVERY_TENANT
from appliance.metrics import Metrics
from appliance.store.database import Also
from appliance.store.store import Store
from appliance.store.warnings import KeptWarning, Mute, WarningEvent

if TYPE_CHECKING:
    from appliance.assist.city.pack import CityPack
    from appliance.assist.current import CurrentCity

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
REST_EVERY_S = 60.0
MOST_REASON, MOST_DAYS = 200, 90
MOST_CONTACTS = 200_000  # of a table: a month of a large city
MOST_GOING_ON = 5000  # warnings that a start takes up again
MOST_AT_ONCE = 500  # warnings closed in one look
BOX = "box"

Announce = Callable[[KeptWarning, str], list[Also]]  # for the transaction of what was done to it


class WarningDesk:
    """`start` and `close` it."""

    def __init__(
        self, store: Store, city: CurrentCity, metrics: Metrics, announce: Announce
    ) -> None:
        self._store, self._city, self._metrics = store, city, metrics
        self._announce = announce
        self._following = Following(store, lambda: city.pack)
        self._looking: asyncio.Task[None] | None = None
        self._tabling = asyncio.Lock()
        self._pending: Touched = {}  # warnings that are still to be written
        self._rested_at = float("-inf")
        self.caught_up = asyncio.Event()

    @property
    def pack(self) -> CityPack:
        return self._city.pack

    async def start(self) -> None:
        self._looking = asyncio.create_task(self._look(), name="warnings")

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # --- following

    async def _look(self) -> None:
        begun = False
        while True:
            try:
                if not begun or self._following.is_ahead:
                    await self._begin()
                    begun = True
                await self._keep()
                if not await self._take_some():
                    self.caught_up.set()
                    self._following.look_back()
                    await self._rest()
                    self._metrics.looked_timestamp_seconds.labels("warnings").set_to_current_time()
                    await asyncio.sleep(LOOK_EVERY_S)
            except LingtingError as error:
                log.error("early warning: %s", error)
                await asyncio.sleep(LOOK_EVERY_S)
            except Exception:  # what comes next may be an emergency
                log.exception("early warning met a bug")
                await asyncio.sleep(LOOK_EVERY_S)

    async def _begin(self) -> None:
        since, most = time.time() - 2 * QUIET_S, MOST_GOING_ON
        recent = await self._store.warnings.newest(EVERY_TENANT, since=since, most=most)
        known = []
        for each in recent:
            if each.kind == WarningKind.BURST:
                ids = await self._store.warnings.members(each.id)
                rows = await self._store.warnings.places(ids)
                contacts = {row.id: contact_of(row) for row in rows}
                of = (each.id, (each.category, each.place), each.begun_at, each.told_at)
                warning = EarlyWarning(*of, each.surprise, each.expected, contacts)
                if contacts:
                    known.append((each.tenant, warning))
        self._following.begin(known)

    async def _take_some(self) -> bool:
        """Whether there was anything new."""
        some = await self._following.more()
        if not some:
            return False
        begun = time.monotonic()
        touched = await asyncio.to_thread(self._following.take, some)
        took = time.monotonic() - begun
        self._pending |= touched
        await self._keep()
        if not self.caught_up.is_set():
            await asyncio.sleep(took)  # calls come first
        return True

    async def _keep(self) -> None:
        """What a failing store has not taken is tried again."""
        begin = time.time() - QUIET_S
        for (tenant, name), warning in list(self._pending.items()):
            if warning.last_at >= begin:
                await self._put(kept_of(warning, tenant), list(warning.contacts))
            self._pending.pop((tenant, name), None)

    async def _put(self, made: KeptWarning, members: Sequence[str]) -> bool:
        """Whether it is new."""
        muted = await self._mute_of(made)
        also = [] if muted else self._announce(made, "new")
        stored = self._store.warnings
        put = await stored.put(made, members, also)
        if put.new:
            self._metrics.warnings.labels(made.kind).inc()
        if put.new and muted:
            event = WarningEvent(WarningAction.MUTE, BOX, "", muted.reason)
            await stored.change(made.id, event, _closing(event), None)
        if put.grown_since and not muted:
            await self._tell_again(made, members)
        return put.new

    async def _tell_again(self, made: KeptWarning, members: Sequence[str]) -> None:
        """One that somebody had closed, and that went on."""
        event = WarningEvent(WarningAction.AGAIN, BOX, "", "结束之后，反映的人又多了一倍")

        def decide(was: KeptWarning) -> tuple[str, Sequence[Also]]:
            state = after(WarningState(was.state), WarningAction.AGAIN).value
            return state, self._announce(made, WarningAction.AGAIN.value)

        with suppress(Conflict):  # another gateway was first
            await self._store.warnings.change(made.id, event, decide)
        await self._store.warnings.put(made, members)

    async def _mute_of(self, made: KeptWarning) -> Mute | None:
        if made.kind == WarningKind.EMERGENCY:
            return None  # nobody mutes those
        for each in await self._store.warnings.mutes(made.tenant):
            if made.category.startswith(each.category) and is_within(made.place, each.place):
                return each
        return None

    async def _rest(self) -> None:
        """Close what is quiet, unless somebody watches it; count what is open."""
        if time.monotonic() - self._rested_at < REST_EVERY_S:
            return
        self._rested_at = time.monotonic()
        quiet = [WarningState.NEW.value, WarningState.ACKNOWLEDGED.value]
        stored = self._store.warnings
        for each in await stored.quiet(quiet, time.time() - QUIET_S, MOST_AT_ONCE):
            event = WarningEvent(WarningAction.REST, BOX, "", "三天没有新的来电")
            await stored.change(each.id, event, _closing(event), None)
        counts = await self._store.warnings.count_open([each.value for each in OPEN])
        for state in OPEN:
            self._metrics.warnings_open.labels(state.value).set(counts.get(state.value, 0))
        oldest = await stored.oldest_unseen()
        self._metrics.warnings_unseen_seconds.set(time.time() - oldest if oldest else 0.0)

    # --- what is asked of it

    async def emergency(self, call_id: str, tenant: str, name: str, at: float) -> bool:
        """At once, by a rule of the city pack; whether it is new: a call is one emergency."""
        kind, state = WarningKind.EMERGENCY.value, WarningState.NEW.value
        times = (at, time.time(), at)
        of = (f"e-{call_id}", tenant, kind, state, "", "", *times)
        made = KeptWarning(*of, 1, 1, 0.0, 0.0, name[:64], call_id)
        return await self._put(made, ())

    async def act(
        self, warning_id: str, action: WarningAction, who: str, reason: str, mute_days: int = 0
    ) -> KeptWarning:
        """Raises NotFound, Conflict, InvalidRequest."""
        doing, reason = f"{action.value} a warning", reason.strip()
        if len(reason) > MOST_REASON or (action in REASONED and not reason):
            hint = f"say why, in at most {MOST_REASON} characters"
            raise InvalidRequest(doing, "it has no reason, or one too long", hint, param="reason")
        now = await self._store.warnings.get(warning_id)
        mute = None
        if mute_days:
            if action not in REASONED or now.kind == WarningKind.EMERGENCY:
                cause = "only a burst that is closed or false can be muted"
                raise InvalidRequest(doing, cause, "leave suppress_days out", param="suppress_days")
            until = time.time() + mute_days * DAY_S
            mute = Mute(0, now.tenant, now.category, now.place, until, who, reason)

        def decide(was: KeptWarning) -> tuple[str, Sequence[Also]]:
            state = after(WarningState(was.state), action).value
            return state, self._announce(was, action.value)

        event = WarningEvent(action.value, who, "", reason)
        await self._store.warnings.change(warning_id, event, decide, mute)
        return await self._store.warnings.get(warning_id)

    async def heat(self, tenant: str, days: float) -> usual.HeatTable:
        """Of the last days, by county and head of a category."""
        end = time.time()
        begin = end - days * DAY_S
        rows = await self._store.warnings.called(tenant, begin, MOST_CONTACTS)

        def made() -> usual.HeatTable:
            some = [(row.tenant, contact_of(row)) for row in rows]
            before = self._following.usual(tenant, some)
            return usual.heat_table([each for _, each in some], before, self.pack, begin, end)

        async with self._tabling:  # it takes a core: one at a time
            return await asyncio.to_thread(made)

    async def forecast(self, tenant: str, hours: int) -> list[usual.HourAhead]:
        def made() -> list[usual.HourAhead]:
            return usual.forecast(self._following.usual(tenant), self.pack, hours)

        return await asyncio.to_thread(made)

    async def contacts(self, tenant: str, since: float) -> list[Contact]:
        """Of orders of calls since a moment, by time; the newest MOST_CONTACTS."""
        rows = await self._store.warnings.called(tenant, since, MOST_CONTACTS)
        return await asyncio.to_thread(lambda: [contact_of(each) for each in rows])


def kept_of(warning: EarlyWarning, tenant: str) -> KeptWarning:
    category, place = warning.cell
    kind, state = WarningKind.BURST.value, WarningState.NEW.value
    times = (warning.begun_at, warning.told_at, warning.last_at)
    counts = (warning.voices, len(warning.contacts), round(warning.expected, 3))
    surprise = round(warning.surprise, 2)
    id_ = warning.id[:48]
    return KeptWarning(id_, tenant, kind, state, category, place, *times, *counts, surprise)


def _closing(event: WarningEvent) -> Callable[[KeptWarning], tuple[str, Sequence[Also]]]:
    def decide(was: KeptWarning) -> tuple[str, Sequence[Also]]:
        return after(WarningState(was.state), WarningAction(event.action)).value, ()

    return decide
