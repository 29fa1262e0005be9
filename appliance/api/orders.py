"""What every door to orders reads the same way: who may see and do what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.access.roles import AccessRole, Principal
from appliance.assist.orders import pii
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.draft import is_secret
from appliance.assist.orders.life import STEPS, Action, Actor
from appliance.errors import Forbidden, InvalidRequest, NotFound
from appliance.store.order_rows import Json, Order

ACTORS = {
    AccessRole.CALLER: Actor.SYSTEM,
    AccessRole.DISPATCHER: Actor.DISPATCHER,
    AccessRole.AGENT: Actor.AGENT,
    AccessRole.INSPECTOR: Actor.INSPECTOR,
    AccessRole.CLERK: Actor.UNIT,
}
SEES_PERSONS = frozenset(
    {AccessRole.CALLER, AccessRole.AGENT, AccessRole.DISPATCHER, AccessRole.CLERK}
)


def actor_for(who: Principal, action: Action) -> Actor:
    """As whom they may do it; raises Forbidden."""
    mine = [actor for role, actor in ACTORS.items() if role in who.roles]
    for actor in mine:
        if actor in STEPS[action].who:
            return actor
    raise Forbidden(
        f"{action.value} an order",
        f"that is not for {' or '.join(mine)}",
        f"it is for {', '.join(sorted(STEPS[action].who))}",
    )


def writer(who: Principal) -> Actor:
    """As whom they correct fields."""
    return next(actor for role, actor in ACTORS.items() if role in who.roles)


def check_sees(who: Principal, order: Order) -> None:
    """A clerk sees the orders of its unit and no others; raises NotFound."""
    theirs = AccessRole.CLERK not in who.roles or who.unit in {part.unit for part in order.units}
    if not who.sees(order.tenant) or not theirs:
        raise NotFound("find an order", f"there is no order {order.id!r}")


def tenant_of(who: Principal) -> str:
    """Whose orders they look through."""
    return who.tenant


def state_of(order: Order, unit: str) -> str:
    """Of that unit's part; without one, the order's."""
    return next((part.state for part in order.units if part.unit == unit), order.state)


def searched(desk: OrderDesk, who: Principal, phone: str | None) -> str | None:
    """What orders of that number are found by; raises Forbidden, InvalidRequest."""
    if phone is None:
        return None
    if not who.roles & SEES_PERSONS or AccessRole.CLERK in who.roles:
        raise Forbidden("search by a number", "numbers are not for you")
    if not (found := desk.phone_hash(phone)):
        raise InvalidRequest("search by a number", f"{phone!r} has no digits", param="phone")
    return found


def sees_persons(who: Principal, order: Order) -> bool:
    """Whether names and numbers are shown to them: a citizen who asked for it is kept from the
    units."""
    if not who.roles & SEES_PERSONS:
        return False
    return not (is_secret(order.body.get("fields", {})) and AccessRole.CLERK in who.roles)


def hidden_body(order: Order, *, door: bool = True) -> dict[str, Any]:
    """Without names and numbers, nor where exactly they live unless `door` is False."""
    return pii.masked_draft(order.body, pii.personal(order.body.get("fields", {}), door=door))


def drafts_for(who: Principal, drafts: Iterable[Json]) -> list[Json]:
    """Drafts of a call that still runs, as they may see them."""
    if who.roles & SEES_PERSONS:
        return list(drafts)
    return [pii.masked_draft(each, pii.personal(each.get("fields", {}))) for each in drafts]


def correction(order: Order) -> dict[str, str]:
    """What is learned of an order as it is now."""
    return {
        "label": order.category,
        "text": hidden_body(order)["fields"].get("content", {}).get("text", ""),
        "tier": order.tier,
        "main": order.unit,
        "helpers": ";".join(part.unit for part in order.units if not part.main),
    }


def shown(order: Order, *, masked: bool, door: bool = False) -> dict[str, Any]:
    """An order as JSON.

    Args:
        masked: without names, numbers and doors.
        door: with doors all the same: a unit has to find the place, whoever asked for secrecy.
    """
    body = hidden_body(order, door=not door) if masked else order.body
    return {
        "id": order.id,
        "number": order.number,
        "tenant": order.tenant,
        "call": order.call_id,
        "matter": order.matter,
        "channel": order.channel,
        "state": order.state,
        "version": order.version,
        "pack": order.pack,
        "category": order.category,
        "division": order.division,
        "tier": order.tier,
        "created_at": order.created_at,
        "changed_at": order.changed_at,
        "due_at": order.due_at,
        "ended_at": order.ended_at,
        "merged_into": order.merged_into,
        "solved": order.solved,
        "satisfaction": order.satisfaction,
        "returns": order.returns,
        "units": [_part(part) for part in order.units],
        "fields": body.get("fields", {}),
        "missing": body.get("missing", []),
        "question": body.get("question", ""),
        "notes": body.get("notes", []),
        "danger": body.get("danger"),
        "refusal": body.get("refusal"),
        "similar": body.get("similar", []),
        "answers": body.get("answers", {}),
        "receipt": body.get("receipt", ""),
        "masked": masked,
    }


def shown_to_city(order: Order) -> dict[str, Any]:
    """As the city's own order system is told of it: all of it."""
    return shown(order, masked=False)


def _part(part: Any) -> dict[str, Any]:
    return {
        "unit": part.unit,
        "main": part.main,
        "state": part.state,
        "given_at": part.given_at,
        "sign_by": part.sign_by,
        "due_at": part.due_at,
        "signed_at": part.signed_at,
        "ended_at": part.ended_at,
        "asked_days": part.asked_days,
    }
