"""Several gateways on one PostgreSQL: calls, jobs, keys, watchers and access are of all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from appliance.archive import takeover
from appliance.errors import Conflict, StoreUnavailable
from appliance.messages import AudioFormat, CallConfig, CallState, Encoding, Ended, Final, Partial
from appliance.settings.doors import AccessSettings
from appliance.store import gateways
from tests.integration.gateway import MakeGateway, RunningGateway, alaw
from tests.integration.test_endings import RAW, ended
from tests.postgres import Postgres, find_programs

pytestmark = pytest.mark.skipif(find_programs() is None, reason="postgresql is not installed")

STEREO = AudioFormat(Encoding.ALAW, 8000, 2)
WITHIN_S = 20.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dead are found within two seconds."""
    monkeypatch.setattr(takeover, "BEAT_S", 0.2)
    monkeypatch.setattr(gateways, "DEAD_AFTER_S", 1.5)


@contextlib.asynccontextmanager
async def talking(box: RunningGateway, name: str = "live") -> AsyncIterator[Any]:
    config = CallConfig(audio=STEREO, call_id=name, door="riva")
    async with box.box.open_call(config) as call:
        await call.accept(alaw(12))
        yield call


async def until(true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(WITHIN_S):
        while not (found := await true()):
            await asyncio.sleep(0.05)
        return found


async def die(box: RunningGateway) -> None:
    """As by kill -9: nothing is said or done any more, and its calls stand as they were."""
    await box.archive._takeover.close()
    store = box.archive.store
    await store.gateways.join(await asyncio.to_thread(store.vault.mark), store.ring.name)
    for runner in (box.whole.recordings, *box.whole._owed):
        assert runner._looking
        runner._looking.cancel()
        for task in runner._running:
            task.cancel()

    async def nothing(*args: Any, **fields: Any) -> Any:
        raise StoreUnavailable("write to the database", "dead")

    store.database.write = nothing  # type: ignore[method-assign]


async def test_a_call_is_watched_and_read_from_the_other_gateway(make: MakeGateway) -> None:
    async with make("a") as a, make("b") as b:
        async with talking(a) as call:
            told: list[Any] = []

            async def watch() -> None:
                async for each in b.archive.watch("live"):
                    told.append(each.event)

            watching = asyncio.create_task(watch())

            async def said() -> bool:
                return any(isinstance(each, Final) for each in told)

            await until(said)
            so_far = await b.archive.get("live")
            assert so_far.state is CallState.RUNNING and so_far.utterances
            with pytest.raises(Conflict):
                await b.archive.delete("live")
            for _ in range(20):  # what is for the moment comes, too
                await call.accept(alaw(1))
                await asyncio.sleep(0.1)
            await call.finish()
        await asyncio.wait_for(watching, WITHIN_S)
        assert any(isinstance(each, Partial) for each in told)
        assert isinstance(told[-1], Ended) and told[-1].state is CallState.FINISHED
        here, there = await a.archive.get("live"), await b.archive.get("live")
        assert here == there and here.utterances
        finals = [each for each in told if isinstance(each, Final)]
        assert len(finals) == len(here.utterances)
        await b.archive.delete("live")

        async def forgotten() -> bool:  # a job of the call may have read it at the same moment
            return here.id not in a.archive.store.ring._known

        await until(forgotten)


async def test_a_recording_sent_here_is_worked_on_there(make: MakeGateway) -> None:
    async with make("a") as a, make("b") as b:
        await a.whole.recordings.close()  # only b works
        async with httpx.AsyncClient(base_url=a.http) as client:
            files = {"file": ("call", alaw(3))}
            again = {"Idempotency-Key": "one"}
            answers = []
            for base in (a.http, b.http, a.http):
                url = f"{base}/api/v1/recordings"
                answers.append(await client.post(url, files=files, data=RAW, headers=again))
        (name,) = {answer.json()["id"] for answer in answers}
        async with asyncio.timeout(WITHIN_S):
            await a.archive.wait(name, WITHIN_S)
        assert await ended(a, name) is CallState.FINISHED
        assert (await a.archive.get(name)).utterances
        assert not a.engine.listened and b.engine.listened


@pytest.mark.usefixtures("quick")
async def test_the_calls_of_a_dead_gateway_come_to_their_end(make: MakeGateway) -> None:
    async with make("a") as a, make("b") as b, make("c") as c:
        async with httpx.AsyncClient() as client:
            a.engine.delay_s = 0.2
            async with talking(a, "cut-off"):
                said = await until(lambda: _utterances(b, "cut-off"))
                sent = await client.post(
                    f"{a.http}/api/v1/recordings", files={"file": ("call", alaw(3))}, data=RAW
                )
                async with talking(b, "goes-on") as other:
                    await die(a)
                    assert await ended(b, "cut-off") is CallState.FINISHED
                    assert await ended(c, sent.json()["id"]) is CallState.FINISHED
                    await other.finish()
        call = await c.archive.get("cut-off")
        assert call.cut_short and len(call.utterances) >= len(said)
        assert not (await c.archive.get("goes-on")).cut_short
        assert len(await b.archive.store.gateways.all()) == 2


async def _utterances(box: RunningGateway, name: str) -> Any:
    with contextlib.suppress(Exception):
        return (await box.archive.get(name)).utterances
    return ()


@pytest.mark.usefixtures("quick")
async def test_one_that_only_stood_still_ends_its_calls_itself(make: MakeGateway) -> None:
    async with make("a") as a, make("b") as b:
        async with talking(a) as call:
            await until(lambda: _utterances(b, "live"))
            for task in a.archive._takeover._tasks:
                task.cancel()
            assert await ended(b, "live") is CallState.FINISHED
            assert (await b.archive.get("live")).cut_short
            await call.accept(alaw(12))
            await call.finish()
        whole = await b.archive.get("live")
        assert not whole.cut_short and whole.duration_ms >= 20_000


async def test_a_restart_finishes_its_own_at_once(make: MakeGateway) -> None:
    async with make("a") as a, make("b"):
        async with talking(a):
            me = a.archive.store.gateways.me
            await until(lambda: _utterances(a, "live"))
            await die(a)
        del a.archive.store.database.write  # type: ignore[attr-defined]
    async with make("a") as again:
        assert again.archive.store.gateways.me == me
        assert (await again.archive.find("live")).state is CallState.FINISHED


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"keys_url": ""}, "keys_url"),
        ({"audio_folder": None}, "audio_folder"),
        ({"master_key": None}, "master"),
    ],
    ids=["keys", "audio", "master"],
)
async def test_who_could_not_open_the_others_calls_does_not_join(
    make: MakeGateway, fields: dict[str, Any], hint: str
) -> None:
    async with make("a") as a:
        if hint != "master":
            async with talking(a) as call:
                await call.finish()
        with pytest.raises(StoreUnavailable) as refused:
            async with make("b", **fields):
                pass
    assert hint in str(refused.value)


