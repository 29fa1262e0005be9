"""A speech bundle takes over from another while calls run, or does not.

    loading    it is loaded beside the one that serves
    canary     it must hear its own canary
    shadow     a share of the real windows is asked of it, too; nobody gets its answers
    ready      it has heard enough alike; whoever began it may let it lead
    leading    calls that begin now are its; the old one is the shadow now, and takes over again by
               itself if they do not hear alike, or the new one is too slow or does not answer
    settling   calls of the old one end; then the new one is loaded in its place
    done, back

Whatever happens, the old one or the new one serves. What decides that is never cut off in its
middle: the way forward may be cancelled at any moment, what follows it is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from appliance.engine.canary import Canary, load_canary
from appliance.engine.failover import READY
from appliance.engine.switch import ModelSwitch, Shadow, ShadowTally
from appliance.errors import Conflict, LingtingError
from appliance.models.library import HeldBundle
from appliance.models.lineup import variant_name
from appliance.models.loading import SLOT, BundleLoading
from appliance.models.slots import SlotState
from inference.bundles import Manifest, load_manifest
from inference.tensors import ASR_MODEL, served_name

log = logging.getLogger(__name__)

Tell = Callable[[str, str, str], Coroutine[Any, Any, None]]  # act, bundle, detail

POLL_S = 0.2
AGAIN_S = 30.0  # before the engines are asked again to take the new one for good
FIRST_JUDGED = 10  # windows heard twice before anything is judged by them
OLD = ""  # the variant from the start
DOING = "try a bundle"
CALLED_OFF = "it was called off"


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
TRYING = (RolloutStage.SHADOW, RolloutStage.READY)


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
    reason: str = ""  # why it went back, or does not settle
    windows: int = 0
    failed: int = 0
    agreement: float = 1.0
    cost: float = 1.0
    old_calls: int = 0  # that still run with the one before


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried, and all that the way back needs."""

    bundle: HeldBundle
    policy: RolloutPolicy
    slot: SlotState  # as it was
    base: Manifest
    base_canary: Canary
    late: bool  # whether finals were late already
    ready: frozenset[str]  # engines that answered

    @property
    def variant(self) -> str:
        return variant_name(self.bundle.ref)


class WentBack(Exception):
    """The old one serves; the message says why."""


