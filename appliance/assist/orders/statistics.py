"""Figures of orders: in time, returned, right at once, solved, satisfied; by unit and by more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.assist.city.pack import CityPack
from appliance.assist.city.tiers import CHINA
from appliance.assist.orders.life import OrderState

GROUPS = ("unit", "category", "division", "day", "all")
SATISFIED = 4  # of 5


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

    def add(self, row: Any, now: float) -> None:
        self.orders += 1
        if row.due_at is not None:
            self.dispatched += 1
            self.returned += bool(row.returns)
            self.right_at_once += not row.returns
            self._time(row, now)
        if row.solved is not None:
            self.asked += 1
            self.solved += row.solved
        if row.satisfaction is not None:
            self.rated += 1
            self.satisfied += row.satisfaction >= SATISFIED

    def _time(self, row: Any, now: float) -> None:
        """What still runs counts once its deadline is over."""
        done = row.state in (OrderState.ANSWERED, OrderState.CALL_BACK_DUE, OrderState.CLOSED)
        if done or row.due_at < now:
            self.ended += 1
            self.in_time += done and (row.ended_at or row.changed_at) <= row.due_at

    def as_json(self) -> dict[str, Any]:
        return {
            "orders": self.orders,
            "in_time": _share(self.in_time, self.ended),  # 按时办结率
            "returned": _share(self.returned, self.dispatched),  # 回退率
            "right_at_once": _share(self.right_at_once, self.dispatched),  # 一次派准率
            "solved": _share(self.solved, self.asked),  # 解决率
            "satisfied": _share(self.satisfied, self.rated),  # 满意率
        }


def statistics(pack: CityPack, rows: Iterable[Any], by: str, now: float) -> list[dict[str, Any]]:
    """A row a group, the largest first.

    Args:
        by: one of GROUPS.
    """
    group = _groups(pack)[by]
    tallies: dict[tuple[str, str], Counts] = {}
    for row in rows:
        tallies.setdefault(group(row), Counts()).add(row, now)
    ordered = sorted(tallies.items(), key=lambda item: (-item[1].orders, item[0]))
    return [{"code": code, "name": name, **tally.as_json()} for (code, name), tally in ordered]


def _groups(pack: CityPack) -> Mapping[str, Callable[[Any], tuple[str, str]]]:
    def unit(row: Any) -> tuple[str, str]:
        known = pack.units.get(row.unit)
        return row.unit, known.name if known else row.unit

    def day(row: Any) -> tuple[str, str]:
        date = datetime.fromtimestamp(row.created_at, CHINA).date().isoformat()
        return date, date

    return {
        "unit": unit,
        "category": lambda row: (row.category, pack.taxonomy.name(row.category)),
        "division": lambda row: (row.division, pack.divisions.name(row.division)),
        "day": day,
        "all": lambda row: ("", "全部"),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
