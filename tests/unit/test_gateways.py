"""Gateways of one database see each other live and die, by their own watches alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.metrics import Metrics
from appliance.settings.keeping import StoreSettings
from appliance.store.gateways import BEAT_S, DEAD_AFTER_S, LONGEST_GAP_S, Gateways
from appliance.store.store import Store


class HandWatch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(StoreSettings(folder=tmp_path), Metrics())
    await made.start()
    yield made
    await made.close()


async def pass_time(
    watch: HandWatch, seen_by: Gateways, seconds: float, *beating: Gateways
) -> set[str]:
    """Looks and beats every BEAT_S; who was found dead."""
    dead: set[str] = set()
    for _ in range(int(seconds / BEAT_S)):
        watch.now += BEAT_S
        for each in beating:
            await each.beat()
        dead |= set(await seen_by.look())
    return dead


async def test_one_that_stands_still_is_dead(store: Store) -> None:
    watch = HandWatch()
    a, b, c = (Gateways(store.database, name, "1", watch) for name in "abc")
    for each in (a, b, c):
        await each.join("folder", "master")
    assert [each.id for each in await a.all()] == ["a", "b", "c"]
    assert await pass_time(watch, a, DEAD_AFTER_S, b) == set()
    assert await pass_time(watch, a, 3 * BEAT_S, b) == {"c"}
    await a.bury(["c"])
    assert await pass_time(watch, a, DEAD_AFTER_S, b) == set()


async def test_a_database_that_was_away_makes_nobody_dead(store: Store) -> None:
    watch = HandWatch()
    a, b = (Gateways(store.database, name, "1", watch) for name in "ab")
    await a.join()
    await b.join()
    await pass_time(watch, a, 5, b)
    watch.now += 60  # a saw nothing, b could say nothing
    assert await pass_time(watch, a, DEAD_AFTER_S - 1) == set()
    assert await pass_time(watch, a, 5, b) == set()
    watch.now += LONGEST_GAP_S + 1
    assert await pass_time(watch, a, DEAD_AFTER_S + 2 * BEAT_S) == {"b"}


async def test_one_that_was_taken_for_dead_joins_again(store: Store) -> None:
    a, b = (Gateways(store.database, name, "1") for name in "ab")
    await a.join()
    await b.join("folder")
    await a.bury(["b"])
    assert not await b.beat()
    assert await b.beat()
    assert {each.id: each.audio for each in await a.all()} == {"a": "", "b": "folder"}
    await b.leave()
    assert [each.id for each in await a.all()] == ["a"]
