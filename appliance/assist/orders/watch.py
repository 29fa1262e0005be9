"""The subscriber that listens for danger to life: at every final, before anything else is done."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.assist.current import CurrentCity
from appliance.assist.orders.said import said_in
from appliance.feed.kinds.danger import Danger
from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.messages import Final, Lasting, LegRole, NumberedEvent

LAST = 8  # turns that are looked at after a final: roles may have been told meanwhile
RECENT = 4 * LAST  # turns, the agent's too, that they are looked for among


class DangerWatch(Subscriber):
    """Live: `danger` events. Apart from orders, so that nothing they do can hold one up."""

    name = "dangers"

    def __init__(self, city: CurrentCity) -> None:
        self._city = city

    def listen(self, call: FollowedCall) -> Listener | None:
        return DangerListener(call, self._city)


class DangerListener:
    """Of one call; each number is told once, and once more when it is sure."""

    def __init__(self, call: FollowedCall, city: CurrentCity) -> None:
        self._call, self._city = call, city
        self._called: set[tuple[str, bool]] = set()  # numbers, and whether for sure

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        if not isinstance(told.event, Final):
            return ()
        said = said_in(self._call.record().utterances[-RECENT:])
        citizen = [each for each in said if each.role is not LegRole.AGENT]
        called, found = set(self._called), list[Lasting]()
        for each in self._city.filler.dangers.all(citizen, max(0, len(citizen) - LAST)):
            calls = {(number, sure) for number in each["to"] for sure in {False, each["sure"]}}
            if calls - called:
                called |= calls
                words = (each[name] for name in ("utterance", "at_ms", "words", "say"))
                found.append(Danger(each["name"], tuple(each["to"]), *words))
        self._called = called
        return found

    def leave(self) -> None:
        pass
