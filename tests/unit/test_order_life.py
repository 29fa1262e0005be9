"""An order's states, and who may move it."""

from __future__ import annotations

import pytest

from appliance.assist.orders.life import (
    ENDED,
    STEPS,
    Action,
    Actor,
    OrderState,
    actions,
    check,
    following,
)
from appliance.errors import Conflict, InvalidRequest

S = OrderState


def test_every_state_but_an_ended_one_leads_somewhere() -> None:
    for state in OrderState:
        leads = {step.to for step in STEPS.values() if state in step.before and step.to}
        assert leads - {state} or state in ENDED


def test_every_state_is_reached() -> None:
    assert {step.to for step in STEPS.values()} >= set(OrderState) - {S.DRAFT}


@pytest.mark.parametrize(
    ("action", "state", "actor"),
    [
        (Action.SIGN, S.DRAFT, Actor.UNIT),
        (Action.CLOSE, S.DISPATCHED, Actor.DISPATCHER),
        (Action.CONFIRM, S.CLOSED, Actor.AGENT),
        (Action.DISPATCH, S.CONFIRMED, Actor.UNIT),
        (Action.ANSWER, S.SIGNED, Actor.AGENT),
        (Action.SUPERVISE, S.SIGNED, Actor.UNIT),
        (Action.MERGE, S.MERGED, Actor.DISPATCHER),
    ],
)
def test_a_wrong_step_is_refused(action: Action, state: OrderState, actor: Actor) -> None:
    with pytest.raises(Conflict):
        check(action, state, actor, {"text": "x", "into": "y"})


@pytest.mark.parametrize("action", [Action.RETURN, Action.ANSWER, Action.EXTEND])
def test_what_has_to_be_said_is_asked_for(action: Action) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(action, S.SIGNED, Actor.UNIT, {})
    assert caught.value.param == STEPS[action].needs[0]


def test_an_order_is_as_far_as_its_slowest_unit() -> None:
    assert following({"a": S.ANSWERED, "b": S.SIGNED}) is S.SIGNED
    assert following({"a": S.ANSWERED, "b": S.ANSWERED}) is S.ANSWERED
    assert following({"a": S.IN_PROGRESS, "b": S.RETURNED}) is S.RETURNED


def test_a_clerk_does_only_what_a_unit_does() -> None:
    mine = set(actions(S.SIGNED, Actor.UNIT))
    assert mine == {Action.SIGN, Action.START, Action.RETURN, Action.ANSWER, Action.EXTEND}
