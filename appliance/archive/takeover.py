"""Says that this gateway lives, and takes over from those that do not any more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from functools import partial

from appliance.archive.recovery import end_strays, recover
from appliance.errors import LingtingError, StoreUnavailable
from appliance.feed.running import RunningCalls
from appliance.store.gateways import BEAT_S, Check, Member
from appliance.store.store import Store

log = logging.getLogger(__name__)

LOOK_ANYWAY = 30  # beats after which what a taker-over left undone is looked for


class Takeover:
    """`start` before calls come, `close` when there are none."""

    def __init__(self, store: Store, running: RunningCalls) -> None:
        self._store, self._running = store, running
        self._tasks: list[asyncio.Task[None]] = []
        self._due = asyncio.Event()  # somebody's work is to be taken over
        self._joined = False

    async def start(self) -> None:
        """What this gateway's last stop left is finished, and it lives from now on.

        Raises StoreUnavailable, also if others of this database keep audio or keys elsewhere.
        """
        gateways, shared = self._store.gateways, self._store.database.shared
        audio = await asyncio.to_thread(self._store.vault.mark)
        check = partial(self._check, audio)
        if shared:
            await self._look_around(check)
        else:
            await gateways.bury([each.id for each in await gateways.others()])
        await gateways.join(audio, self._store.ring.name, check)
        self._joined = True
        if shared:
            self._tasks = [asyncio.create_task(self._beat(), name="gateway-beat")]
        await self._take_over(own=True)
        if shared:
            self._tasks.append(asyncio.create_task(self._take_over_always(), name="takeover"))

    async def _look_around(self, check: Check) -> None:
        """Before anything of the others is touched; those that are dead have no say, unless they
        left what only their keys open."""
        gateways = self._store.gateways
        try:
            check(await gateways.others())
        except StoreUnavailable as error:
            log.warning("%s; are they alive? That takes some ten seconds to see", error.cause)
            dead = await gateways.outlive()
            check([each for each in await gateways.others() if each.id not in dead])
            if not await self._store.calls.all_over():
                raise
            await gateways.bury(dead)

    def _check(self, audio: str, others: Sequence[Member]) -> None:
        """Gateways work on each other's calls: what one has sealed, all must be able to open."""
        ring = self._store.ring
        if others and not ring.shared:
            cause = "their calls' keys are in a database of each one's own"
            hint = "set [store] keys_url, for all of them"
        elif any(each.master != ring.name for each in others):
            cause = "they have another master key"
            hint = "copy theirs to [store] master_key"
        elif any(each.audio != audio for each in others):
            cause = "they keep audio in another folder"
            hint = "set [store] audio_folder to a folder that all of them share"
        else:
            return
        raise StoreUnavailable("join the other gateways of the database", cause, hint)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._joined:
            self._joined = False
            with contextlib.suppress(StoreUnavailable):
                await self._store.gateways.leave()

    async def _beat(self) -> None:
        gateways, beats = self._store.gateways, 0
        while True:
            await asyncio.sleep(BEAT_S)
            beats += 1
            try:
                if not await gateways.beat():
                    log.warning("others took this gateway for dead: it stood still for too long")
                dead = await gateways.look()
                if dead:
                    log.warning("%d gateways are dead: their work is taken over", len(dead))
                    await gateways.bury(dead)
                if dead or beats % LOOK_ANYWAY == 0:
                    self._due.set()  # beside this: who takes over for long is not dead itself
                    self._running.look_at_all()
                if dead:
                    self._store.notices.look()  # what they did not say
            except LingtingError as error:
                log.warning("the other gateways are not seen: %s", error)
            except Exception:  # whatever it was, the others must not take us for dead
                log.exception("looking after the other gateways met a bug")

    async def _take_over_always(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self._take_over()
            except LingtingError as error:
                log.warning("what others left is not taken over yet: %s", error)
            except Exception:  # it is looked for again in a while
                log.exception("taking over met a bug")

    async def _take_over(self, *, own: bool = False) -> None:
        """Each step may be done by several gateways at once, and takes effect once.

        Args:
            own: also what this gateway's last life left, before it has begun anything.
        """
        store = self._store
        if await store.jobs.abandon_leases(own=own):
            store.jobs.news.tell()
        await recover(store.calls, self._running, own=own)
        await end_strays(store.calls, self._running)
        members = await (store.gateways.others() if own else store.gateways.all())
        living = [each.id for each in members]
        await asyncio.to_thread(store.vault.remove_broken_off, living)
