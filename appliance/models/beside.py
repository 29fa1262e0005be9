"""Bundles that hear some calls while another hears the others, taken and let go of under calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from appliance.engine.canary import Canary, load_canary
from appliance.engine.switch import ModelSwitch
from appliance.errors import BundleError, Conflict, InvalidRequest, LingtingError, NotFound
from appliance.models.library import SLOTS, HeldBundle, ModelLibrary
from appliance.models.lineup import BesideBundle, Lineup, choose

log = logging.getLogger(__name__)

DOING = "serve a bundle beside another"
MOST = 8
CANARY_S = 60.0
POLL_S = 0.2


class BesideServing:
    """Of a gateway."""

    def __init__(self, library: ModelLibrary, lineup: Lineup, switch: ModelSwitch) -> None:
        self._library, self._lineup, self._switch = library, lineup, switch
        self._changing = asyncio.Lock()
        self.bundles: tuple[BesideBundle, ...] = ()

    async def start(self) -> None:
        """As it was before; what cannot be loaded is told in the log, and its calls are heard by
        what is active."""
        self._switch.choose = self._chosen
        self._take(self._lineup.state().beside)
        if self.bundles:
            try:
                await self._serve()
            except LingtingError as error:
                log.error("not all bundles are served: %s", error)

    def _chosen(self, model: str, tenant: str, language: str | None) -> str | None:
        return choose(self.bundles, model, tenant, language)

    async def add(
        self, bundle: HeldBundle, tenants: Sequence[str], languages: Sequence[str]
    ) -> None:
        """Load it, hear its canary, and let it hear its calls from now on.

        Raises InvalidRequest, Conflict, BundleError or EngineUnavailable; nothing is changed then.
        """
        if bundle.manifest.kind != SLOTS["asr"]:
            raise InvalidRequest(DOING, f"{bundle.ref} does not recognise speech")
        wanted = BesideBundle(bundle.ref, tuple(tenants), tuple(languages))
        async with self._changing:
            others = tuple(each for each in self.bundles if each.ref != bundle.ref)
            if len(others) >= MOST:
                raise Conflict(DOING, f"there are {MOST} already", "let go of one")
            await asyncio.to_thread(self._library.check, bundle)
            canary = load_canary(bundle.folder)
            await self._change((*others, wanted), lambda: self._heard(wanted, canary))

    async def remove(self, ref: str) -> None:
        """Its calls are heard by what is active from now on; those under way end as they began.

        Raises NotFound.
        """
        async with self._changing:
            others = tuple(each for each in self.bundles if each.ref != ref)
            if len(others) == len(self.bundles):
                there = ", ".join(each.ref for each in self.bundles) or "nothing"
                raise NotFound(DOING, f"{ref} is not served beside", f"there is {there}")
            gone = next(each for each in self.bundles if each.ref == ref)
            self._take(others)
            while self._switch.users(gone.variant):
                await asyncio.sleep(POLL_S)
            self._lineup.put_beside(others)
            await self._serve()

    async def _change(
        self, bundles: tuple[BesideBundle, ...], check: Callable[[], Awaitable[None]]
    ) -> None:
        self._lineup.put_beside(bundles)
        try:
            await self._serve()
            await check()
        except BaseException:
            self._lineup.put_beside(self.bundles)
            with contextlib.suppress(LingtingError):
                await self._serve()
            raise
        self._take(bundles)

    def _take(self, bundles: tuple[BesideBundle, ...]) -> None:
        self.bundles = bundles
        self._switch.beside = tuple(each.variant for each in bundles)

    async def _heard(self, wanted: BesideBundle, canary: Canary) -> None:
        own = Canary(canary.audio, canary.text, wanted.variant)
        verdict = await own.probe(self._switch.engine, CANARY_S)
        if not verdict.ok:
            cause = f"{wanted.ref}: its canary failed: {verdict.reason}"
            raise BundleError(DOING, cause, "import it again")

    async def _serve(self) -> None:
        await self._switch.engine.serve(await asyncio.to_thread(self._lineup.variants))
