"""Two gateways on one PostgreSQL, and their orders: numbers, versions and deadlines are of both."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.assist.orders.life import Action, Actor
from appliance.assist.orders.timers import OrderTimers
from appliance.errors import Conflict
from appliance.settings.keeping import StoreSettings
from tests.integration.test_orders import MAIN, Desk, dispatched, move, new, opened, overdue
from tests.postgres import Postgres, find_programs

pytestmark = pytest.mark.skipif(find_programs() is None, reason="postgresql is not installed")

ORDERS = 12


@pytest.fixture
async def both(tmp_path: Path, database: Postgres) -> AsyncIterator[tuple[Desk, Desk]]:
    master = tmp_path / "master.key"
    master.write_bytes(bytes(range(32)))
    desks = []
    for name in "ab":
        settings = StoreSettings(
            folder=tmp_path / name,
            url=database.url,
            keys_url=database.url,
            master_key=master,
            audio_folder=tmp_path / "audio",
        )
        desks.append(await opened(settings))
    yield desks[0], desks[1]
    for desk in desks:
        await desk.store.close()


async def test_numbers_given_at_once_do_not_repeat(both: tuple[Desk, Desk]) -> None:
    made = await asyncio.gather(*(new(both[n % 2], f"call-{n}") for n in range(ORDERS)))
    assert len({order.number for order in made}) == ORDERS


async def test_a_matter_ends_in_one_order_whoever_hears_of_it(both: tuple[Desk, Desk]) -> None:
    made = await asyncio.gather(*(new(desk, "the call") for desk in both), return_exceptions=True)
    assert sorted(type(each).__name__ for each in made) == ["Conflict", "Order"]


async def test_of_two_clerks_one_is_told_to_read_again(both: tuple[Desk, Desk]) -> None:
    a, b = both
    order = await dispatched(a, await new(a), MAIN)
    seen = await b.store.orders.get(order.id)
    acts = (
        move(desk, order, Action.SIGN, Actor.UNIT, unit=MAIN, version=seen.version) for desk in both
    )
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in done) == 1
    history = [event.action for event in await b.desk.history(order)]
    assert history.count("sign") == 1


async def test_a_deadline_is_told_once(both: tuple[Desk, Desk]) -> None:
    """Both look at the same moment, again and again."""
    orders = [
        await dispatched(both[0], await new(both[0], f"call-{n}"), MAIN) for n in range(ORDERS)
    ]
    for order in orders:
        await overdue(both[0], order)
    timers = [OrderTimers(desk.desk, desk.store) for desk in both]
    while any(await asyncio.gather(*(each.go_off() for each in timers))):
        pass
    for order in orders:
        told = Counter(event.action for event in await both[1].desk.history(order))
        assert told["remind"] == 2 and told["supervise"] == 1
    heard = Counter(told for desk in both for told in desk.told)
    assert max(heard[order.id, "supervise"] for order in orders) == 1