@pytest.mark.usefixtures("quick")
async def test_words_go_on_without_the_database_and_are_in_it_once_it_is_back(
    make: MakeGateway, database: Postgres
) -> None:
    async with make("a") as a, make("b") as b:
        async with talking(a) as call:
            before = len(await until(lambda: _utterances(b, "live")))
            here = a.archive.running.live()[0]
            await asyncio.to_thread(database.stop)
            heard = here.log.sequence
            for _ in range(4):
                await call.accept(alaw(12))
                await asyncio.sleep(1)
            assert here.log.sequence > heard and here.torn
            await asyncio.to_thread(database.start)

            async def caught_up() -> bool:
                return not here.torn and len(await _utterances(b, "live")) > before

            await until(caught_up)
            await asyncio.sleep(3)  # nobody is taken for dead
            assert (await b.archive.find("live")).state is CallState.RUNNING
            await call.finish()
        assert await ended(b, "live") is CallState.FINISHED
        whole = await b.archive.get("live")
        assert whole == await a.archive.get("live") and len(whole.utterances) > before
        assert len(await b.archive.store.gateways.all()) == 2


async def test_access_is_of_all_gateways_soon(make: MakeGateway) -> None:
    keys = AccessSettings(keys="always", requests_per_minute=20)
    async with make("a", access=keys) as a, make("b", access=keys) as b:
        made = await a.access.first_admins(_root())
        shown = made[1].key
        headers = {"authorization": f"Bearer {shown}"}
        async with httpx.AsyncClient() as client:
            asked = f"{b.http}/api/v1/admin/credentials"
            async with asyncio.timeout(10):
                while (await client.get(asked, headers=headers)).status_code != 200:
                    await asyncio.sleep(0.05)
            page = await client.post(f"{a.http}/console/session", headers=headers)
            (token,) = page.cookies.values()
            async with asyncio.timeout(10):
                while not b.access.sessions.key(token):
                    await asyncio.sleep(0.02)
            secret = a.access.secrets.begin(shown, longest_s=60)  # of a realtime client
            async with asyncio.timeout(10):
                while b.access.secrets.key(secret) != shown:
                    await asyncio.sleep(0.02)
            b.access.sessions.end(token)
            async with asyncio.timeout(10):
                while a.access.sessions.key(token):
                    await asyncio.sleep(0.02)
            for _ in range(19):
                await client.get(f"{a.http}/api/v1/admin/credentials", headers=headers)
            async with asyncio.timeout(10):
                while (await client.get(asked, headers=headers)).status_code != 429:
                    await asyncio.sleep(0.1)
            await a.access.revoke(_root(), made[1].credential.id)
            async with asyncio.timeout(10):
                while (await client.get(asked, headers=headers)).status_code != 401:
                    await asyncio.sleep(0.05)


def _root() -> Any:
    from appliance.access.roles import AccessRole, Principal

    return Principal(name="root", tenant="*", roles=frozenset({AccessRole.SECURITY_ADMIN}))
