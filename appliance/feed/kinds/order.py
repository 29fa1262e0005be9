"""A work order fills: what has changed of a draft since it was last told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appliance.feed.kind import EventKind, Json
from appliance.messages import Lasting

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


@dataclass(frozen=True, slots=True)
class OrderFilled(Lasting):
    """Of one matter of a call.

    Attributes:
        fields: what is new or changed, as JSON, by name; None: it is no longer known.
        rest: what else a draft says: missing, question, notes, danger, refusal, codes, pack.
    """

    matter: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


def _as_json(event: OrderFilled) -> Json:
    return {"matter": event.matter, "fields": dict(event.fields), **event.rest}


def _fold(ledger: Ledger, event: OrderFilled) -> None:
    orders = list(ledger.derived.get("orders", ()))
    while len(orders) <= event.matter:
        orders.append({"matter": len(orders), "fields": {}})
    before = orders[event.matter]
    fields = {**before["fields"], **event.fields}
    known = {name: value for name, value in fields.items() if value is not None}
    orders[event.matter] = {**before, **event.rest, "fields": known}
    ledger.derived = {**ledger.derived, "orders": orders}


KIND = EventKind("order", OrderFilled, _as_json, _fold)
