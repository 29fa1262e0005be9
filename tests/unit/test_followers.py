"""Subscribers in one call: they hear all in order, and whatever they do, the call goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from appliance.call.keeping import Ending
from appliance.feed import followers, kinds
from appliance.feed.kept import KeptCall
from appliance.feed.kind import EventKind
from appliance.feed.record import Ledger
from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.messages import CallConfig, CallState, Final, Lasting, NumberedEvent, Partial
from appliance.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Note(Lasting):
    """Derived from another event."""

    about: int  # sequence


def _fold(ledger: Ledger, note: Note) -> None:
    ledger.derived.setdefault("notes", []).append(note.about)


@pytest.fixture(autouse=True)
def _notes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: EventKind[Any] = EventKind("note", Note, lambda note: {"about": note.about}, _fold)
    monkeypatch.setitem(kinds.KINDS, Note, made)


def final(utterance: int) -> Final:
    return Final(0, utterance, "您好", (), 0, 900, 0.9, 0.0, 0.0, "zh", "cpu", "m 1", False)


class RecordingEar(Subscriber):
    """Does at each event what a test says."""

    def __init__(
        self, name: str, do: Callable[[NumberedEvent], Any] | None = None, *, partials: bool = False
    ) -> None:
        self.name, self.partials, self._do = name, partials, do
        self.heard: list[NumberedEvent] = []
        self.left = 0

    def listen(self, call: FollowedCall) -> Listener | None:
        return self

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        self.heard.append(told)
        made = self._do(told) if self._do else ()
        return await made if asyncio.iscoroutine(made) else made

    def leave(self) -> None:
        self.left += 1


class CallRoom:
    """A call with subscribers, and what the box counts of them."""

    def __init__(self, *ears: RecordingEar, live: bool = True) -> None:
        self.metrics = Metrics()
        self.call = KeptCall("id", CallConfig(live=live), self.metrics, ears)
        self.call.begin()

    async def say(self, count: int) -> None:
        for number in range(count):
            await self.call.log.put(final(number))
            await asyncio.sleep(0)

    async def end(self) -> list[NumberedEvent]:
        """As a call ends; all that watchers were told."""
        await self.call.settle()
        await self.call.end(Ending(900, 1, "zh", "m 1", demo=False, cut_short=False))
        self.call.over(CallState.FINISHED)
        return [told async for told in self.call.follow(0, partials=False)]

    def failures(self, name: str, reason: str) -> float:
        labels = {"subscriber": name, "reason": reason}
        sample = "lingting_subscriber_failures_total"
        return self.metrics.registry.get_sample_value(sample, labels) or 0.0


@pytest.fixture
async def quick(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(followers, "PATIENCE_S", 0.05)
    monkeypatch.setattr(followers, "SETTLE_S", 0.2)
    yield


def note(told: NumberedEvent) -> list[Lasting]:
    return [Note(told.sequence)] if isinstance(told.event, Final) else []


async def test_each_hears_all_in_order_and_leaves_at_the_end() -> None:
    first, second = RecordingEar("first"), RecordingEar("second", partials=True)
    room = CallRoom(first, second)
    await room.say(3)
    room.call.log.show(Partial(0, 3, "我家", "", 0, 900))
    await asyncio.sleep(0.01)
    await room.end()
    await asyncio.sleep(0.01)
    assert [told.sequence for told in first.heard] == [1, 2, 3]
    assert [type(told.event) for told in second.heard] == [Final, Final, Final, Partial]
    assert (first.left, second.left) == (1, 1)


async def test_what_is_derived_is_an_event_like_the_rest() -> None:
    noting, hearing = RecordingEar("noting", note), RecordingEar("hearing")
    room = CallRoom(noting, hearing)
    await room.say(2)
    told = await room.end()
    assert sorted(type(each.event).__name__ for each in told) == [
        "Ended",
        "Final",
        "Final",
        "Note",
        "Note",
    ]
    assert [each.sequence for each in told] == [1, 2, 3, 4, 4]
    assert room.call.record().derived == {"notes": notes_of(room)} and len(notes_of(room)) == 2
    assert {type(each.event) for each in hearing.heard} == {Final, Note}
    assert {type(each.event) for each in noting.heard} == {Final}, "not what it said itself"


def notes_of(room: CallRoom) -> list[int]:
    return [e.about for e in room.call.log.events() if isinstance(e, Note)]


async def test_events_about_events_come_to_an_end() -> None:
    """Two that answer each other for ever."""

    def answer(told: NumberedEvent) -> list[Lasting]:
        return [Note(told.sequence)]

    room = CallRoom(RecordingEar("ping", answer), RecordingEar("pong", answer))
    await room.say(1)
    told = await room.end()
    assert len(told) < 2 + 2 ** (followers.DEEPEST + 1)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("do", "reason"),
    [(lambda told: 1 / 0, "error"), (lambda told: asyncio.sleep(60), "timeout")],
    ids=["throws", "hangs"],
)
async def test_who_fails_is_cut_off_and_nobody_else_notices(
    do: Callable[[NumberedEvent], Any], reason: str
) -> None:
    bad, good = RecordingEar("bad", do), RecordingEar("good")
    room = CallRoom(bad, good)
    await room.say(6)
    told = await room.end()
    assert len(told) == 7 and len(good.heard) == 6
    await asyncio.sleep(0.3)
    assert len(bad.heard) == followers.MOST_FAILURES and bad.left == 1
    assert room.failures("bad", reason) == followers.MOST_FAILURES
    assert room.failures("bad", "failures") == 1


async def test_who_fails_once_goes_on() -> None:
    ear = RecordingEar("ear", lambda told: 1 / 0 if told.event == final(1) else note(told))
    room = CallRoom(ear)
    await room.say(4)
    await room.end()
    assert len(notes_of(room)) == 3 and room.failures("ear", "error") == 1


async def test_a_flood_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "MOST_DERIVED", 50)
    room = CallRoom(RecordingEar("flood", lambda told: [Note(n) for n in range(1000)]))
    await room.say(3)
    told = await room.end()
    assert len(told) == 3 + 50 + 1 and room.failures("flood", "flood") == 1


@pytest.mark.usefixtures("quick")
async def test_who_falls_behind_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "MOST_BEHIND", 10)
    slow = RecordingEar("slow", lambda told: asyncio.sleep(0.03, ()))
    room = CallRoom(slow)
    await room.say(40)
    await room.end()
    await asyncio.sleep(0.1)
    assert room.failures("slow", "behind") == 1 and len(slow.heard) < 40


async def test_a_listener_that_cannot_begin_costs_the_call_nothing() -> None:
    class Broken(RecordingEar):
        def listen(self, call: FollowedCall) -> Listener | None:
            raise RuntimeError("a bug")

    good = RecordingEar("good")
    room = CallRoom(Broken("broken"), good)
    await room.say(1)
    assert len(await room.end()) == 2 and len(good.heard) == 1
    assert room.failures("broken", "error") == 1
