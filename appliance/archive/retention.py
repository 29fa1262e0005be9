"""Deletes what has been kept long enough, and what broke off."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from appliance.errors import LingtingError, NotFound
from appliance.steady import SteadyClock
from appliance.store.calls import OVER
from appliance.store.store import Store
from appliance.store.vault import audio_key

log = logging.getLogger(__name__)

DAY_S = 86_400.0
LOOK_EVERY_S = 60.0
CLOCK_EVERY_S = 1.0  # a clock that jumps back and forth leaves calls with wrong dates
AT_ONCE = 200  # calls in one transaction
ACCEPTED_WITHIN_S = 3600.0  # an upload once it is whole, by whichever gateway


class Retention:
    """`start` and `close` it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looking: asyncio.Task[None] | None = None
        self._clock = SteadyClock(None)

    async def start(self) -> None:
        self._clock = SteadyClock(await self._store.calls.newest())
        # Of a database in a file nobody else takes uploads in: what is not accepted broke off.
        alone = not self._store.database.shared
        await self._drop_old_audio(0.0 if alone else ACCEPTED_WITHIN_S)
        self._looking = asyncio.create_task(self._look(), name="retention")

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def shred(self, call_ids: Sequence[str]) -> None:
        """Keys first: from then on nothing of the calls can be read, whatever happens."""
        await self._store.ring.shred([audio_key(call_id) for call_id in call_ids])
        await self._store.calls.delete(call_ids)
        for call_id in call_ids:
            await self._store.vault.delete(call_id)

    async def _look(self) -> None:
        while True:
            due = time.monotonic() + LOOK_EVERY_S
            while time.monotonic() < due:
                await asyncio.sleep(min(CLOCK_EVERY_S, LOOK_EVERY_S))
                self._clock.believed()
            try:
                await self._delete_old_calls()
                await self._delete_old_orders()
                await self._drop_old_audio()
                await self._store.ring.settle()
            except (LingtingError, OSError) as error:
                log.error("retention: %s", error)
            except Exception:  # what is too old must go, whatever else is wrong
                log.exception("retention met a bug")

    async def _delete_old_calls(self) -> None:
        if not self._clock.believed():
            return
        moment = time.time() - self._store.settings.keep_calls_days * DAY_S
        while old := await self._store.calls.older_than(moment, AT_ONCE):
            await self.shred(old)
            log.info("%d calls were deleted: older than they are kept", len(old))

    async def _delete_old_orders(self) -> None:
        days = self._store.settings.keep_orders_days
        if not days or not self._clock.believed():
            return
        moment = time.time() - days * DAY_S
        while old := await self._store.orders.older_than(moment, AT_ONCE):
            await self._store.orders.delete(old)
            log.info("%d orders were deleted: over for longer than they are kept", len(old))
        while await self._store.warnings.delete_older(moment, AT_ONCE):
            pass  # they are of orders that are gone

    async def _drop_old_audio(self, accepted_within_s: float = ACCEPTED_WITHIN_S) -> None:
        days = self._store.settings.keep_audio_days
        if days and not self._clock.believed():
            return
        now = time.time()
        held = await asyncio.to_thread(self._store.vault.older_than, now - days * DAY_S)
        settled = await asyncio.to_thread(self._store.vault.older_than, now - accepted_within_s)
        over = []
        for call_id in held:
            try:
                if (await self._store.calls.find(call_id)).state in OVER:
                    over.append(call_id)
            except NotFound:  # an upload that broke off before it was accepted
                if call_id in settled:
                    await self._store.forget(call_id)
        for at in range(0, len(over), AT_ONCE):
            await self._store.drop_audio(over[at : at + AT_ONCE])
