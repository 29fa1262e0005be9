"""Early warnings as every door serves them, once it is known who asks."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from appliance.access.roles import Principal
from appliance.api.warning_schemas import MARKED, WarningWanted
from appliance.assist.orders import pii
from appliance.assist.warnings.detail import WarningDetail, WarningReader, contact_of_order
from appliance.assist.warnings.life import WarningKind, WarningState
from appliance.assist.warnings.report import WarningReport, report
from appliance.errors import InvalidRequest
from appliance.store.warnings import KeptWarning

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.assist.city.pack import CityPack
    from appliance.assist.warnings.desk import WarningDesk
    from appliance.store.store import Store

DAY_S = 86_400.0
MOST_WARNINGS = 100
MOST_DAYS = 31  # back
MOST_HOURS = 72  # ahead
HOT = 20  # matters
PERIODS = {"day": DAY_S, "week": 7 * DAY_S}
Json = dict[str, Any]


class WarningService:
    """Answers are JSON, as warning_schemas has it. Privileged acts are audited here."""

    def __init__(self, desk: WarningDesk, store: Store, access: Access | None) -> None:
        self._desk, self._store, self._access = desk, store, access
        self._read = WarningReader(store)

    # --- of all that is told

    async def heat(self, who: Principal, days: float) -> Json:
        found = await self._desk.heat(who.tenant, days)
        return {
            "categories": [{"code": code, "name": name} for code, name in found.categories],
            "places": [{"code": code, "name": name} for code, name in found.places],
            "counts": found.counts,
            "expected": found.expected,
        }

    async def forecast(self, who: Principal, hours: int) -> Json:
        found = await self._desk.forecast(who.tenant, hours)
        return {"hours": [_hour(each.at, each.expected, each.categories) for each in found]}

    async def matters(self, who: Principal, days: float) -> Json:
        contacts = await self._desk.contacts(who.tenant, time.time() - days * DAY_S)
        found = await self._read.hot(contacts, HOT)
        return {
            "matters": [
                {
                    "title": each.title,
                    "voices": each.voices,
                    "begun_at": each.begun_at,
                    "last_at": each.contacts[-1].at,
                    "orders": [contact.id for contact in each.contacts],
                }
                for each in found
            ]
        }

    async def report(self, who: Principal, period: str) -> WarningReport:
        """Of the last day or week, and how it was in the one before."""
        seconds = PERIODS[period]
        end = time.time()
        begin = end - seconds
        contacts = await self._desk.contacts(who.tenant, begin - seconds)
        now = [each for each in contacts if each.at >= begin]
        before = [each for each in contacts if each.at < begin]
        told = await self._store.warnings.newest(who.tenant, since=begin)
        named = [(each, await self._read.title(each, self._desk.pack)) for each in told]
        hot = await self._read.hot(now, HOT)
        of = (begin, end, now, before, named, hot, self._desk.pack)
        return await asyncio.to_thread(report, *of)

    # --- warnings

    async def newest(
        self, who: Principal, state: WarningState | None, kind: WarningKind | None, limit: int
    ) -> Json:
        """The most urgent first; where there are more emergencies than places, half of the places
        are for bursts."""
        states, urgent = [state.value] if state else [], self._store.warnings.urgent
        found = await urgent(who.tenant, states, limit, kind.value if kind else "")
        if kind is None and len(found) == limit:
            bursts = await urgent(who.tenant, states, limit // 2, WarningKind.BURST.value)
            others = [each for each in found if each.kind == WarningKind.EMERGENCY]
            if len(found) - len(others) < len(bursts):
                found = [*others[: limit - len(bursts)], *bursts]
        return {"warnings": [await self._shown(each) for each in found]}

    async def get(self, warning: str, who: Principal) -> Json:
        """Raises NotFound."""
        found = await self._store.warnings.get(warning, who.tenant)
        detail = await self._read.detail(found, self._desk.pack)
        return _detailed(found, detail, self._desk.pack)

    async def act(self, warning: str, wanted: WarningWanted, who: Principal) -> Json:
        """Raises InvalidRequest, NotFound, Conflict."""
        if wanted.action not in MARKED:
            cause = f"{wanted.action.value} is the box's own"
            names = ", ".join(each.value for each in MARKED)
            raise InvalidRequest("mark a warning", cause, f"take one of {names}", param="action")
        found = await self._store.warnings.get(warning, who.tenant)
        of = (found.id, wanted.action, who.name, wanted.reason, wanted.suppress_days)
        async with self._doing(who, f"warning.{wanted.action.value}", found.id):
            made = await self._desk.act(*of)
        return await self._shown(made)

    # --- what is muted

    async def suppressions(self, who: Principal) -> Json:
        found = await self._store.warnings.mutes(who.tenant)
        return {
            "suppressions": [
                {
                    **_named(each.category, each.place, self._desk.pack),
                    "id": each.id,
                    "until": each.until,
                    "who": each.who,
                    "reason": each.reason,
                }
                for each in found
            ]
        }

    async def unmute(self, number: int, who: Principal) -> None:
        """Raises NotFound."""
        async with self._doing(who, "warning.unmute", str(number)):
            await self._store.warnings.unmute(number, who.tenant)

    async def _shown(self, warning: KeptWarning) -> Json:
        pack = self._desk.pack
        return _shown(warning, await self._read.title(warning, pack), pack)

    def _doing(self, who: Principal, act: str, about: str) -> Any:
        return self._access.doing(who, act, about) if self._access else nullcontext()


def _detailed(warning: KeptWarning, detail: WarningDetail, pack: CityPack) -> Json:
    return {
        **_shown(warning, detail.title, pack),
        "timeline": [{"at": at, "count": count} for at, count in detail.timeline],
        "communities": [
            {"place": code, "name": name, "count": count}
            for code, name, count in detail.communities
        ],
        "moods": detail.moods,
        "units": [
            {"code": code, "name": name, "open": count} for code, name, count in detail.units
        ],
        "orders": [
            {
                "id": each.id,
                "number": each.number,
                "state": each.state,
                "title": contact_of_order(each).text.split("。")[0],
                "at": each.created_at,
            }
            for each in detail.orders
        ],
        "events": [
            {
                "at": each.at,
                "who": each.who,
                "action": each.action,
                "state": each.state,
                "reason": each.reason,
            }
            for each in detail.events
        ],
    }


def _shown(warning: KeptWarning, title: str, pack: CityPack) -> Json:
    return {
        **_named(warning.category, warning.place, pack),
        "id": warning.id,
        "kind": warning.kind,
        "state": warning.state,
        "title": pii.masked(title),
        "name": warning.name,
        "call": warning.call_id,
        "begun_at": warning.begun_at,
        "told_at": warning.told_at,
        "last_at": warning.last_at,
        "voices": warning.voices,
        "contacts": warning.contacts,
        "expected": warning.expected,
        "surprise": warning.surprise,
    }


def _named(category: str, place: str, pack: CityPack) -> Json:
    path = pack.taxonomy.path(category)
    return {
        "category": category,
        "category_name": path[-1].name if path else "",
        "place": place,
        "place_name": pack.divisions.name(place) if place else "",
    }


def _hour(at: float, expected: float, by: tuple[tuple[str, str, float], ...]) -> Json:
    categories = [{"code": code, "name": name, "expected": count} for code, name, count in by]
    return {"at": at, "expected": expected, "categories": categories}
