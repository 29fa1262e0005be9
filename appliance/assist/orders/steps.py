"""What each step changes of an order: states of its units, deadlines, timers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appliance.assist.city.tiers import Tier
from appliance.assist.city.units import Unit
from appliance.assist.orders.life import (
    AT_UNITS,
    PARTS,
    WITH_UNITS,
    Action,
    Actor,
    OrderState,
    OrderStep,
    following,
)
from appliance.errors import Conflict, InvalidRequest, NotFound
from appliance.store.order_rows import Json, Order, OrderEvent, UnitPart

if TYPE_CHECKING:
    from appliance.assist.current import CurrentCity

HOUR_S, DAY_S = 3600.0, 86_400.0
SIGN, REMIND, OVERDUE, CALL_BACK = "sign", "remind", "overdue", "call_back"  # timers
LEAST_LEFT = 0.5  # of a short limit, when a unit is reminded
SAID = ("reason", "text", "days", "number", "solved", "satisfaction")


@dataclass(frozen=True, slots=True)
class Move:
    """A step as it is asked for.

    Attributes:
        given: what is said with it.
        unit: whose part is moved.
        units: whom it goes to, the main one first.
        now: s since 1970.
    """

    action: Action
    actor: Actor
    who: str
    given: Mapping[str, Any]
    unit: str
    units: Sequence[Unit]
    now: float


class Steps:
    """By the pack in use."""

    def __init__(self, city: CurrentCity) -> None:
        self._city = city
        self._changes: Mapping[Action, Callable[[Order, Move], Order]] = {
            Action.DISPATCH: self._dispatch,
            Action.SIGN: _sign,
            Action.START: _start,
            Action.RETURN: _return,
            Action.ANSWER: _answer,
            Action.CLOSE: _close,
            Action.REOPEN: _reopen,
            Action.MERGE: _merge,
            Action.REFUSE: _end,
            Action.EXTEND: self._extend,
            Action.GRANT: self._grant,
            Action.DENY: _deny,
        }

    def take(self, order: Order, step: OrderStep, move: Move) -> tuple[Order, OrderEvent]:
        """The order afterwards, and what is told of it."""
        if step.by_unit:
            _check_part(order, move)
        elif move.unit:
            _part(order, move.unit)
        change = self._changes.get(move.action)
        changed = change(order, move) if change else order
        if (step.by_unit and step.to) or move.action is Action.DISPATCH:
            state = following({part.unit: OrderState(part.state) for part in changed.units})
        else:
            state = step.to or OrderState(order.state)
        changed = self._timed(order, replace(changed, state=state), move.now)
        body = {name: move.given[name] for name in SAID if move.given.get(name) is not None}
        if move.action is Action.DISPATCH:
            body["units"] = [each.code for each in move.units]
        unit = move.unit or changed.unit
        return changed, OrderEvent(
            move.action, move.who, move.actor, state, unit, order.category, body
        )

    def with_deadlines(self, order: Order, now: float) -> Order:
        """After its tier has changed: each unit's part anew, from when it was given."""
        sign_s = self._tier(order).sign_hours * HOUR_S
        parts = tuple(
            replace(part, due_at=self._due(order, part.given_at), sign_by=part.given_at + sign_s)
            for part in order.units
        )
        changed = replace(order, units=parts, due_at=_latest(parts))
        return self._timed(order, changed, now)

    def _tier(self, order: Order) -> Tier:
        return self._city.pack.tiers.get(order.tier) or self._city.pack.tiers.default

    def _due(self, order: Order, since: float) -> float:
        moment = datetime.fromtimestamp(since, UTC)
        return self._city.pack.calendar.due(self._tier(order), moment).timestamp()

    def _dispatch(self, order: Order, move: Move) -> Order:
        """Who has it already and works on it goes on; all others begin now."""
        under_way = {part.unit: part for part in order.units if part.state in WITH_UNITS}
        parts = tuple(
            replace(under_way[unit.code], main=number == 0)
            if unit.code in under_way
            else self._new_part(order, unit, main=number == 0, now=move.now)
            for number, unit in enumerate(move.units)
        )
        fields = {**order.body["fields"], **_unit_fields(move.units, order.body["fields"])}
        return replace(
            order,
            units=parts,
            unit=move.units[0].code,
            due_at=_latest(parts),
            body={**order.body, "fields": fields},
        )

    def _new_part(self, order: Order, unit: Unit, *, main: bool, now: float) -> UnitPart:
        return UnitPart(
            unit=unit.code,
            main=main,
            state=OrderState.DISPATCHED,
            given_at=now,
            sign_by=now + self._tier(order).sign_hours * HOUR_S,
            due_at=self._due(order, now),
        )

    def _extend(self, order: Order, move: Move) -> Order:
        most, days = self._city.pack.identity.orders.extension_days, move.given["days"]
        if not isinstance(days, int | float) or not 0 < days <= most:
            raise InvalidRequest(
                "extend an order", f"days is not more than 0 and at most {most:g}", param="days"
            )
        return _moved(order, move.unit, asked_days=float(days))

    def _grant(self, order: Order, move: Move) -> Order:
        """Days of the same kind as the tier's: by the clock, or working days."""
        part = _part(order, move.unit)
        if not part.asked_days:
            cause = f"{move.unit} has asked for none"
            raise InvalidRequest("grant an extension", cause, param="unit")
        more = self._tier(order).model_copy(update={"limit": part.asked_days, "unit": "days"})
        due = datetime.fromtimestamp(part.due_at, UTC)
        due_at = self._city.pack.calendar.due(more, due).timestamp()
        moved = _moved(order, move.unit, due_at=due_at, asked_days=0.0)
        return replace(moved, due_at=_latest(moved.units))

    def _timed(self, before: Order, order: Order, now: float) -> Order:
        """What is to be done of it when. A timer that has gone off is set again only where the
        unit or its deadline is new."""
        ordering = self._city.pack.identity.orders
        known = {part.unit: part.due_at for part in before.units}
        timers: dict[tuple[str, str], float] = {}
        for part in order.units if order.state in AT_UNITS else ():
            new = known.get(part.unit) != part.due_at
            for key, at in _timers(part, ordering.remind_hours * HOUR_S).items():
                if new or key in before.timers:
                    timers[key] = at
        if order.state == OrderState.ANSWERED:
            due_at = now + ordering.call_back_hours * HOUR_S
            if before.state != OrderState.ANSWERED:
                timers["", CALL_BACK] = due_at
            elif ("", CALL_BACK) in before.timers:
                timers["", CALL_BACK] = before.timers["", CALL_BACK]
        return replace(order, timers=timers)


