"""Whether an order is of a matter that has one already. Pure."""

from __future__ import annotations

from appliance.assist.orders.life import OrderState
from appliance.assist.text.likeness import likeness
from appliance.store.order_rows import Order

ALIKE = 0.35  # of character pairs, where caller or place agree too


def is_repeat(order: Order, other: Order) -> bool:
    """Of the same caller or place, of the same kind, in words that are alike."""
    if other.id == order.id or other.state in (OrderState.MERGED, OrderState.REFUSED):
        return False
    if not order.category or order.category[:4] != other.category[:4]:
        return False
    same_caller = bool(order.phone) and order.phone == other.phone
    same_place = bool(order.division) and order.division == other.division
    if not (same_caller or same_place):
        return False
    alike = likeness(_words(order), _words(other))
    return alike >= (ALIKE / 2 if same_caller and same_place else ALIKE)


def _words(order: Order) -> str:
    fields = order.body.get("fields", {})
    return "".join(fields.get(name, {}).get("text", "") for name in ("content", "request"))
