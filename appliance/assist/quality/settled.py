"""What can be told of a condition before a call is over: whether what comes later can undo it."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.assist.quality.condition import ANCHORS, OF_TURNS, PARTS, Condition

GROW = OF_TURNS | {"longer_s", "overlap_s"}
SINK = frozenset({"shorter_s"})
NEVER_CHANGES = frozenset({"channel"})
AT_THE_END = frozenset({"hang_up", "shorter_s"})  # mean nothing while a call runs
FARTHEST = 40  # turns `within` which a live rule may look


def stays(condition: Condition) -> bool:
    """Once it holds, it holds whatever is said later."""
    if condition.negated:
        return stays_away(condition.negated)
    if parts := (*condition.all, *condition.any):
        return all(stays(each) for each in parts)
    ends = {"last", "last_s"} & condition.model_fields_set
    grows = condition.operator in GROW and not ends and all(map(stays, _anchors(condition)))
    return grows or condition.operator in NEVER_CHANGES


def stays_away(condition: Condition) -> bool:
    """Once it does not hold, it never will."""
    if condition.negated:
        return stays(condition.negated)
    if parts := (*condition.all, *condition.any):
        return all(stays_away(each) for each in parts)
    return condition.operator in SINK | NEVER_CHANGES


def not_live(condition: Condition) -> str:
    """Why it cannot be asked while a call runs, of which the last turns are looked at; or empty."""
    for each in within(condition):
        if parts := PARTS & each.model_fields_set:
            return f"{', '.join(sorted(parts))}: a live rule knows neither begin nor end of a call"
        if each.operator in AT_THE_END:
            return f"{each.operator} is known when a call is over"
        if any(_anchors(each)) and each.within > FARTHEST:
            return f"within is {each.within}, and a live rule looks {FARTHEST} turns far"
    return ""


def silences_s(condition: Condition) -> Iterator[float]:
    """After how long without a word it has to be asked again."""
    return (each.silence_s for each in within(condition) if each.silence_s)


def within(condition: Condition) -> Iterator[Condition]:
    """It, and all that stand in it."""
    yield condition
    negated = (condition.negated,) if condition.negated else ()
    for each in (*condition.all, *condition.any, *negated, *_anchors(condition)):
        yield from within(each)


def _anchors(condition: Condition) -> list[Condition]:
    return [found for name in sorted(ANCHORS) if (found := getattr(condition, name))]
