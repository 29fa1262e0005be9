"""An order's life: its states, what leads from one to the other, and who may do it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from appliance.errors import Conflict, InvalidRequest


class OrderState(StrEnum):
    """Where an order is."""

    DRAFT = "draft"
    CONFIRMED = "confirmed"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    IN_PROGRESS = "in_progress"
    RETURNED = "returned"
    ANSWERED = "answered"
    CALL_BACK_DUE = "call_back_due"
    CLOSED = "closed"
    REOPENED = "reopened"
    MERGED = "merged"
    REFUSED = "refused"


S = OrderState
ENDED = frozenset({S.CLOSED, S.MERGED, S.REFUSED})
WITH_UNITS = frozenset({S.DISPATCHED, S.SIGNED, S.IN_PROGRESS})
AT_UNITS = WITH_UNITS | {S.RETURNED}  # one has sent it back, others go on
OPEN = frozenset(S) - ENDED
CHINESE: Mapping[OrderState, str] = {
    S.DRAFT: "待确认",
    S.CONFIRMED: "待派单",
    S.DISPATCHED: "待签收",
    S.SIGNED: "已签收",
    S.IN_PROGRESS: "办理中",
    S.RETURNED: "已退回",
    S.ANSWERED: "已答复",
    S.CALL_BACK_DUE: "待回访",
    S.CLOSED: "已办结",
    S.REOPENED: "重新办理",
    S.MERGED: "已并单",
    S.REFUSED: "不予受理",
}


class Action(StrEnum):
    """What can be done with an order."""

    CONFIRM = "confirm"
    DISPATCH = "dispatch"
    SIGN = "sign"
    START = "start"
    RETURN = "return"
    ANSWER = "answer"
    CALL_BACK = "call_back"
    CLOSE = "close"
    REOPEN = "reopen"
    MERGE = "merge"
    REFUSE = "refuse"
    EXTEND = "extend"  # a unit asks for more time
    GRANT = "grant"
    DENY = "deny"
    REMIND = "remind"  # 催办
    SUPERVISE = "supervise"  # 督办


A = Action


class Actor(StrEnum):
    """Who does it."""

    AGENT = "agent"
    DISPATCHER = "dispatcher"
    UNIT = "unit"  # a clerk, of its own orders
    INSPECTOR = "inspector"
    BOX = "box"  # a timer, or the end of a call
    SYSTEM = "system"  # the city's own, for all its clerks


DESK = frozenset({Actor.AGENT, Actor.DISPATCHER, Actor.BOX, Actor.SYSTEM})
CONTROL = frozenset({Actor.DISPATCHER, Actor.BOX, Actor.SYSTEM})
UNIT = frozenset({Actor.UNIT, Actor.SYSTEM})
WATCH = frozenset({Actor.DISPATCHER, Actor.INSPECTOR, Actor.BOX, Actor.SYSTEM})


@dataclass(frozen=True, slots=True)
class OrderStep:
    """An action: from where, to where, by whom, and what has to be said with it.

    Attributes:
        to: None: the order stays where it is.
        by_unit: it is one unit's part that is moved; the order follows its units.
    """

    before: frozenset[OrderState]
    to: OrderState | None
    who: frozenset[Actor]
    needs: tuple[str, ...] = ()
    by_unit: bool = False


# Of a unit's part; it need not be as far as the order, which is as far as its slowest unit.
PARTS: Mapping[Action, frozenset[OrderState]] = {
    A.SIGN: frozenset({S.DISPATCHED}),
    A.START: frozenset({S.DISPATCHED, S.SIGNED}),
    A.RETURN: WITH_UNITS,
    A.ANSWER: WITH_UNITS,
    A.EXTEND: WITH_UNITS,
}

STEPS: Mapping[Action, OrderStep] = {
    A.CONFIRM: OrderStep(frozenset({S.DRAFT}), S.CONFIRMED, DESK),
    A.DISPATCH: OrderStep(
        frozenset({S.CONFIRMED, S.RETURNED, S.REOPENED, *WITH_UNITS}), S.DISPATCHED, CONTROL
    ),
    A.SIGN: OrderStep(AT_UNITS, S.SIGNED, UNIT, by_unit=True),
    A.START: OrderStep(AT_UNITS, S.IN_PROGRESS, UNIT, by_unit=True),
    A.RETURN: OrderStep(AT_UNITS, S.RETURNED, UNIT, ("reason",), by_unit=True),
    A.ANSWER: OrderStep(AT_UNITS, S.ANSWERED, UNIT, ("text",), by_unit=True),
    A.CALL_BACK: OrderStep(frozenset({S.ANSWERED}), S.CALL_BACK_DUE, DESK),
    A.CLOSE: OrderStep(frozenset({S.ANSWERED, S.CALL_BACK_DUE}), S.CLOSED, DESK),
    A.REOPEN: OrderStep(
        frozenset({S.ANSWERED, S.CALL_BACK_DUE, S.CLOSED}), S.REOPENED, DESK, ("reason",)
    ),
    A.MERGE: OrderStep(OPEN, S.MERGED, CONTROL, ("into",)),
    A.REFUSE: OrderStep(
        frozenset({S.DRAFT, S.CONFIRMED, S.RETURNED, S.REOPENED}), S.REFUSED, DESK, ("reason",)
    ),
    A.EXTEND: OrderStep(AT_UNITS, None, UNIT, ("reason", "days"), by_unit=True),
    A.GRANT: OrderStep(AT_UNITS, None, CONTROL, ("unit",)),
    A.DENY: OrderStep(AT_UNITS, None, CONTROL, ("unit", "reason")),
    A.REMIND: OrderStep(OPEN - {S.DRAFT}, None, DESK | WATCH),
    A.SUPERVISE: OrderStep(OPEN - {S.DRAFT}, None, WATCH),
}


def check(
    action: Action, state: OrderState, actor: Actor, given: Mapping[str, object]
) -> OrderStep:
    """The step, if it may be taken.

    Raises:
        Conflict: not from this state, or not by this actor.
        InvalidRequest: something that has to be said with it is missing.
    """
    step = STEPS[action]
    doing = f"{action.value} an order"
    if state not in step.before:
        wanted = ", ".join(sorted(each.value for each in step.before))
        raise Conflict(doing, f"it is {state.value}", f"that goes from {wanted}")
    if actor not in step.who:
        wanted = ", ".join(sorted(each.value for each in step.who))
        raise Conflict(doing, f"{actor.value} may not", f"that is for {wanted}")
    for name in step.needs:
        if not given.get(name):
            raise InvalidRequest(doing, f"{name} is missing", f'send "{name}"', param=name)
    return step


def following(parts: Mapping[str, OrderState]) -> OrderState:
    """Where an order is whose units are there: as far as the one that is least far; one that has
    sent it back is told before all others."""
    if any(state is S.RETURNED for state in parts.values()):
        return S.RETURNED
    order = [S.DISPATCHED, S.SIGNED, S.IN_PROGRESS, S.ANSWERED]
    return min(parts.values(), key=order.index)


def actions(state: OrderState, actor: Actor) -> list[Action]:
    """What that actor may do now."""
    return [each for each, step in STEPS.items() if state in step.before and actor in step.who]
