"""A browser's cookie and the key it stands for."""

from __future__ import annotations

from appliance.access import sessions
from appliance.access.sessions import IDLE_S, LONGEST_S, MOST, Sessions


class SessionClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_cookie_stands_for_its_key_until_it_is_idle_or_old() -> None:
    clock = SessionClock()
    kept = Sessions(clock)
    token = kept.begin("lt_key")
    while clock.now < LONGEST_S - IDLE_S:
        clock.now += IDLE_S - 1
        assert kept.key(token) == "lt_key"
    clock.now += IDLE_S + 1
    assert kept.key(token) == ""
    other = kept.begin("lt_other")
    for _ in range(int(LONGEST_S / 600) + 1):
        clock.now += 600
        kept.key(other)
    assert kept.key(other) == ""


def test_ended_unknown_and_too_many() -> None:
    kept = Sessions()
    tokens = [kept.begin(f"key-{number}") for number in range(MOST + 1)]
    assert kept.key(tokens[0]) == "" and kept.key(tokens[-1]) == f"key-{MOST}"
    kept.end(tokens[-1])
    assert kept.key(tokens[-1]) == "" == kept.key("") == kept.key("nonsense")


def test_cookies_are_not_kept_as_they_are() -> None:
    kept = Sessions()
    token = kept.begin("key")
    assert token not in repr(kept._open) and len(token) > sessions.TOKEN_BYTES
