"""What gateways of one PostgreSQL lose on its way: answers, notices, each other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, insert, select, update
from sqlalchemy.exc import OperationalError

from appliance.archive import takeover
from appliance.errors import StoreUnavailable
from appliance.messages import AudioFormat, CallConfig, CallState, Encoding
from appliance.recordings.arrivals import Claim
from appliance.store import calls as store_calls
from appliance.store import gateways
from appliance.store.notices import MOST_WAITING
from appliance.store.schema import calls
from appliance.store.schema import gateways as members
from tests.integration.gateway import MakeGateway, RunningGateway, alaw
from tests.integration.test_endings import ended
from tests.postgres import Postgres, find_programs

pytestmark = pytest.mark.skipif(find_programs() is None, reason="postgresql is not installed")

STEREO = AudioFormat(Encoding.ALAW, 8000, 2)
LIVE = CallConfig(audio=STEREO, call_id="live", door="riva")
RECORDING = CallConfig(audio=STEREO, call_id="sent", door="openai", live=False)
WITHIN_S = 20.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dead are found within two seconds."""
    monkeypatch.setattr(takeover, "BEAT_S", 0.2)
    monkeypatch.setattr(gateways, "BEAT_S", 0.2)
    monkeypatch.setattr(gateways, "DEAD_AFTER_S", 1.5)


@contextlib.contextmanager
def answer_lost(box: RunningGateway, name: str) -> Iterator[None]:
    """The commit that makes a call of that name is done, and the server's answer never comes."""
    engine, lost = box.archive.store.database._engine, False

    def commit(connection: Connection) -> None:
        nonlocal lost
        driver = connection.connection.dbapi_connection
        assert driver is not None
        made = connection.scalar(select(calls.c.id).where(calls.c.name == name))
        if lost or made is None:
            return
        lost = True
        driver.commit()
        raise OperationalError("COMMIT", {}, ConnectionError("the server closed the connection"))

    event.listen(engine, "commit", commit)
    try:
        yield
        assert lost
    finally:
        event.remove(engine, "commit", commit)


async def whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_recording_whose_acceptance_was_not_answered_comes_to_its_end(
    make: MakeGateway,
) -> None:
    claim = Claim("local", "one")
    async with make("a") as a:
        await a.whole.recordings.close()  # nobody works on it yet
        with answer_lost(a, "sent"), pytest.raises(StoreUnavailable) as refused:
            await a.archive.accept(RECORDING, whole(alaw(3)), claim)
        assert refused.value.retryable
        name = await a.archive.accept(RECORDING, whole(alaw(3)), claim)
    async with make("a") as a:
        assert await ended(a, name) is CallState.FINISHED
        assert (await a.archive.get(name)).utterances
        assert len(await a.archive.page(store_calls.Filter(), 10)) == 1


@pytest.mark.usefixtures("quick")
async def test_a_call_whose_beginning_was_not_answered_does_not_run_for_ever(
    make: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "LOOK_ANYWAY", 5)
    monkeypatch.setattr(store_calls, "BEGUN_WITHIN_S", 2.0)
    async with make("a") as a:
        async with a.box.open_call(replace(LIVE, call_id="goes-on")) as call:
            await call.accept(alaw(3))
            with answer_lost(a, "live"), pytest.raises(StoreUnavailable):
                await a.archive.keep(LIVE)
            assert (await a.archive.find("live")).state is CallState.RUNNING
            assert await ended(a, "live") is CallState.FAILED
            assert (await a.archive.find("goes-on")).state is CallState.RUNNING
            await call.finish()
        assert await ended(a, "goes-on") is CallState.FINISHED


async def test_two_that_wait_for_each_other_both_write(make: MakeGateway) -> None:
    """The server lets one of them fail: it is run again, and what was asked with it, too."""
    async with make("a") as a, make("b") as b:
        one, two = a.archive.store.database, b.archive.store.database
        names = [member.id for member in await a.archive.store.gateways.all()]

        def touching(first: str, second: str, n: int) -> Any:
            def work(connection: Connection) -> int:
                for name in (first, second):
                    connection.execute(
                        update(members).where(members.c.id == name).values(version=str(n))
                    )
                    time.sleep(0.1)
                return n

            return work

        asked = [one.write(touching(*names, n)) for n in range(3)]
        asked += [two.write(touching(*reversed(names), n)) for n in range(3)]
        assert await asyncio.wait_for(asyncio.gather(*asked), WITHIN_S) == [0, 1, 2] * 2


