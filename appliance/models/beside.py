"""Bundles that hear some calls while another hears the others, taken and let go of under calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from appliance.engine.switch import ModelSwitch
from appliance.errors import BundleError, Conflict, LingtingError, NotFound
from appliance.models.library import HeldBundle
from appliance.models.lineup import BesideBundle, choose
from appliance.models.loading import BundleLoading
from appliance.pauses import doubling

log = logging.getLogger(__name__)

DOING = "serve a bundle beside another"
MOST = 8
POLL_S = 0.2
AGAIN_S = (30.0, 600.0)  # first and longest pause before those from before are loaded again


class BesideServing:
    """Of a gateway; `start` and `close` it."""

    def __init__(self, loading: BundleLoading, switch: ModelSwitch) -> None:
        self._loading, self._switch = loading, switch
        self._changing = asyncio.Lock()
        self._starting: asyncio.Task[None] | None = None
        self.bundles: tuple[BesideBundle, ...] = ()

    def start(self) -> None:
        """As it was before, a while after this returns: calls do not wait for it, and are heard by
        what is active until then."""
        self._switch.choose = self._chosen
        self._take(self._loading.state().beside)
        self._starting = asyncio.create_task(self._load(), name="load-beside")

    async def close(self) -> None:
        if self._starting:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)

    async def _load(self) -> None:
        if not self.bundles:
            return
        for pause_s in doubling(*AGAIN_S):
            try:
                await self._loading.load()
                return
            except LingtingError as error:
                log.error("not all bundles are served: %s; again in %.0f s", error, pause_s)
            await asyncio.sleep(pause_s)

    def _chosen(self, model: str, tenant: str, language: str | None) -> str | None:
        return choose(self.bundles, model, tenant, language)

    async def add(
        self, bundle: HeldBundle, tenants: Sequence[str], languages: Sequence[str]
    ) -> None:
        """Load it, hear its canary, and let it hear its calls from now on.

        Raises InvalidRequest, Conflict, BundleError or EngineUnavailable; nothing is changed then.
        """
        wanted = BesideBundle(bundle.ref, tuple(tenants), tuple(languages))
        async with self._changing:
            before = self.bundles
            others = tuple(each for each in before if each.ref != bundle.ref)
            if len(others) >= MOST:
                raise Conflict(DOING, f"there are {MOST} already", "let go of one")
            if self._loading.state().trial == bundle.ref:
                raise Conflict(DOING, f"{bundle.ref} is being tried", "wait, or abort that")
            canary = await self._loading.checked(bundle)
            await self._loading.change(lambda state: replace(state, beside=(*others, wanted)))
            try:
                if reason := await self._loading.hear(canary):
                    cause = f"{bundle.ref}: its canary failed: {reason}"
                    raise BundleError(DOING, cause, "import it again")
            except BaseException:
                await self._loading.change(lambda state: replace(state, beside=before))
                raise
            self._take((*others, wanted))

    async def remove(self, name: str) -> None:
        """Its calls are heard by what is active from now on; those under way end as they began.

        Args:
            name: name@version, or the name alone.

        Raises NotFound.
        """
        async with self._changing:
            gone = self._named(name)
            others = tuple(each for each in self.bundles if each is not gone)
            self._take(others)
            while self._switch.users(gone.variant):
                await asyncio.sleep(POLL_S)
            await self._loading.change(lambda state: replace(state, beside=others))

    def _named(self, name: str) -> BesideBundle:
        for each in self.bundles:
            if name in (each.ref, each.ref.partition("@")[0]):
                return each
        there = ", ".join(each.ref for each in self.bundles) or "nothing"
        raise NotFound(DOING, f"{name} is not served beside", f"there is {there}")

    def _take(self, bundles: tuple[BesideBundle, ...]) -> None:
        self.bundles = bundles
        self._switch.beside = tuple(each.variant for each in bundles)
