"""The one hand that changes which speech bundles the engines have loaded, one change at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from appliance.engine.canary import Canary, load_canary
from appliance.engine.switch import ModelSwitch
from appliance.errors import EngineUnavailable, LingtingError
from appliance.models.library import HeldBundle, ModelLibrary
from appliance.models.lineup import Lineup, LineupState, variant_name
from appliance.models.slots import SlotState
from inference.tensors import ASR_MODEL, served_name

log = logging.getLogger(__name__)

CANARY_S = 60.0
SLOT = "asr"

Change = Callable[[LineupState], LineupState]


class BundleLoading:
    """Of a gateway.

    Args:
        base: folder of the bundle that serves from the start.
        fits: raises BundleError for a folder whose bundle cannot hear this box's calls.
    """

    def __init__(
        self,
        library: ModelLibrary,
        lineup: Lineup,
        switch: ModelSwitch,
        base: Path,
        fits: Callable[[Path], None] = lambda folder: None,
    ) -> None:
        self.library, self.switch, self.base = library, switch, base
        self._lineup, self._fits = lineup, fits
        self._changing = asyncio.Lock()

    def start(self) -> None:
        """What is served from now on; nothing is on trial after a start."""
        base = self.base.resolve()
        held = (b.ref for b in self.library.held() if b.folder.resolve() == base)
        try:
            ref = next(held, "") if self.library.slots()[SLOT] != SlotState() else ""
            self._lineup.write(replace(self._lineup.state(), base=ref, trial=""))
        except (LingtingError, OSError) as error:  # calls matter more
            log.error("the models' services are not told what to serve: %s", error)

    def state(self) -> LineupState:
        return self._lineup.state()

    def uses(self, ref: str) -> bool:
        """Whether the engines have it loaded, or are about to."""
        base, held = self.base.resolve(), self.library.find(ref).folder.resolve()
        return held == base or ref in self._lineup.state().refs

    def check_base(self, bundle: HeldBundle) -> None:
        """Whether it could hear every call of this box; raises BundleError or InvalidRequest."""
        self.library.check_slot(SLOT, bundle)
        self._fits(bundle.folder)

    async def checked(self, bundle: HeldBundle) -> Canary:
        """Whole, vouched for, of the right kind and in date; the canary that its variant must hear.

        Raises BundleError or InvalidRequest.
        """
        self.library.check_slot(SLOT, bundle)
        await asyncio.to_thread(self.library.check, bundle)
        canary = load_canary(bundle.folder)
        return Canary(canary.audio, canary.text, variant_name(bundle.ref))

    async def change(self, change: Change) -> None:
        """Load and let go of bundles until the engines have what the changed line-up says.

        Raises BundleError or EngineUnavailable; the line-up is as it was then.
        """
        async with self._changing:
            before = self._lineup.state()
            self._lineup.write(change(before))
            try:
                await self._load()
            except BaseException:
                self._lineup.write(before)
                with contextlib.suppress(LingtingError):
                    await self._load()
                raise

    async def load(self) -> None:
        """What the line-up says; raises BundleError or EngineUnavailable."""
        async with self._changing:
            await self._load()

    async def _load(self) -> None:
        variants = await asyncio.to_thread(self._lineup.variants)
        await self.switch.engine.serve(variants)

    async def rebase(self, bundle: HeldBundle) -> None:
        """In the place of the base; raises BundleError or EngineUnavailable."""
        async with self._changing:
            before = self._lineup.state()
            self._lineup.write(replace(before, base=bundle.ref))
            try:
                await self.switch.engine.rebase(bundle.folder)
            except BaseException:
                self._lineup.write(before)
                raise
            self.base = bundle.folder

    async def hear(self, canary: Canary) -> str:
        """Why a variant's canary is not answered as it should be; empty: it is."""
        try:
            card = self.switch.engine.card(served_name(ASR_MODEL, canary.variant))
        except EngineUnavailable as error:
            return str(error)
        verdict = await canary.probe(self.switch.engine, CANARY_S)
        if not verdict.ok:
            return verdict.reason
        if verdict.heard and verdict.heard.model != f"{card.name} {card.version}":
            return f"{verdict.heard.model} answered in its place"
        return ""
