"""What one who follows calls owes them: queued as they end, done once, and again on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from appliance.errors import EngineUnavailable
from appliance.feed.subscriber import FollowedCall, Owed, Subscriber
from appliance.gateway import Gateway as Appliance
from appliance.messages import CallState
from appliance.store.database import Also
from appliance.store.jobs import Job
from appliance.store.schema import calls, jobs
from appliance.work import runner
from tests.integration.gateway import RunningGateway, alaw, gateway
from tests.integration.test_api_v1 import live_call, send, until_over


class LedgerSubscriber(Subscriber):
    """Counts what it has done for each call, where a test can see it."""

    name = "ledger"

    def __init__(self) -> None:
        self.settled: list[str] = []  # call ids
        self.fail = 0  # times to

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        return [Owed(state.value, b"it")]

    async def settle(self, job: Job) -> Sequence[Also]:
        if self.fail:
            self.fail -= 1
            raise EngineUnavailable("count a call", "not now")
        return [lambda _: self.settled.append(job.call_id)]


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> LedgerSubscriber:
    made = LedgerSubscriber()
    monkeypatch.setattr(runner, "POLL_S", 0.05)
    begin = Appliance.__init__

    def init(self: Appliance, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named, also=(made,))

    monkeypatch.setattr(Appliance, "__init__", init)
    return made


async def settled(ledger: LedgerSubscriber, count: int) -> list[str]:
    async with asyncio.timeout(20):
        while len(ledger.settled) < count:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # for one too many
    return ledger.settled


async def replayed(client: httpx.AsyncClient, **wanted: str) -> dict[str, Any]:
    body = {"name": "ledger", "since": "2020-01-01T00:00:00Z", **wanted}
    asked = (await client.post("/api/v1/replays", json=body)).json()
    async with asyncio.timeout(20):
        while asked["state"] in ("queued", "running"):
            await asyncio.sleep(0.02)
            asked = (await client.get(f"/api/v1/replays/{asked['id']}")).json()
    return dict(asked)


async def test_each_call_is_settled_once_however_often_it_fails(
    tmp_path: Path, ledger: LedgerSubscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.store.jobs.BACK_OFF_S", (0.05, 0.05))
    ledger.fail = 2
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        await live_call(box, "live", 5)
        sent = await send(client, alaw(3))
        await until_over(client, sent["id"])
        live = (await client.get("/api/v1/calls/live")).json()["id"]
        assert sorted(await settled(ledger, 2)) == sorted([live, sent["id"]])


async def test_what_was_owed_at_a_kill_is_settled_at_the_next_start(
    tmp_path: Path, ledger: LedgerSubscriber
) -> None:
    ledger.fail = 10**6
    async with gateway(tmp_path) as box:
        await live_call(box, "live", 3)
    assert not ledger.settled
    ledger.fail = 0
    async with gateway(tmp_path) as box:

        def due(connection: Connection) -> None:
            connection.execute(update(jobs).values(due_at=0))

        await box.archive.store.database.write(due)
        assert len(await settled(ledger, 1)) == 1


async def test_a_replay_does_it_again_once_and_leaves_out_what_cannot_be_read(
    tmp_path: Path, ledger: LedgerSubscriber
) -> None:
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        sent = [await send(client, alaw(3)) for _ in range(3)]
        for each in sent:
            await until_over(client, each["id"])
        await settled(ledger, 3)
        await spoil(box, sent[0]["id"])
        over = await replayed(client)
        assert (over["state"], over["progress"]) == ("done", 1.0)
        again = (await settled(ledger, 5))[3:]
        assert sorted(again) == sorted(each["id"] for each in sent[1:])
        nothing = await replayed(client, until="2020-01-02T00:00:00Z")
        assert nothing["state"] == "done" and len(await settled(ledger, 5)) == 5
        assert (await client.get("/api/v1/replays")).json() == {
            "names": ["emergencies", "knowledge", "ledger", "orders", "quality", "webhooks"]
        }
        unknown = await client.post(
            "/api/v1/replays", json={"name": "x", "since": "2020-01-01T00:00:00Z"}
        )
        names = "knowledge, ledger, orders, quality, webhooks"
        assert unknown.status_code == 404 and names in unknown.json()["detail"]


async def spoil(box: RunningGateway, call_id: str) -> None:
    change = update(calls).where(calls.c.id == call_id).values(record=b"?")
    await box.archive.store.database.write(lambda connection: connection.execute(change))
