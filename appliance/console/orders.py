"""Orders in work as rows of the page: what is due first comes first, with the time that is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.assist.city.pack import CityPack
from appliance.assist.orders.life import CHINESE, OrderState
from appliance.store.order_rows import Order

MOST_ROWS = 30
SOON_S = 3600.0
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One, without a word that tells who somebody is."""

    number: str
    state: tuple[str, str]  # in Chinese, in English
    title: str
    category: str
    unit: str
    left: tuple[str, str]  # until it is due, in Chinese, in English
    grade: str  # good, look, bad, as on the rest of the page


def rows(orders: Iterable[Order], pack: CityPack, now: float) -> list[OrderRow]:
    return [_row(order, pack, now) for order in orders]


def _row(order: Order, pack: CityPack, now: float) -> OrderRow:
    unit = pack.units.get(order.unit)
    name = pack.taxonomy.path(order.category)
    left_s = None if order.due_at is None else order.due_at - now
    return OrderRow(
        number=order.number,
        state=(CHINESE[OrderState(order.state)], order.state.replace("_", " ")),
        title=order.body.get("fields", {}).get("title", {}).get("text", ""),
        category=name[-1].name if name else "",
        unit=unit.name if unit else order.unit,
        left=_left(left_s),
        grade=_grade(left_s),
    )


def _grade(left_s: float | None) -> str:
    if left_s is None or left_s > SOON_S:
        return "good"
    return "look" if left_s > 0 else "bad"


def _left(left_s: float | None) -> tuple[str, str]:
    if left_s is None:
        return ("未派单", "not dispatched")
    zh, en = _length(abs(left_s))
    return (f"剩 {zh}", f"{en} left") if left_s > 0 else (f"超 {zh}", f"{en} late")


def _length(seconds: float) -> tuple[str, str]:
    days, hours = int(seconds // DAY_S), int(seconds % DAY_S // HOUR_S)
    minutes = int(seconds % HOUR_S // MINUTE_S)
    if days:
        return f"{days} 天 {hours} 小时", f"{days} d {hours} h"
    if hours:
        return f"{hours} 小时 {minutes} 分", f"{hours} h {minutes} min"
    return f"{minutes} 分", f"{minutes} min"
