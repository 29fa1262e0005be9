"""How the city's existing order system calls things: fields of an order, and states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.assist.city.reader import PackRow

FILE = "order_system.toml"
MISSING = ""  # what an order has not, as it is told


class OrderSystem(PackRow):
    """order_system.toml.

    Attributes:
        fields: their name to where it stands in an order, e.g. fields.title.text.
        states: their word for a state to the action that it means here.
        receipt: where their answer tells under what number they keep it.
    """

    fields: Mapping[str, str] = {}
    states: Mapping[str, str] = {}
    receipt: str = "id"

    def mapped(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """An order as they take it; all of it where no fields are named."""
        if not self.fields:
            return dict(order)
        return {theirs: pick(order, ours) for theirs, ours in self.fields.items()}


def pick(told: Any, path: str) -> Any:
    """What stands at `a.b.c`; MISSING where there is nothing."""
    for name in path.split("."):
        told = told.get(name) if isinstance(told, Mapping) else None
        if told is None:
            return MISSING
    return told
