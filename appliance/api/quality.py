"""Quality inspection as every door serves it, once it is known who asks."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from appliance.access.roles import APPEALS, INSPECTS, Principal
from appliance.api import quality_schemas as schemas
from appliance.assist.quality.desk import InspectionAction
from appliance.assist.quality.rule import Finding
from appliance.assist.quality.sampling import SampleBy
from appliance.errors import Forbidden
from appliance.store.inspections import InspectionEvent, KeptInspection

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.archive.archive import Archive
    from appliance.assist.quality.desk import QualityDesk

MONTH_S = 30 * 86_400.0
MOST_SAMPLED = 200
Between = tuple[float | None, float | None]  # since, until: s since 1970; None: a month, now


class QualityService:
    """Privileged acts are audited here; that one may read calls is the doors' to ask for."""

    def __init__(self, desk: QualityDesk, archive: Archive, access: Access | None) -> None:
        self._desk, self._archive, self._access = desk, archive, access

    async def get(self, call: str, who: Principal) -> schemas.InspectionSchema:
        """Raises NotFound."""
        found = await self._archive.find(call, tenant=who.tenant)
        if self._access and who.is_human:
            await self._access.record(who, "call.read", found.id)
        return await self._shown(await self._desk.get(found.id))

    async def act(
        self, call: str, rule: str, wanted: schemas.InspectionWanted, who: Principal
    ) -> schemas.InspectionSchema:
        """Raises Forbidden, NotFound, Conflict."""
        name = wanted.action.value
        roles = APPEALS if wanted.action is InspectionAction.APPEAL else INSPECTS
        if not who.roles & roles:
            needed = " or ".join(sorted(roles))
            raise Forbidden(f"{name} a finding", "that is not for you", needed)
        found = await self._archive.find(call, tenant=who.tenant)
        about = f"{found.id} {rule}"
        noted = self._access.doing(who, f"quality.{name}", about) if self._access else nullcontext()
        async with noted:
            finding = Finding(wanted.finding) if wanted.finding else None
            of = (found.id, rule, wanted.action, who.name, wanted.reason, finding)
            made = await self._desk.act(*of)
        return await self._shown(made)

    async def statistics(self, who: Principal, between: Between) -> dict[str, Any]:
        return asdict(await self._desk.statistics(who.tenant, *_moments(between)))

    async def sample(
        self, who: Principal, by: SampleBy, n: int, between: Between, agent: str
    ) -> schemas.QualitySampleSchema:
        found = await self._desk.sample(who.tenant, by, n, *_moments(between), agent)
        names = schemas.SampledCallSchema.model_fields.keys() - {"call"}
        calls = [
            schemas.SampledCallSchema(
                call=row.call_id, **{name: getattr(row, name) for name in names}
            )
            for row in found
        ]
        return schemas.QualitySampleSchema(calls=calls)

    async def _shown(self, made: KeptInspection) -> schemas.InspectionSchema:
        return _shown(made, await self._desk.history(made.call_id))


def _moments(between: Between) -> tuple[float, float]:
    since, until = between
    end = time.time() if until is None else until
    return end - MONTH_S if since is None else since, end


def _shown(made: KeptInspection, events: list[InspectionEvent]) -> schemas.InspectionSchema:
    findings = [
        schemas.FindingSchema(
            rule=each.rule,
            finding=each.finding,
            first=each.first,
            points=each.points,
            appeal=each.appeal,
            **each.body,
        )
        for each in made.findings
    ]
    order = {"violated": 0, "unsure": 1, "kept": 2}
    findings.sort(key=lambda each: (order.get(each.finding, 3), -each.points, each.rule))
    return schemas.InspectionSchema(
        call=made.call_id,
        agent=made.agent,
        total=made.total,
        pack=made.pack,
        at=made.at,
        findings=findings,
        events=[schemas.InspectionEventSchema(**asdict(each)) for each in events],
    )
