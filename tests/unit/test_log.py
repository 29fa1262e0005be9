"""One log of a call: journalled first, told in order, any number of readers, none waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from appliance.call.log import EventLog
from appliance.messages import AudioProgress, Event, Final, Lasting, NumberedEvent, Partial


def final(utterance: int, leg: int = 0) -> Final:
    return Final(
        leg, utterance, f"{utterance}", (), 0, 900, 0.9, 0.0, 0.0, "zh", "cpu", "m 1", False
    )


def partial(utterance: int, text: str = "", leg: int = 0) -> Partial:
    return Partial(leg, utterance, text, "", 0, 900)


async def read(log: EventLog, **how: bool) -> list[NumberedEvent]:
    return [told async for told in log.follow(**how)]


async def test_what_lasts_is_journalled_then_told_in_order() -> None:
    """What gathers while others are written is written together."""
    written: list[tuple[int, Lasting]] = []
    seen_when_written: list[int] = []

    async def journal(first: int, events: Sequence[Lasting]) -> None:
        await asyncio.sleep(0.01 / first)  # the later, the quicker
        seen_when_written.append(log.sequence)
        written.extend(enumerate(events, first))

    log = EventLog(journal)
    first = asyncio.create_task(log.put(final(0)))
    await asyncio.sleep(0.005)
    await asyncio.gather(first, *(log.put(final(n)) for n in range(1, 5)))
    log.close()
    told = await read(log)
    assert [(each.sequence, each.event) for each in told] == written
    assert [each.event for each in told] == [final(n) for n in range(5)]
    assert seen_when_written == [0, 1], "not told before it is written"


async def test_readers_come_when_they_like_and_none_is_waited_for() -> None:
    log = EventLog()
    stopped = log.follow()
    early = asyncio.create_task(read(log))
    await log.put(final(0))
    assert (await anext(stopped)).sequence == 1  # and never again
    for n in range(1, 2000):
        await log.put(final(n))
    late = asyncio.create_task(read(log))
    await asyncio.sleep(0)
    log.close()
    assert (
        [t.sequence for t in await early] == [t.sequence for t in await late] == [*range(1, 2001)]
    )
    assert [t.sequence async for t in log.follow(1998)] == [1999, 2000]
    await stopped.aclose()  # type: ignore[attr-defined]


async def test_partials_give_way_to_newer_ones_and_to_finals() -> None:
    log = EventLog()
    for n in range(1000):
        log.show(partial(0, f"{n}"))
        log.show(partial(0, f"{n}", leg=1))
        log.heard(n)
    await log.put(final(0))
    log.show(partial(0, "too late"))
    log.close()
    told: list[Event] = [each.event for each in await read(log, progress=True)]
    assert told == [final(0), partial(0, "999", leg=1), AudioProgress(999)]
    assert [each.event for each in await read(log, partials=False)] == [final(0)]


async def test_each_partial_is_seen_by_who_keeps_up() -> None:
    log = EventLog()
    reading = asyncio.create_task(read(log))
    for n in range(10):
        log.show(partial(0, f"{n}"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    log.close()
    assert [each.event.text for each in await reading] == [f"{n}" for n in range(10)]  # type: ignore[union-attr]


async def test_a_thousand_waiters_are_woken_by_what_they_wait_for_alone() -> None:
    log = EventLog()
    waiting = [asyncio.create_task(read(log)) for _ in range(1000)]
    await asyncio.sleep(0)
    before = log._news.count
    for n in range(1, 100):
        log.heard(n)  # of audio alone: nobody here asked for it
    assert log._news.count == before
    await log.put(final(0))
    log.close()
    assert all(len(told) == 1 for told in await asyncio.gather(*waiting))


async def test_what_comes_after_the_end_is_in_nothing() -> None:
    written: list[int] = []

    async def journal(first: int, events: Sequence[Lasting]) -> None:
        written.append(first)

    log = EventLog(journal)
    await log.put(final(0))
    log.close()
    await log.put(final(1))
    assert written == [1] and log.sequence == 1


async def test_who_is_cancelled_while_it_tells_leaves_no_hole() -> None:
    written: list[int] = []

    async def journal(first: int, events: Sequence[Lasting]) -> None:
        written.append(first)
        await asyncio.sleep(0.02)

    log = EventLog(journal)
    telling = asyncio.create_task(log.put(final(0)))
    await asyncio.sleep(0.01)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    await log.put(final(1))
    assert written == [1, 2] and log.sequence == 2
