"""What becomes of a warning: who may make what of it, and what it is then."""

from __future__ import annotations

from enum import StrEnum

from appliance.errors import Conflict


class WarningKind(StrEnum):
    """突发增多、紧急事件."""

    BURST = "burst"
    EMERGENCY = "emergency"


class WarningState(StrEnum):
    """新、已知悉、跟踪中、已结束、误报."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    WATCHING = "watching"
    CLOSED = "closed"
    FALSE = "false"


class WarningAction(StrEnum):
    """知悉、跟踪、结束、误报; `mute`, `rest` and `again` are the box's own."""

    ACKNOWLEDGE = "acknowledge"
    WATCH = "watch"
    CLOSE = "close"
    FALSE = "false"
    MUTE = "mute"
    REST = "rest"
    AGAIN = "again"  # twice as many since it was over


OPEN = (WarningState.NEW, WarningState.ACKNOWLEDGED, WarningState.WATCHING)
REASONED = (WarningAction.CLOSE, WarningAction.FALSE)
_BECOMES = {
    WarningAction.ACKNOWLEDGE: WarningState.ACKNOWLEDGED,
    WarningAction.WATCH: WarningState.WATCHING,
    WarningAction.CLOSE: WarningState.CLOSED,
    WarningAction.FALSE: WarningState.FALSE,
    WarningAction.MUTE: WarningState.CLOSED,
    WarningAction.REST: WarningState.CLOSED,
    WarningAction.AGAIN: WarningState.NEW,
}


def after(state: WarningState, action: WarningAction) -> WarningState:
    """Raises Conflict where that is no step from there."""
    becomes = _BECOMES[action]
    over = (state not in OPEN) is not (action is WarningAction.AGAIN)
    back = becomes is WarningState.ACKNOWLEDGED and state is not WarningState.NEW
    if over or back or becomes is state:
        cause = f"it is {state.value}"
        raise Conflict(f"{action.value} a warning", cause, "read it again: somebody was before you")
    return becomes
