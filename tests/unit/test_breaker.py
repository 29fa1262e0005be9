from dataclasses import dataclass

import pytest

from appliance.engine.breaker import Breaker, BreakerState
from appliance.settings.engines import FailoverSettings


@dataclass
class BreakerClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> BreakerClock:
    return BreakerClock()


@pytest.fixture
def breaker(clock: BreakerClock) -> Breaker:
    made = Breaker(FailoverSettings(), clock)
    assert made.probed() and made.closed
    return made


def close_again(breaker: Breaker, clock: BreakerClock) -> float:
    """Good probes every 5 s until it closes; returns how long that took."""
    begun = clock.now
    while not breaker.probed():
        clock.now += 5
    return clock.now - begun


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    assert not breaker.failed("slow") and not breaker.failed("slow")
    breaker.served()
    assert not breaker.failed("slow") and not breaker.failed("slow")
    assert (
        breaker.failed("slow") and breaker.state is BreakerState.OPEN and breaker.reason == "slow"
    )


def test_a_dead_engine_opens_it_at_once(breaker: Breaker) -> None:
    assert breaker.failed("killed", at_once=True)


def test_it_closes_after_the_dwell_and_enough_good_probes(
    breaker: Breaker, clock: BreakerClock
) -> None:
    breaker.failed("killed", at_once=True)
    assert close_again(breaker, clock) == pytest.approx(FailoverSettings().dwell_s)


def test_a_bad_probe_starts_the_count_again(breaker: Breaker, clock: BreakerClock) -> None:
    breaker.failed("killed", at_once=True)
    clock.now += FailoverSettings().dwell_s
    for _ in range(FailoverSettings().successes_to_close - 1):
        assert not breaker.probed()
    breaker.failed("slow")
    assert not breaker.probed() and not breaker.closed


def test_flapping_doubles_the_dwell_up_to_a_limit(breaker: Breaker, clock: BreakerClock) -> None:
    dwells = []
    for _ in range(9):
        breaker.failed("killed", at_once=True)
        dwells.append(close_again(breaker, clock))
    assert dwells[:3] == pytest.approx([60, 120, 240])
    assert dwells[-1] == pytest.approx(FailoverSettings().max_dwell_s)


def test_a_long_good_time_forgets_the_flaps(breaker: Breaker, clock: BreakerClock) -> None:
    for _ in range(3):
        breaker.failed("killed", at_once=True)
        close_again(breaker, clock)
    clock.now += 3600
    breaker.failed("killed", at_once=True)
    assert close_again(breaker, clock) == pytest.approx(60)