class Rollout:
    """Of the box's speech bundle; one at a time.

    Args:
        late_s: how late finals of live calls come; 0: they do not.
        tell: is told what changes by itself.
    """

    def __init__(
        self,
        loading: BundleLoading,
        switch: ModelSwitch,
        late_s: Callable[[], float] = lambda: 0.0,
        *,
        tell: Tell,
    ) -> None:
        self._loading, self._switch, self._late_s, self._tell = loading, switch, late_s, tell
        self._library = loading.library
        self._stage, self._ref, self._reason = RolloutStage.NONE, "", ""
        self._before = ""
        self._tally = ShadowTally()
        self._wanted = asyncio.Event()  # somebody lets it lead
        self._decided = asyncio.Event()  # which one serves
        self._forward: asyncio.Task[None] | None = None
        self._activating: asyncio.Task[HeldBundle] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def state(self) -> RolloutState:
        tally, old = self._tally, self._switch.users(OLD)
        return RolloutState(
            *(self._stage, self._ref, self._before, self._reason, tally.windows, tally.failed),
            *(round(tally.agreement, 4), round(tally.cost, 3), old),
        )

    @property
    def under_way(self) -> bool:
        """Until the old one has gone, or the new one."""
        return bool(self._task and not self._task.done())

    def begin(self, bundle: HeldBundle, policy: RolloutPolicy) -> RolloutState:
        """Raises Conflict while another is under way, or if it serves already; BundleError or
        InvalidRequest if it cannot hear this box's calls."""
        if self.under_way:
            hint = "its calls must end first" if self._decided.is_set() else "abort it first"
            raise Conflict(DOING, f"{self._ref} is being tried ({self._stage})", hint)
        if bundle.folder.resolve() == self._loading.base.resolve():
            raise Conflict(DOING, f"{bundle.ref} serves already", "name another")
        if bundle.ref in (each.ref for each in self._loading.state().beside):
            raise Conflict(DOING, f"{bundle.ref} is served beside", "lingting models unserve")
        self._loading.check_base(bundle)
        trial = self._trial(bundle, policy)
        self._ref, self._reason, self._tally = bundle.ref, "", ShadowTally()
        self._before, self._stage = trial.slot.active, RolloutStage.LOADING
        self._wanted.clear()
        self._decided.clear()
        self._activating = None
        self._forward = asyncio.create_task(self._go(trial), name="rollout-forward")
        self._task = asyncio.create_task(self._run(trial, self._forward), name="rollout")
        return self.state()

    def _trial(self, bundle: HeldBundle, policy: RolloutPolicy) -> Trial:
        base, slot = self._loading.base, self._library.slots()[SLOT]
        late, ready = bool(self._late_s()), self._ready()
        return Trial(bundle, policy, slot, load_manifest(base), load_canary(base), late, ready)

    def _ready(self) -> frozenset[str]:
        """Engines that answer."""
        parts = self._switch.engine.health().parts
        return frozenset(name for name, state in parts.items() if state == READY)

    def check_free(self, slot: str) -> None:
        """Raises Conflict while a trial is about to change what serves there."""
        if slot == SLOT and self.under_way:
            cause = f"{self._ref} is being tried ({self._stage})"
            raise Conflict("change what serves", cause, "lingting models lead, or abort")

    def loads(self, ref: str) -> bool:
        """Whether the engines have that bundle, or are about to."""
        return self._loading.uses(ref) or (self.under_way and ref == self._ref)

    def promote(self) -> RolloutState:
        """Let it lead, although it has not heard enough yet; raises Conflict if it cannot."""
        if self._stage not in TRYING:
            raise Conflict("let a bundle lead", f"none is ready ({self._stage})", "try one first")
        self._wanted.set()
        return self.state()

    async def abort(self) -> RolloutState:
        """Back to the old one; raises Conflict unless it can still go back."""
        if not self.under_way or self._decided.is_set():
            cause = f"{self._ref} has taken over" if self.under_way else "none is under way"
            raise Conflict("call off a trial", f"{cause} ({self._stage})")
        await self._turn_back()
        return self.state()

    async def close(self) -> None:
        """Wait for nobody's call to end."""
        await self._turn_back()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, *self._telling, return_exceptions=True)

    async def _turn_back(self) -> None:
        """Until it is decided which one serves; if it is not yet, the old one."""
        if self._forward and self.under_way:
            if not self._forward.cancelling():
                self._forward.cancel()
            await self._decided.wait()

    def _note(self, act: str, ref: str, detail: str = "") -> None:
        """Nobody waits for it: a disk that hangs must not keep calls from being watched."""
        task = asyncio.create_task(self._tell(act, ref, detail))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    # --- the way

    async def _run(self, trial: Trial, forward: asyncio.Task[None]) -> None:
        await asyncio.wait([forward])
        if why := _why(forward):
            await self._back(trial, why)
            if why != CALLED_OFF:  # by somebody, whose act is known
                self._note("bundle.back", trial.bundle.ref, why)
            await self._until_free(trial.variant)
        else:
            await self._settle(trial)
            self._note("bundle.settled", trial.bundle.ref)
        try:
            await self._loading.change(lambda state: replace(state, trial=""))
            if self._stage is RolloutStage.SETTLING:
                await asyncio.to_thread(self._library.prove, [trial.bundle.folder])
        except Exception as error:  # it is over all the same
            log.warning("%s: it is over, but: %r", trial.bundle.ref, error)
        finally:
            if self._stage is RolloutStage.SETTLING:
                self._stage = RolloutStage.DONE

    async def _go(self, trial: Trial) -> None:
        """Until it leads for good; raises what keeps it from that."""
        canary = await self._loading.checked(trial.bundle)
        ref = trial.bundle.ref
        await self._loading.change(lambda state: replace(state, trial=ref))
        self._check_window(trial)
        self._stage = RolloutStage.CANARY
        if reason := await self._loading.hear(canary):
            raise WentBack(f"its canary failed: {reason}")
        self._stage = RolloutStage.SHADOW
        await self._shadowed(trial)
        self._stage = RolloutStage.READY
        while not (trial.policy.automatic or self._wanted.is_set()):
            self._check_engines(trial)
            await asyncio.sleep(POLL_S)
        await self._lead(trial, canary)

    def _check_engines(self, trial: Trial) -> None:
        """One that was well before must not die of it, though another stands in."""
        if gone := trial.ready - self._ready():
            raise WentBack(f"{', '.join(sorted(gone))} does not answer any more")

    def _check_window(self, trial: Trial) -> None:
        """Utterances are cut for the one from the start: it must take as long ones."""
        engine = self._switch.engine
        new, old = engine.card(served_name(ASR_MODEL, trial.variant)), engine.card()
        if new.window_s < old.window_s:
            told = f"it takes windows of {new.window_s:g} s, calls bring up to {old.window_s:g} s"
            raise WentBack(f"{told}: activate it, and restart")

    async def _shadowed(self, trial: Trial) -> None:
        """Until it has heard enough alike, or somebody will not wait for that."""
        new, old = trial.bundle.manifest, trial.base
        shadow = Shadow(trial.variant, label(new), label(old), trial.policy.share)
        with self._following(shadow) as tally:
            while not self._wanted.is_set():
                if tally.failed > max(2, tally.windows // 10):
                    raise WentBack(f"{tally.failed} windows were not answered")
                self._check_engines(trial)
                if judged(tally, trial.policy, leading=False):
                    return
                await asyncio.sleep(POLL_S)

    async def _lead(self, trial: Trial, canary: Canary) -> None:
        """Until enough of what it answers was heard alike by the old one."""
        bundle, new, old = trial.bundle, trial.bundle.manifest, trial.base
        self._activating = asyncio.create_task(
            asyncio.to_thread(self._library.activate, SLOT, bundle.ref)
        )
        await asyncio.shield(self._activating)
        self._switch.lead(trial.variant, canary)
        self._stage = RolloutStage.LEADING
        log.info("%s leads", bundle.ref)
        self._note("bundle.leads", bundle.ref, f"instead of {label(old)}")
        with self._following(Shadow(OLD, label(old), label(new), trial.policy.share)) as tally:
            while not judged(tally, trial.policy, leading=True):
                if tally.stood_in > max(2, tally.led // 10):
                    raise WentBack(f"{tally.stood_in} windows it did not answer itself")
                self._check_engines(trial)
                if not self._switch.engine.health().ok:
                    raise WentBack("no engine answers its canary")
                if (late_s := self._late_s()) and not trial.late:
                    raise WentBack(f"finals come {late_s:.1f} s late")
                await asyncio.sleep(POLL_S)

    @contextlib.contextmanager
    def _following(self, shadow: Shadow) -> Iterator[ShadowTally]:
        self._tally = shadow.tally
        self._switch.follow(shadow)
        try:
            yield shadow.tally
        finally:
            self._switch.follow(None)

    async def _back(self, trial: Trial, why: str) -> None:
        log.warning("%s goes back: %s", trial.bundle.ref, why)
        self._reason = why
        try:
            self._switch.lead(OLD, trial.base_canary)  # first: calls begin all the while
            if self._activating:
                await asyncio.wait([self._activating])
                await asyncio.to_thread(self._library.restore, SLOT, trial.slot)
        except Exception as error:
            log.error("%s would serve from the next start on: %r", trial.bundle.ref, error)
        finally:
            self._stage = RolloutStage.BACK
            self._decided.set()

    async def _settle(self, trial: Trial) -> None:
        """For good: the old one's calls end, the new one takes its place, its variant's end."""
        self._stage = RolloutStage.SETTLING
        self._decided.set()
        await self._until_free(OLD)
        while True:
            try:
                await self._loading.rebase(trial.bundle)
                break
            except Exception as error:  # both are loaded, and the new one leads: it goes on so
                self._reason = f"the old one is still loaded: {error}"
                log.warning("%s leads, but %s", trial.bundle.ref, self._reason)
                await asyncio.sleep(AGAIN_S)
        self._reason = ""
        self._switch.lead(OLD, load_canary(trial.bundle.folder))
        await self._until_free(trial.variant)

    async def _until_free(self, variant: str) -> None:
        while self._switch.users(variant):
            await asyncio.sleep(POLL_S)


def label(manifest: Manifest) -> str:
    """As answers name who heard."""
    return f"{manifest.name} {manifest.version}"


def judged(tally: ShadowTally, policy: RolloutPolicy, *, leading: bool) -> bool:
    """Whether enough was heard by both; raises WentBack if that speaks against the new one.

    Args:
        leading: the new one leads, and the tally's shadow is the old one.
    """
    if tally.windows < min(FIRST_JUDGED, policy.windows):
        return False
    if tally.agreement < policy.least_agreement:
        told = f"{tally.agreement:.0%} of the characters are heard alike"
        raise WentBack(f"{told}, {policy.least_agreement:.0%} are the least")
    cost = 1 / tally.cost if leading and tally.cost else tally.cost
    if cost > policy.most_cost:
        raise WentBack(f"it takes {cost:.1f} times the work, {policy.most_cost:g} at most")
    return tally.windows >= policy.windows


def _why(forward: asyncio.Task[None]) -> str:
    """What kept it from leading for good; empty: nothing."""
    if forward.cancelled():
        return CALLED_OFF
    error = forward.exception()
    if error and not isinstance(error, WentBack | LingtingError):
        log.error("a trial met a bug", exc_info=error)
    return "" if error is None else str(error) or repr(error)
