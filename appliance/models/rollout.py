"""A speech bundle takes over from another while calls run, or does not.

    loading    it is loaded beside the one that serves
    canary     it must hear its own canary
    shadow     a share of the real windows is asked of it, too; nobody gets its answers
    ready      it has heard enough alike; whoever began it may let it lead
    leading    calls that begin now are hers; the old one is the shadow now, and takes over
               again by itself if they do not hear alike, or the new one is too slow or fails
    settling   calls of the old one end; then the new one is loaded in its place
    done, back

Whatever happens the one that is active serves: at every moment that is the old or the new.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from appliance.engine.canary import Canary, load_canary
from appliance.engine.switch import ModelSwitch, Shadow, ShadowTally
from appliance.errors import Conflict, EngineUnavailable, LingtingError
from appliance.models.library import HeldBundle, ModelLibrary
from appliance.models.lineup import Lineup, variant_name
from inference.tensors import ASR_MODEL, served_name

log = logging.getLogger(__name__)

SLOT = "asr"
POLL_S = 0.2
FIRST_JUDGED = 10  # windows heard twice before anything is judged by them
CANARY_S = 60.0
OLD = ""  # the variant from the start
DOING = "try a bundle"


class RolloutStage(StrEnum):
    NONE = "none"
    LOADING = "loading"
    CANARY = "canary"
    SHADOW = "shadow"
    READY = "ready"
    LEADING = "leading"
    SETTLING = "settling"
    DONE = "done"
    BACK = "back"


OVER = (RolloutStage.NONE, RolloutStage.DONE, RolloutStage.BACK)


@dataclass(frozen=True, slots=True)
class RolloutPolicy:
    """What a bundle must show."""

    share: float = 0.2  # of the windows that are heard twice
    windows: int = 50  # heard twice before it may lead, and as many afterwards
    least_agreement: float = 0.6  # characters heard alike
    most_cost: float = 3.0  # times the work of the other
    automatic: bool = False  # lead as soon as it may


@dataclass(frozen=True, slots=True)
class RolloutState:
    stage: RolloutStage
    ref: str = ""
    before: str = ""
    reason: str = ""  # why it went back
    windows: int = 0
    failed: int = 0
    agreement: float = 1.0
    cost: float = 1.0
    old_calls: int = 0  # that still run with the one before


class WentBack(Exception):
    """The old one serves; the message says why."""


class Rollout:
    """Of the box's speech bundle; one at a time."""

    def __init__(
        self, library: ModelLibrary, lineup: Lineup, switch: ModelSwitch, current: Path
    ) -> None:
        """`current`: folder of the bundle that serves from the start."""
        self._library, self._lineup, self._switch = library, lineup, switch
        self._current = current
        self._stage, self._ref, self._reason = RolloutStage.NONE, "", ""
        self._before = ""
        self._tally = ShadowTally()
        self._wanted = asyncio.Event()  # somebody lets it lead
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Nothing is tried after a start."""
        self._lineup.put_on_trial("")

    def state(self) -> RolloutState:
        tally, old = self._tally, self._switch.users(OLD)
        return RolloutState(
            *(self._stage, self._ref, self._before, self._reason, tally.windows, tally.failed),
            *(round(tally.agreement, 4), round(tally.cost, 3), old),
        )

    def begin(self, bundle: HeldBundle, policy: RolloutPolicy) -> RolloutState:
        """Raises Conflict while another runs, or if it serves already."""
        if self._task and not self._task.done():
            raise Conflict(DOING, f"{self._ref} is being tried ({self._stage})", "abort it first")
        if bundle.folder.resolve() == self._current.resolve():
            raise Conflict(DOING, f"{bundle.ref} serves already", "name another")
        self._ref, self._reason, self._tally = bundle.ref, "", ShadowTally()
        self._before = self._library.slots()[SLOT].active
        self._wanted.clear()
        self._stage = RolloutStage.LOADING
        self._task = asyncio.create_task(self._run(bundle, policy), name="rollout")
        return self.state()

    def promote(self) -> RolloutState:
        """Let it lead, although it has not heard enough yet; raises Conflict if it cannot."""
        if self._stage not in (RolloutStage.SHADOW, RolloutStage.READY):
            raise Conflict("let a bundle lead", f"none is ready ({self._stage})", "try one first")
        self._wanted.set()
        return self.state()

    async def abort(self, reason: str = "it was called off") -> RolloutState:
        """Back to the old one, unless the new one has taken over for good."""
        if self._stage in (*OVER, RolloutStage.SETTLING):
            raise Conflict("call off a trial", f"none is under way ({self._stage})")
        self._reason = reason
        await self._turn_back()
        return self.state()

    async def close(self) -> None:
        """Wait for nobody's call to end."""
        await self._turn_back()
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _turn_back(self) -> None:
        """Until the old one leads; calls of the new one may still run."""
        if self._task and self._may_turn(self._task):
            self._task.cancel()
            while self._may_turn(self._task):
                await asyncio.sleep(POLL_S / 4)

    def _may_turn(self, task: asyncio.Task[None]) -> bool:
        return not task.done() and self._stage is not RolloutStage.BACK

    # --- the way

    async def _run(self, bundle: HeldBundle, policy: RolloutPolicy) -> None:
        variant = variant_name(bundle.ref)
        try:
            canary = await self._load(bundle, variant)
            await self._shadowed(variant, policy)
            await self._lead(bundle, variant, canary, policy)
        except asyncio.CancelledError:
            await self._back(variant, self._reason or "the box was stopped")
            raise
        except (WentBack, LingtingError) as error:
            await self._back(variant, str(error))
        except Exception as error:
            log.exception("a trial failed")
            await self._back(variant, repr(error))
        else:
            await self._settle(bundle, variant)

    async def _load(self, bundle: HeldBundle, variant: str) -> Canary:
        await asyncio.to_thread(self._library.check, bundle)
        canary = load_canary(bundle.folder)
        self._lineup.put_on_trial(bundle.ref)
        await self._serve()
        self._check_window(variant)
        self._stage = RolloutStage.CANARY
        own = Canary(canary.audio, canary.text, variant)
        verdict = await own.probe(self._switch.engine, CANARY_S)
        if not verdict.ok:
            raise WentBack(f"its canary failed: {verdict.reason}")
        return canary

    def _check_window(self, variant: str) -> None:
        """Utterances are cut for the one from the start: it must take as long ones."""
        engine = self._switch.engine
        new, old = engine.card(served_name(ASR_MODEL, variant)), engine.card()
        if new.window_s < old.window_s:
            told = f"it takes windows of {new.window_s:g} s, calls bring up to {old.window_s:g} s"
            raise WentBack(f"{told}: activate it, and restart")

    async def _serve(self) -> None:
        variants = await asyncio.to_thread(self._lineup.variants)
        await self._switch.engine.serve(variants)

    async def _shadowed(self, variant: str, policy: RolloutPolicy) -> None:
        self._stage = RolloutStage.SHADOW
        await self._compared(variant, policy, until_wanted=True)
        self._stage = RolloutStage.READY
        if not policy.automatic:
            await self._wanted.wait()

    async def _compared(
        self, shadow: str, policy: RolloutPolicy, *, until_wanted: bool = False
    ) -> None:
        """Until enough was heard twice; raises WentBack as soon as that is not alike."""
        watched = Shadow(shadow, policy.share)
        self._tally, self._switch.shadow = watched.tally, watched
        try:
            while watched.tally.windows < policy.windows:
                if until_wanted and self._wanted.is_set():
                    return
                if watched.tally.failed > max(2, watched.tally.windows // 10):
                    raise WentBack(f"{watched.tally.failed} windows were not answered")
                if not self._switch.engine.health().ok:
                    raise WentBack("no engine answers its canary")
                if watched.tally.windows >= FIRST_JUDGED:
                    self._judge(watched.tally, policy, leading=not until_wanted)
                await asyncio.sleep(POLL_S)
            self._judge(watched.tally, policy, leading=not until_wanted)
        finally:
            self._switch.shadow = None

    def _judge(self, tally: ShadowTally, policy: RolloutPolicy, *, leading: bool) -> None:
        if tally.agreement < policy.least_agreement:
            told = f"{tally.agreement:.0%} of the characters are heard alike"
            raise WentBack(f"{told}, {policy.least_agreement:.0%} are the least")
        cost = 1 / tally.cost if leading and tally.cost else tally.cost
        if cost > policy.most_cost:
            raise WentBack(f"it takes {cost:.1f} times the work, {policy.most_cost:g} at most")

    async def _lead(
        self, bundle: HeldBundle, variant: str, canary: Canary, policy: RolloutPolicy
    ) -> None:
        await asyncio.to_thread(self._library.activate, SLOT, bundle.ref)
        self._switch.lead(variant, canary)
        self._stage = RolloutStage.LEADING
        log.info("%s leads", bundle.ref)
        await self._compared(OLD, policy)

    async def _settle(self, bundle: HeldBundle, variant: str) -> None:
        """For good: the old one's calls end, the new one takes its place, its variant goes."""
        self._stage = RolloutStage.SETTLING
        engine = self._switch.engine
        try:
            await self._until_free(OLD)
            await engine.rebase(bundle.folder)
            self._current = bundle.folder
            self._switch.lead("", load_canary(bundle.folder))
            await self._until_free(variant)
            self._lineup.put_on_trial("")
            await self._serve()
        except LingtingError as error:  # both are loaded, and the new one leads: it goes on so
            log.warning("%s leads, but the old bundle is still loaded: %s", bundle.ref, error)
        self._stage = RolloutStage.DONE

    async def _until_free(self, variant: str) -> None:
        while self._switch.users(variant):
            await asyncio.sleep(POLL_S)

    async def _back(self, variant: str, reason: str) -> None:
        log.warning("%s goes back: %s", self._ref, reason)
        self._reason = reason
        if self._stage is RolloutStage.LEADING:
            with contextlib.suppress(LingtingError):
                await asyncio.to_thread(self._library.roll_back, SLOT)
            self._switch.lead("", load_canary(self._current))
        self._stage = RolloutStage.BACK
        await self._until_free(variant)
        self._lineup.put_on_trial("")
        with contextlib.suppress(EngineUnavailable):
            await self._serve()
