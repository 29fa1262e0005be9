"""Figures of orders: in time, returned, right at once, solved, satisfied; by unit and by more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from appliance.assist.city.pack import CityPack
from appliance.assist.city.tiers import CHINA
from appliance.assist.orders.life import OrderState

GROUPS = ("unit", "category", "division", "day", "all")
SATISFIED = 4  # of 5


@dataclass(frozen=True, slots=True)
class UnitWork:
    """What units did with orders, by the orders' ids.

    Attributes:
        parts: rows of those that have one.
        returned: who has sent one back.
    """

    parts: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    returned: Mapping[str, Collection[str]] = field(default_factory=dict)


def unit_work(parts: Iterable[Any], sent_back: Iterable[tuple[str, str]]) -> UnitWork:
    """Of rows of parts, and of (order, unit) for each return."""
    work: dict[str, list[Any]] = {}
    for part in parts:
        work.setdefault(part.order_id, []).append(part)
    returned: dict[str, set[str]] = {}
    for order_id, unit in sent_back:
        returned.setdefault(order_id, set()).add(unit)
    return UnitWork(work, returned)


@dataclass(slots=True)
class Counts:
    """Counts of one group."""

    orders: int = 0
    ended: int = 0
    in_time: int = 0
    returned: int = 0
    right_at_once: int = 0
    dispatched: int = 0
    asked: int = 0  # whether it is solved
    solved: int = 0
    rated: int = 0
    satisfied: int = 0

    def add(self, parts: Sequence[Any], *, returned: bool, now: float) -> None:
        """Of an order, or of one unit's part in it."""
        self.orders += 1
        if not (parts or returned):
            return
        self.dispatched += 1
        self.returned += returned
        self.right_at_once += not returned
        late = any((part.ended_at or now) > part.due_at for part in parts)
        if parts and (late or all(part.ended_at for part in parts)):
            self.ended += 1
            self.in_time += not late

    def ask(self, row: Any) -> None:
        """What the citizen said of it."""
        if row.solved is not None:
            self.asked += 1
            self.solved += row.solved
        if row.satisfaction is not None:
            self.rated += 1
            self.satisfied += row.satisfaction >= SATISFIED

    def as_json(self) -> dict[str, Any]:
        return {
            "orders": self.orders,
            "in_time": _share(self.in_time, self.ended),  # 按时办结率
            "returned": _share(self.returned, self.dispatched),  # 回退率
            "right_at_once": _share(self.right_at_once, self.dispatched),  # 一次派准率
            "solved": _share(self.solved, self.asked),  # 解决率
            "satisfied": _share(self.satisfied, self.rated),  # 满意率
        }


def statistics(
    pack: CityPack, rows: Iterable[Any], work: UnitWork, by: str, now: float
) -> list[dict[str, Any]]:
    """A row a group, the largest first.

    What has not been answered counts once its deadline is over; merged and refused orders have
    none. By unit, each one's own part counts, and what it sent back.

    Args:
        by: one of GROUPS.
    """
    tallies: dict[tuple[str, str], Counts] = {}
    for row in rows:
        over = row.state in (OrderState.MERGED, OrderState.REFUSED)
        parts = () if over else work.parts.get(row.id, ())
        returned = work.returned.get(row.id, ())
        if by == "unit":
            _by_unit(pack, tallies, row, parts, returned, now)
            continue
        counts = tallies.setdefault(_group(pack, by, row), Counts())
        counts.add(parts, returned=bool(returned), now=now)
        counts.ask(row)
    ordered = sorted(tallies.items(), key=lambda item: (-item[1].orders, item[0]))
    return [{"code": code, "name": name, **tally.as_json()} for (code, name), tally in ordered]


def _by_unit(
    pack: CityPack,
    tallies: dict[tuple[str, str], Counts],
    row: Any,
    parts: Sequence[Any],
    returned: Collection[str],
    now: float,
) -> None:
    """Whoever has a part in it, and whoever sent it back."""
    theirs = {part.unit: part for part in parts}
    for unit in theirs.keys() | set(returned) or {row.unit}:
        known = pack.units.get(unit)
        counts = tallies.setdefault((unit, known.name if known else unit), Counts())
        own = [theirs[unit]] if unit in theirs else []
        counts.add(own, returned=unit in returned, now=now)
        if unit == row.unit:
            counts.ask(row)


def _group(pack: CityPack, by: str, row: Any) -> tuple[str, str]:
    if by == "category":
        return row.category, pack.taxonomy.name(row.category)
    if by == "division":
        return row.division, pack.divisions.name(row.division)
    if by == "day":
        date = datetime.fromtimestamp(row.created_at, CHINA).date().isoformat()
        return date, date
    return "", "全部"


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
