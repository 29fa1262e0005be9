"""Fair shares: nobody alone is held back, nobody together is shut out."""

from __future__ import annotations

from appliance.call import shares
from appliance.call.shares import Shares
from appliance.messages import CANARY_TENANT


def fill(made: Shares, tenant: str, limit: int, step: int = 2) -> int:
    """As much as it gets."""
    got = 0
    while made.room(tenant, limit) >= step:
        made.take(tenant, step)
        got += step
    return got


def test_who_is_alone_gets_all() -> None:
    assert fill(Shares(2, {}), "a", 20) == 20


def test_who_comes_later_can_begin_and_get_its_share_as_calls_end() -> None:
    made = Shares(2, {})
    made.room("b", 20)  # was here this morning
    assert fill(made, "a", 20) == 18
    assert fill(made, "b", 20) == 2
    for _ in range(9):
        made.give("a", 2)  # one of its calls ends, and both want the place
        fill(made, "b", 20)
        fill(made, "a", 20)
    assert made.held == 20 and fill(made, "a", 20) == 0


def test_within_its_share_nothing_is_kept_from_a_system() -> None:
    made = Shares(2, {})
    for tenant in "abcd":
        made.room(tenant, 8)
    assert fill(made, "a", 8) == 2, "eight places, four systems"
    assert [fill(made, each, 8) for each in "bcd"] == [2, 2, 2]


def test_where_there_is_too_little_for_all_the_first_begins() -> None:
    for limit in (2, 3):
        made = Shares(2, {})
        for tenant in "abcd":
            made.room(tenant, limit)
        assert fill(made, "c", limit) == 2


def test_weights_are_shares() -> None:
    made = Shares(2, {"a": 3.0})
    for tenant in "ab":
        made.room(tenant, 16)
    assert fill(made, "b", 16) == 14 and fill(made, "a", 16) == 2


def test_who_has_not_been_here_for_a_day_is_not_waited_for() -> None:
    now = 0.0
    made = Shares(2, {}, lambda: now)
    made.room("b", 20)
    now = shares.KNOWN_S + 1
    assert fill(made, "a", 20) == 20


def test_the_boxs_own_calls_keep_nothing_from_anybody() -> None:
    made = Shares(2, {})
    made.room(CANARY_TENANT, 4)
    assert fill(made, "a", 4) == 4


def test_so_much_at_most_lies_idle_for_those_who_were_here() -> None:
    made = Shares(2, {})
    for number in range(30):
        made.room(f"t{number}", 64)
    assert fill(made, "busy", 64) == 16


def test_there_are_never_too_many_known() -> None:
    made = Shares(1, {})
    for number in range(1000):
        made.room(f"t{number}", 100)
    assert len(made._seen) == shares.MOST_KNOWN