async def test_who_waits_hears_of_an_end_whose_notice_was_lost(
    make: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make("a") as a, make("b") as b:
        for box in (a, b):
            await box.whole.recordings.close()
        name = await a.archive.accept(RECORDING, whole(alaw(3)))
        waiting = asyncio.create_task(b.archive.wait(name, 10 * WITHIN_S))
        await asyncio.sleep(0.5)
        tell = a.archive.running.tell

        def tell_in_a_crowd(call_id: str) -> None:
            for _ in range(MOST_WAITING):
                a.archive.store.notices.tell("nothing")
            tell(call_id)

        monkeypatch.setattr(a.archive.running, "tell", tell_in_a_crowd)
        await a.archive.cancel(name)
        await asyncio.wait_for(waiting, WITHIN_S)
        assert (await b.archive.find(name)).state is CallState.CANCELLED


@pytest.mark.usefixtures("quick")
async def test_who_waits_hears_of_an_end_that_a_dead_one_did_not_tell(make: MakeGateway) -> None:
    async with make("a") as a, make("b") as b:
        for box in (a, b):
            await box.whole.recordings.close()
        name = await a.archive.accept(RECORDING, whole(alaw(3)))
        waiting = asyncio.create_task(b.archive.wait(name, 10 * WITHIN_S))
        await asyncio.sleep(0.5)
        await a.archive.store.notices.close()
        await a.archive.cancel(name)
        for task in a.archive._takeover._tasks:
            task.cancel()  # it beats no more
        await asyncio.wait_for(waiting, WITHIN_S)
        assert (await b.archive.find(name)).state is CallState.CANCELLED


@pytest.mark.usefixtures("quick")
async def test_what_a_dead_one_left_is_not_spoilt_by_one_that_cannot_open_it(
    make: MakeGateway, tmp_path: Path
) -> None:
    """A power cut takes them all; the first that comes back has another master key."""
    async with make("a") as a:
        await a.whole.recordings.close()
        name = await a.archive.accept(RECORDING, whole(alaw(3)))
        row = await a.archive.store.gateways.all()
    async with make("a") as a:  # its row stands as if it had been killed
        await a.whole.recordings.close()
        await a.archive.store.database.write(
            lambda c: c.execute(insert(members).values(**{**asdict(row[0]), "id": "killed"}))
        )
    other = tmp_path / "other.key"
    other.write_bytes(bytes(32))
    with pytest.raises(StoreUnavailable):
        async with make("b", master_key=other):
            pass
    async with make("a") as a:
        assert await ended(a, name) is CallState.FINISHED


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("alive", [False, True])
async def test_only_the_living_have_a_say_who_joins(
    make: MakeGateway, database: Postgres, alive: bool
) -> None:
    """One keeps its audio elsewhere; or did, and its row is all that is left of it."""
    async with make("a"):
        pass  # makes the tables
    engine = create_engine(database.url)
    row = {"id": "other", "version": "1", "audio": "elsewhere", "master": "m", "beats": 0}
    with engine.begin() as connection:
        connection.execute(insert(members).values(**row, joined_at=0.0))

    def beat() -> None:
        while beating.is_set():
            with engine.begin() as connection:
                connection.execute(update(members).values(beats=members.c.beats + 1))
            time.sleep(0.1)

    beating = threading.Event()
    beating.set()
    other = asyncio.create_task(asyncio.to_thread(beat)) if alive else None
    try:
        if other:
            with pytest.raises(StoreUnavailable, match="master key"):
                async with make("a"):
                    pass
        else:
            async with make("a") as a:
                assert len(await a.archive.store.gateways.all()) == 1
    finally:
        beating.clear()
        if other:
            await other