def _check_part(order: Order, move: Move) -> None:
    """Raises Conflict where the unit's own part is not so far, or is over."""
    part, before = _part(order, move.unit), PARTS[move.action]
    if part.state not in before:
        wanted = ", ".join(sorted(each.value for each in before))
        cause = f"{move.unit}'s part is {part.state}"
        raise Conflict(f"{move.action.value} an order", cause, f"that goes from {wanted}")


def _sign(order: Order, move: Move) -> Order:
    return _moved(order, move.unit, state=OrderState.SIGNED, signed_at=move.now)


def _start(order: Order, move: Move) -> Order:
    signed_at = _part(order, move.unit).signed_at or move.now
    return _moved(order, move.unit, state=OrderState.IN_PROGRESS, signed_at=signed_at)


def _return(order: Order, move: Move) -> Order:
    moved = _moved(order, move.unit, state=OrderState.RETURNED, ended_at=move.now)
    return replace(moved, returns=order.returns + 1)


def _answer(order: Order, move: Move) -> Order:
    answers = {**order.body.get("answers", {}), move.unit: move.given["text"]}
    signed_at = _part(order, move.unit).signed_at or move.now
    moved = _moved(
        *(order, move.unit), state=OrderState.ANSWERED, ended_at=move.now, signed_at=signed_at
    )
    return replace(moved, body={**order.body, "answers": answers})


def _close(order: Order, move: Move) -> Order:
    solved, satisfaction = move.given.get("solved"), move.given.get("satisfaction")
    if solved is not None and not isinstance(solved, bool):
        raise InvalidRequest("close an order", "solved is neither true nor false", param="solved")
    if satisfaction is not None and satisfaction not in (1, 2, 3, 4, 5):
        cause = "satisfaction is not 1 to 5"
        raise InvalidRequest("close an order", cause, param="satisfaction")
    return replace(order, ended_at=move.now, solved=solved, satisfaction=satisfaction)


def _reopen(order: Order, move: Move) -> Order:
    return replace(order, ended_at=None, solved=None, satisfaction=None, due_at=None)


def _merge(order: Order, move: Move) -> Order:
    return replace(order, ended_at=move.now, merged_into=move.given["into"])


def _end(order: Order, move: Move) -> Order:
    return replace(order, ended_at=move.now)


def _deny(order: Order, move: Move) -> Order:
    return _moved(order, move.unit, asked_days=0.0)


def _timers(part: UnitPart, remind_s: float) -> dict[tuple[str, str], float]:
    """Of a part that is not done: reminded early, half of a short limit before its end."""
    if part.state in (OrderState.ANSWERED, OrderState.RETURNED):
        return {}
    early = min(remind_s, (part.due_at - part.given_at) * LEAST_LEFT)
    found = {(part.unit, REMIND): part.due_at - early, (part.unit, OVERDUE): part.due_at}
    if part.signed_at is None:
        found[part.unit, SIGN] = part.sign_by
    return found


def _part(order: Order, unit: str) -> UnitPart:
    part = next((each for each in order.units if each.unit == unit), None)
    if part is None:
        theirs = ", ".join(each.unit for each in order.units) or "nobody's yet"
        if not unit:
            raise InvalidRequest(
                "move an order", "unit is missing", f"it is {theirs}", param="unit"
            )
        raise NotFound("move an order", f"{unit} has no part in it", f"it is {theirs}")
    return part


def _moved(order: Order, unit: str, **change: Any) -> Order:
    part = replace(_part(order, unit), **change)
    return replace(order, units=tuple(part if each.unit == unit else each for each in order.units))


def _latest(parts: Sequence[UnitPart]) -> float | None:
    return max((part.due_at for part in parts), default=None)


def _unit_fields(units: Sequence[Unit], before: Mapping[str, Json]) -> Json:
    """As the order shows them; what was proposed stays where it is the same."""
    main = before.get("unit", {})
    if main.get("code") != units[0].code:
        main = {"text": units[0].name, "confidence": 1.0, "code": units[0].code}
    helpers = {
        "text": "、".join(unit.name for unit in units[1:]),
        "confidence": 1.0,
        "code": ";".join(unit.code for unit in units[1:]),
    }
    return {"unit": main, "helpers": helpers}
