"""A clock that jumps: nothing is deleted for its age until somebody could set it right."""

from __future__ import annotations

import pytest

from appliance.steady import GRACE_S, LONGEST_OFF_S, SteadyClock

NOW, DAY_S = 1.79e9, 86_400.0


class Clocks:
    def __init__(self) -> None:
        self.wall_s, self.monotonic_s = NOW, 1000.0

    def wall(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_by(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds

    def steady(self, newest: float | None) -> SteadyClock:
        return SteadyClock(newest, self.wall, self.monotonic)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_a_clock_that_runs_is_believed(clocks: Clocks) -> None:
    clock = clocks.steady(NOW - 60)
    for _ in range(400):
        clocks.pass_by(DAY_S)
        clocks.wall_s += 0.5  # and is corrected
        assert clock.believed()


@pytest.mark.parametrize("jump_days", [365, -365, 0.5])
def test_a_jump_is_doubted_for_a_day(clocks: Clocks, jump_days: float) -> None:
    clock = clocks.steady(NOW - 60)
    clocks.wall_s += jump_days * DAY_S
    assert not clock.believed()
    clocks.pass_by(GRACE_S - 1)
    assert not clock.believed()
    clocks.pass_by(2)
    assert clock.believed()


def test_set_right_again_is_a_jump_too(clocks: Clocks) -> None:
    clock = clocks.steady(NOW - 60)
    clocks.wall_s += 365 * DAY_S
    assert not clock.believed()
    clocks.wall_s -= 365 * DAY_S
    assert not clock.believed()


@pytest.mark.parametrize(
    ("newest", "believed"),
    [(None, True), (NOW - LONGEST_OFF_S + 60, True), (NOW - LONGEST_OFF_S - 60, False)],
)
def test_a_start_long_after_the_newest_call_is_doubted(
    clocks: Clocks, newest: float | None, believed: bool
) -> None:
    assert clocks.steady(newest).believed() is believed
