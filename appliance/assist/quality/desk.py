"""The inspectors' desk: every call is scored once it is over; agents appeal, inspectors decide."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from appliance.assist.quality.dialogue import dialogue_of
from appliance.assist.quality.live import QualityListener
from appliance.assist.quality.rule import FULL, Finding, Inspection, QualityRule, inspect
from appliance.assist.quality.sampling import SampleBy, sample
from appliance.assist.quality.statistics import QualityStatistics, statistics
from appliance.errors import Conflict, InvalidRequest, NotFound
from appliance.feed.subscriber import FollowedCall, Listener, Owed, Subscriber
from appliance.messages import WRITTEN, CallConfig, CallRecord, CallState, LegRole
from appliance.metrics import Metrics
from appliance.store.database import Also
from appliance.store.inspections import (
    AnnounceInspection,
    InspectedRow,
    InspectionEvent,
    KeptFinding,
    KeptInspection,
)
from appliance.store.jobs import Job
from appliance.store.store import Store

if TYPE_CHECKING:
    from appliance.assist.current import CurrentCity

log = logging.getLogger(__name__)

MOST_REASON = 500
INSPECTED = InspectionEvent("inspected", "box", "", "")


class InspectionAction(StrEnum):
    """申诉、维持、改判; 认可: what nobody has appealed against is right."""

    APPEAL = "appeal"
    UPHOLD = "uphold"
    OVERRIDE = "override"
    CONFIRM = "confirm"


class AppealState(StrEnum):
    """Where a finding stands between agent and inspector."""

    NONE = ""
    OPEN = "open"
    UPHELD = "upheld"
    OVERRIDDEN = "overridden"
    CONFIRMED = "confirmed"  # by an inspector, without an appeal
    FOUND = "found"  # a fault, by an inspector: the agent may appeal against it once


# Against what an agent may appeal.
APPEALABLE = frozenset({AppealState.NONE, AppealState.CONFIRMED, AppealState.FOUND})


class QualityDesk(Subscriber):
    """Live: `quality` events. Durable: the inspection of a call that is over."""

    name = "quality"

    def __init__(
        self,
        store: Store,
        city: CurrentCity,
        metrics: Metrics,
        announce: AnnounceInspection = lambda *_: (),
    ) -> None:
        self._store, self._city, self._metrics = store, city, metrics
        self._announce = announce
        self._bear()

    def listen(self, call: FollowedCall) -> Listener | None:
        spoken = call.config.live and call.config.door != WRITTEN
        return QualityListener(call, self._live, self._failed, self.name) if spoken else None

    def _live(self) -> list[QualityRule]:
        return [each for each in self._rules if each.live and "phone" in each.channels]

    def _failed(self, rule: QualityRule, error: Exception) -> None:
        self._metrics.quality_rules_failed_total.labels(rule.id).inc()
        log.error("quality rule %s met a bug: %r", rule.id, error)

    def _bear(self) -> None:
        """Counters at zero: the first rule that fails is seen as an increase."""
        for rule in self._rules:
            self._metrics.quality_rules_failed_total.labels(rule.id)

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        spoken = state is CallState.FINISHED or (state is CallState.FAILED and call.config.live)
        written = call.config.door == WRITTEN
        return [Owed("inspection")] if spoken and not written and self._rules else ()

    @property
    def _rules(self) -> tuple[QualityRule, ...]:
        return self._city.pack.quality

    async def settle(self, job: Job) -> Sequence[Also]:
        """By the rules of this moment; done again, it takes the place of what was there, but for
        what people have said of it."""
        try:
            record = await self._store.calls.record(job.call_id)
            config = await self._store.calls.config(job.call_id)
        except NotFound:  # deleted meanwhile
            return ()
        if record is None:
            return ()
        self._bear()  # the pack may be another
        made = await asyncio.to_thread(self._inspected, record, config)
        with suppress(NotFound):
            made = carried(await self._store.inspections.get(job.call_id), made)
        if made.total is not None:
            self._metrics.quality_points.observe(made.total)
        added = await self._store.inspections.adding(made)
        return [added, *self._announce(made, INSPECTED)]

    def _inspected(self, record: CallRecord, config: CallConfig) -> KeptInspection:
        channel = "phone" if config.live else "recording"
        found = inspect(
            self._rules, dialogue_of(record, channel, _side(config.hang_up)), self._failed
        )
        of = (record.id, config.tenant, config.agent, found.total, self._city.pack.version)
        return KeptInspection(*of, tuple(_kept(found)))

    async def get(self, call_id: str) -> KeptInspection:
        """Raises NotFound."""
        return await self._store.inspections.get(call_id)

    async def history(self, call_id: str) -> list[InspectionEvent]:
        return await self._store.inspections.history(call_id)

    async def act(
        self,
        call_id: str,
        rule: str,
        action: InspectionAction,
        who: str,
        reason: str,
        wanted: Finding | None = None,
    ) -> KeptInspection:
        """An agent appeals against a finding; an inspector upholds, overrides or confirms one.

        Args:
            wanted: what it is, of an override; None: the opposite of what it is now.

        Raises:
            NotFound: that rule said nothing of that call.
            Conflict: there is nothing to decide on, or it was decided.
            InvalidRequest: no reason is given.
        """
        if not 0 < len(reason.strip()) <= MOST_REASON:
            cause, hint = "it has no reason", f"say why, in at most {MOST_REASON} characters"
            raise InvalidRequest(f"{action.value} a finding", cause, hint, param="reason")
        points = next((each.points for each in self._rules if each.id == rule), 0.0)
        event = InspectionEvent(action.value, who, rule, reason.strip())

        def decide(now: KeptFinding) -> KeptFinding:
            return decided(now, action, points, wanted)

        await self._store.inspections.change(call_id, event, decide, FULL, self._announce)
        self._store.jobs.news.tell()
        return await self.get(call_id)

    async def sample(
        self, tenant: str, by: SampleBy, n: int, since: float, until: float, agent: str = ""
    ) -> list[InspectedRow]:
        """Calls for an inspector to look at; the same ones all day, of the same calls."""
        of, at_random = (tenant, since, until, agent), by is SampleBy.RANDOM
        rows = await self._store.inspections.listed(*of, counted=not at_random)
        key = self._store.ring.recogniser("quality samples")
        drawn = await asyncio.to_thread(sample, rows, by, n, key, time.strftime("%Y-%m-%d"))
        if not at_random or not drawn:
            return drawn
        ids = [row.call_id for row in drawn]
        found = await self._store.inspections.listed(*of, calls=ids)
        return sorted(found, key=lambda row: ids.index(row.call_id))

    async def statistics(self, tenant: str, since: float, until: float) -> QualityStatistics:
        """Of calls that were inspected between two moments, s since 1970."""
        return statistics(*await self._store.inspections.sums(tenant, since, until))


def carried(before: KeptInspection, made: KeptInspection) -> KeptInspection:
    """An inspection made anew, with the appeals and decisions that the one before had."""
    judged = {each.rule: each for each in before.findings if each.appeal}
    findings = tuple(_as_judged(each, judged.get(each.rule)) for each in made.findings)
    if made.total is None:
        return replace(made, findings=findings)
    total = max(0.0, FULL - sum(each.points for each in findings))
    return replace(made, findings=findings, total=total)


def _as_judged(new: KeptFinding, old: KeptFinding | None) -> KeptFinding:
    if old is None:
        return new
    if old.appeal == AppealState.OPEN and new.finding != Finding.VIOLATED:
        return new  # the rules have given in
    return replace(new, finding=old.finding, points=old.points, appeal=old.appeal)


def decided(
    now: KeptFinding, action: InspectionAction, points: float, wanted: Finding | None = None
) -> KeptFinding:
    """What becomes of a finding; raises Conflict, InvalidRequest.

    Args:
        points: that the rule takes off where it is violated.
        wanted: what it is, of an override; None: the opposite of what it is now.
    """
    doing, state = f"{action.value} a finding", AppealState(now.appeal)
    if action is InspectionAction.APPEAL:
        if now.finding != Finding.VIOLATED:
            raise Conflict(doing, f"it is {now.finding}: nothing was taken off")
        if state not in APPEALABLE:
            raise Conflict(doing, f"there was an appeal: it is {state}")
        return replace(now, appeal=AppealState.OPEN.value)
    if action is InspectionAction.UPHOLD:
        if state is not AppealState.OPEN:
            raise Conflict(doing, "nobody has appealed against it", "confirm it")
        return replace(now, appeal=AppealState.UPHELD.value)
    if action is InspectionAction.CONFIRM:
        if state is not AppealState.NONE or now.finding == Finding.UNSURE:
            cause = f"it is {state or now.finding}"
            raise Conflict(doing, cause, "uphold or override it, and say what it is")
        return replace(now, appeal=AppealState.CONFIRMED.value)
    return _overridden(now, points, wanted or _opposite(now), doing)


def _opposite(now: KeptFinding) -> Finding:
    if now.finding == Finding.UNSURE:
        cause, hint = "it is unsure: it has no opposite", 'give finding: "kept" or "violated"'
        raise InvalidRequest("override a finding", cause, hint, param="finding")
    return Finding.KEPT if now.finding == Finding.VIOLATED else Finding.VIOLATED


def _overridden(now: KeptFinding, points: float, wanted: Finding, doing: str) -> KeptFinding:
    if now.appeal == AppealState.OVERRIDDEN:
        raise Conflict(doing, "it was overridden before, and that is final")
    if wanted.value == now.finding:
        raise Conflict(doing, f"it is {now.finding} already", "uphold or confirm it")
    if wanted is Finding.KEPT:
        made = AppealState.OVERRIDDEN
        return replace(now, finding=wanted.value, points=0.0, appeal=made.value)
    return replace(now, finding=wanted.value, points=points, appeal=AppealState.FOUND.value)


def _side(who: LegRole) -> str:
    return "" if who is LegRole.UNKNOWN else who.value


def _kept(found: Inspection) -> list[KeptFinding]:
    return [
        KeptFinding(
            each.rule.id,
            each.finding.value,
            each.points,
            each.finding.value,
            body={
                "name": each.rule.name,
                "group": each.rule.group,
                "severity": each.rule.severity,
                "advice": each.rule.advice,
                "eased": each.eased,
                "proofs": [asdict(proof) for proof in each.proofs],
            },
        )
        for each in found.findings
        if each.finding is not Finding.IDLE
    ]
