"""What the same number has called or written about before."""

from __future__ import annotations

from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.life import CHINESE, OrderState
from appliance.store.order_rows import Json, OrderFilter

MOST = 5


async def earlier(desk: OrderDesk, phone: str, tenant: str) -> list[Json]:
    """Its newest orders, as an agent is shown them; of a number that is not known none.

    Raises:
        StoreUnavailable: they cannot be read now.
    """
    if not (known := desk.phone_hash(phone)):
        return []
    return [
        {
            "number": order.number,
            "state": order.state,
            "state_name": CHINESE[OrderState(order.state)],
            "created_at": order.created_at,
            "title": order.body.get("fields", {}).get("title", {}).get("text", ""),
        }
        for order in await desk.page(OrderFilter(tenant=tenant, phone=known), MOST)
    ]
