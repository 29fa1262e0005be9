"""What a warning says, read from its orders: their words, where, since when, whose work it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.assist.city.pack import CityPack
from appliance.assist.orders import pii
from appliance.assist.orders.draft import OrderField
from appliance.assist.orders.life import ENDED
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.life import WarningKind
from appliance.assist.warnings.matters import Matter, matters
from appliance.errors import NotFound
from appliance.messages import Emotion
from appliance.store.order_rows import Order, OrderFilter
from appliance.store.store import Store
from appliance.store.warnings import KeptWarning, WarningEvent

MOST_READ = 1000  # orders that are compared by their words
READ = 60  # orders that are opened for one warning: the newest
HEARD = 20  # calls whose moods are counted
BARS = 24  # of a timeline
KINDS = {WarningKind.BURST: "集中反映", WarningKind.EMERGENCY: "紧急事件"}


@dataclass(frozen=True, slots=True)
class WarningDetail:
    """All that the duty officer sees of one.

    Attributes:
        timeline: (s since 1970, contacts from then to the next).
        communities: (code, name, contacts), the most affected first.
        moods: callers by their strongest mood.
        units: (code, name, orders open, given to it or proposed for it).
        orders: the newest of its main matter first.
    """

    title: str
    timeline: tuple[tuple[float, int], ...]
    communities: tuple[tuple[str, str, int], ...]
    moods: dict[str, int]
    units: tuple[tuple[str, str, int], ...]
    orders: tuple[Order, ...]
    events: tuple[WarningEvent, ...]


class WarningReader:
    """Of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def title(self, warning: KeptWarning, pack: CityPack) -> str:
        """What people tell of, in the words of one of them."""
        main = await self._main(await self._orders(warning, 12))
        return title_of(warning, main, pack)

    async def detail(self, warning: KeptWarning, pack: CityPack) -> WarningDetail:
        ids = await self._members(warning)
        rows = await self._store.warnings.places(ids)
        orders = await self._orders(warning, READ)
        main = await self._main(orders)
        first = {each.id for each in main.contacts} if main else set()
        orders.sort(key=lambda each: (each.id not in first, -each.created_at))
        events = await self._store.warnings.history(warning.id)
        where = Counter(row.division for row in rows if row.division).most_common(10)
        proposed = {each.id: each.body.get("codes", {}).get("unit", "") for each in orders}
        units = (row.unit or proposed.get(row.id, "") for row in rows if row.state not in ENDED)
        work = Counter(filter(None, units))
        return WarningDetail(
            title_of(warning, main, pack),
            timeline([row.called_at for row in rows]),
            tuple((code, pack.divisions.name(code), count) for code, count in where),
            await self._moods(orders),
            tuple((code, _unit(pack, code), count) for code, count in work.most_common()),
            tuple(orders),
            tuple(events),
        )

    async def hot(self, contacts: Sequence[Contact], most: int) -> list[Matter]:
        """What is told of most, whatever its category: by words alone, of the newest MOST_READ."""
        orders = await self._of([each.id for each in contacts[-MOST_READ:]])

        def found() -> list[Matter]:
            return matters([contact_of_order(each) for each in orders])

        return (await asyncio.to_thread(found))[:most]

    async def _members(self, warning: KeptWarning) -> list[str]:
        if warning.kind == WarningKind.EMERGENCY:
            return [each.id for each in await self._store.orders.of_call(warning.call_id)]
        return await self._store.warnings.members(warning.id)

    async def _orders(self, warning: KeptWarning, most: int) -> list[Order]:
        rows = await self._store.warnings.places(await self._members(warning))
        return await self._of([row.id for row in rows[-most:]])

    async def _of(self, ids: Sequence[str]) -> list[Order]:
        return await self._store.orders.page(OrderFilter(ids=tuple(ids)), len(ids)) if ids else []

    async def _main(self, orders: Sequence[Order]) -> Matter | None:
        """The largest matter among them: others told of something else in the same place."""
        told = [contact_of_order(each) for each in orders]
        found = await asyncio.to_thread(matters, told, 1)
        return max(found, key=lambda each: each.voices, default=None)

    async def _moods(self, orders: Sequence[Order]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for call_id in list(dict.fromkeys(each.call_id for each in orders))[:HEARD]:
            try:
                record = await self._store.calls.record(call_id)
            except NotFound:  # deleted, its order is kept
                continue
            heard = [said.mood.emotion for said in record.utterances if said.mood] if record else []
            negative = [each for each in heard if each and each.valence < 0]
            usual = Counter(negative).most_common(1)
            counts[(usual[0][0] if usual else Emotion.CALM).value] += bool(heard)
        return dict(+counts)


def contact_of_order(order: Order) -> Contact:
    """With its words, without names, numbers and doors."""
    fields = order.body.get("fields", {})
    hidden = pii.personal(fields)
    parts = (_text(fields, OrderField.TITLE), _text(fields, OrderField.CONTENT))
    text = "。".join(pii.masked(each, hidden) for each in parts if each)
    of = (order.id, order.called_at, order.category, order.division, order.phone)
    return Contact(*of, text)


def title_of(warning: KeptWarning, main: Matter | None, pack: CityPack) -> str:
    if warning.name:
        said = f"：{main.title}" if main and main.title else ""
        return f"{warning.name}{said}"
    if main and main.title:
        return main.title
    path = pack.taxonomy.path(warning.category)
    return path[-1].name if path else KINDS[WarningKind(warning.kind)]


def timeline(times: Sequence[float]) -> tuple[tuple[float, int], ...]:
    """In as many parts of the same length; times ascend."""
    if not times:
        return ()
    begin, width = times[0], max(300.0, (times[-1] - times[0]) / BARS + 1e-3)
    counted = Counter(int((at - begin) / width) for at in times)
    return tuple((begin + at * width, counted[at]) for at in range(max(counted) + 1))


def _text(fields: dict[str, Any], name: OrderField) -> str:
    return str(fields.get(name.value, {}).get("text", ""))


def _unit(pack: CityPack, code: str) -> str:
    unit = pack.units.get(code)
    return unit.name if unit else code
