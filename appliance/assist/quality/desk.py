"""The inspectors' desk: every call is scored once it is over; agents appeal, inspectors decide."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from appliance.assist.quality.dialogue import dialogue_of
from appliance.assist.quality.rule import FULL, Finding, Inspection, QualityRule, inspect
from appliance.assist.quality.statistics import QualityStatistics, statistics
from appliance.errors import Conflict, InvalidRequest, NotFound
from appliance.feed.subscriber import FollowedCall, Owed, Subscriber
from appliance.messages import WRITTEN, CallConfig, CallRecord, CallState
from appliance.store.database import Also
from appliance.store.inspections import InspectionEvent, KeptFinding, KeptInspection
from appliance.store.jobs import Job
from appliance.store.store import Store

if TYPE_CHECKING:
    from appliance.assist.current import CurrentCity

MOST_REASON = 500


class InspectionAction(StrEnum):
    """申诉、维持、改判."""

    APPEAL = "appeal"
    UPHOLD = "uphold"
    OVERRIDE = "override"


class AppealState(StrEnum):
    """Where a finding stands between agent and inspector."""

    NONE = ""
    OPEN = "open"
    UPHELD = "upheld"
    OVERRIDDEN = "overridden"


class QualityDesk(Subscriber):
    """Durable: the inspection of a call that is over."""

    name = "quality"

    def __init__(self, store: Store, city: CurrentCity) -> None:
        self._store, self._city = store, city

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        spoken = state is CallState.FINISHED or (state is CallState.FAILED and call.config.live)
        written = call.config.door == WRITTEN
        return [Owed("inspection")] if spoken and not written and self._rules else ()

    @property
    def _rules(self) -> tuple[QualityRule, ...]:
        return self._city.pack.quality

    async def settle(self, job: Job) -> Sequence[Also]:
        """By the rules of this moment; done again, it takes the place of what was there."""
        try:
            record = await self._store.calls.record(job.call_id)
            config = await self._store.calls.config(job.call_id)
        except NotFound:  # deleted meanwhile
            return ()
        if record is None:
            return ()
        made = await asyncio.to_thread(self._inspected, record, config)
        return [await self._store.inspections.adding(made)]

    def _inspected(self, record: CallRecord, config: CallConfig) -> KeptInspection:
        channel = "phone" if config.live else "recording"
        found = inspect(self._rules, dialogue_of(record, channel))
        of = (record.id, config.tenant, config.agent, found.total, self._city.pack.version)
        return KeptInspection(*of, tuple(_kept(found)))

    async def get(self, call_id: str) -> KeptInspection:
        """Raises NotFound."""
        return await self._store.inspections.get(call_id)

    async def history(self, call_id: str) -> list[InspectionEvent]:
        return await self._store.inspections.history(call_id)

    async def act(
        self, call_id: str, rule: str, action: InspectionAction, who: str, reason: str
    ) -> KeptInspection:
        """An agent appeals against a finding; an inspector upholds or overrides one.

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
            return decided(now, action, points)

        await self._store.inspections.change(call_id, event, decide, FULL)
        return await self.get(call_id)

    async def statistics(self, tenant: str, since: float, until: float) -> QualityStatistics:
        """Of calls that were inspected between two moments, s since 1970."""
        calls, findings = await self._store.inspections.rows(tenant, since, until)
        return await asyncio.to_thread(statistics, calls, findings)


def decided(now: KeptFinding, action: InspectionAction, points: float) -> KeptFinding:
    """What becomes of a finding; raises Conflict.

    Args:
        points: that the rule takes off where it is violated.
    """
    doing = f"{action.value} a finding"
    if action is InspectionAction.APPEAL:
        if now.finding != Finding.VIOLATED:
            raise Conflict(doing, f"it is {now.finding}: nothing was taken off")
        if now.appeal:
            raise Conflict(doing, f"there was an appeal: it is {now.appeal}")
        return replace(now, appeal=AppealState.OPEN.value)
    if action is InspectionAction.UPHOLD:
        if now.appeal != AppealState.OPEN:
            raise Conflict(doing, "nobody has appealed against it")
        return replace(now, appeal=AppealState.UPHELD.value)
    if now.appeal == AppealState.OVERRIDDEN:
        raise Conflict(doing, "it was overridden before, and that is final")
    other = Finding.KEPT if now.finding == Finding.VIOLATED else Finding.VIOLATED
    taken = points if other is Finding.VIOLATED else 0.0
    return replace(now, finding=other.value, points=taken, appeal=AppealState.OVERRIDDEN.value)


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
