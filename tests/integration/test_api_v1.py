"""/api/v1 over a real socket: recordings, calls, their events; bad input costs nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from sqlalchemy import Connection, insert, text, update

from appliance.api.http import recordings
from appliance.errors import LingtingError, StoreUnavailable
from appliance.feed import kept as kept_calls
from appliance.feed.journal import Journal
from appliance.feed.kept import KeptCall
from appliance.messages import AudioFormat, CallConfig, Encoding
from appliance.store.schema import calls as calls_table
from appliance.store.schema import jobs as jobs_table
from appliance.work.runner import MOST_TAKEN
from inference.tensors import Hypothesis, Turn, Window, Word
from tests import fakes
from tests.fakes import IDENTITY, VOICEPRINTS
from tests.integration.gateway import CALL, RunningGateway, alaw, gateway, silence
from tests.unit.test_store import files as kept_files

RAW = {"encoding": "alaw", "sample_rate_hertz": "8000", "channels": "2"}
OVER = ("finished", "failed", "cancelled")
STEREO = AudioFormat(Encoding.ALAW, 8000, 2)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as made:
        yield made


@pytest.fixture
async def client(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http, timeout=60) as made:
        yield made


async def send(client: httpx.AsyncClient, data: bytes, **fields: Any) -> dict[str, Any]:
    headers = fields.pop("headers", {})
    form = {**RAW, **fields}
    answer = await client.post(
        "/api/v1/recordings", files={"file": ("call", data)}, data=form, headers=headers
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/recordings/{answer.json()['id']}"
    body: dict[str, Any] = answer.json()
    return body


async def until_over(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (state := (await client.get(f"/api/v1/recordings/{name}")).json())[
            "state"
        ] not in OVER:
            await asyncio.sleep(0.02)
    return dict(state)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert body["status"] == status and body["title"] and body["detail"]
    return body


async def test_a_recording_becomes_a_call(client: httpx.AsyncClient) -> None:
    sent = await send(client, alaw(30), call_id="x-1", leg_roles="agent,citizen")
    over = await until_over(client, sent["id"])
    assert over["state"] == "finished" and over["progress"] == 1.0
    call = (await client.get(sent["call"])).json()
    assert call["state"] == "finished" and call["call_id"] == "x-1" and not call["live"]
    assert [leg["role"] for leg in call["legs"]] == ["agent", "citizen"]
    assert {u["speaker"] for u in call["utterances"]} == {1, 2} and call["settled"]
    assert call["utterances"] == sorted(call["utterances"], key=lambda u: u["start_ms"])
    assert all(u["mood"] for u in call["utterances"] if u["role"] == "citizen")
    assert not any(u["mood"] for u in call["utterances"] if u["role"] == "agent")
    assert len(call["moods"]["matrix"]) == 21 and call["demo"] and "演示" in call["notice"]
    by_name = (await client.get("/api/v1/calls/x-1")).json()
    assert by_name == call


async def test_one_channel_is_told_apart(client: httpx.AsyncClient) -> None:
    mono = alaw(30)[0::2]
    sent = await send(client, mono, channels="1", diarize="true", max_speakers="2")
    await until_over(client, sent["id"])
    call = (await client.get(sent["call"])).json()
    assert len(call["legs"]) == 1 and all(u["speaker"] for u in call["utterances"])
    off = await send(client, mono, channels="1", diarize="false", moods="false")
    await until_over(client, off["id"])
    call = (await client.get(off["call"])).json()
    assert call["moods"] is None and {u["speaker"] for u in call["utterances"]} == {1}


async def test_the_same_key_makes_one_recording(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "5f0e"}
    first = await send(client, alaw(3), headers=key)
    again = await send(client, alaw(3), headers=key)
    assert again["id"] == first["id"]
    other = await client.post(
        "/api/v1/recordings", files={"file": ("x", alaw(4))}, data=RAW, headers=key
    )
    assert problem(other, 409)["code"] == "conflict"
    calls = (await client.get("/api/v1/calls")).json()["calls"]
    assert len(calls) == 1


async def test_the_same_key_at_the_same_moment(client: httpx.AsyncClient) -> None:
    async def post() -> httpx.Response:
        files = {"file": ("x", alaw(3))}
        headers = {"Idempotency-Key": "same"}
        return await client.post("/api/v1/recordings", files=files, data=RAW, headers=headers)

    answers = await asyncio.gather(*(post() for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len((await client.get("/api/v1/calls")).json()["calls"]) == 1


async def test_a_file_of_the_share(client: httpx.AsyncClient, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.wav").write_bytes(CALL.read_bytes()[: 16_000 * 5])
    (tmp_path / "secret.wav").write_bytes(CALL.read_bytes())
    (share / "link.wav").symlink_to(tmp_path / "secret.wav")
    answer = await client.post("/api/v1/recordings", json={"path": "a.wav", "call_id": "p-1"})
    assert answer.status_code == 202
    assert (await until_over(client, answer.json()["id"]))["state"] == "finished"
    for path in ("../secret.wav", "/etc/passwd", "link.wav", "nothing.wav", "."):
        problem(await client.post("/api/v1/recordings", json={"path": path}), 404)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"call_id": "no spaces please"}, "call_id"),
        ({"min_speakers": "0"}, "min_speakers"),
        ({"min_speakers": "3", "max_speakers": "2"}, "max_speakers"),
        ({"leg_roles": "boss"}, "leg_roles"),
        ({"language": "xx"}, "language"),
        ({"encoding": "mp9"}, "encoding"),
    ],
)
async def test_a_wrong_field_is_named(
    client: httpx.AsyncClient, fields: dict[str, str], param: str
) -> None:
    answer = await client.post(
        "/api/v1/recordings", files={"file": ("x", alaw(1))}, data={**RAW, **fields}
    )
    assert problem(answer, 400)["param"].split(".")[0] == param
    assert (await client.get("/api/v1/calls")).json()["calls"] == []


async def test_what_is_no_audio_fails_and_says_why(client: httpx.AsyncClient) -> None:
    files = {"file": ("x.wav", b"this is no audio at all" * 100)}
    sent = (await client.post("/api/v1/recordings", files=files)).json()
    over = await until_over(client, sent["id"])
    assert over["state"] == "failed" and over["error"]
    call = (await client.get(sent["call"])).json()
    assert call["state"] == "failed" and call["error"] == over["error"]
    problem(await client.post("/api/v1/recordings", files={"file": ("x", b"")}), 400)
    problem(await client.post("/api/v1/recordings", data={"call_id": "x"}), 400)


async def test_silence_is_a_call_without_words(client: httpx.AsyncClient) -> None:
    sent = await send(client, silence(20))
    over = await until_over(client, sent["id"])
    call = (await client.get(sent["call"])).json()
    assert over["state"] == "finished" and call["utterances"] == [] and call["moods"] is None
    assert call["duration_ms"] == 20_000 and len(call["legs"]) == 2


async def test_a_leg_that_is_a_copy_of_the_other(client: httpx.AsyncClient) -> None:
    mono = alaw(20)[0::2]
    both = bytes(byte for sample in mono for byte in (sample, sample))
    sent = await send(client, both)
    assert (await until_over(client, sent["id"]))["state"] == "finished"
    call = (await client.get(sent["call"])).json()
    assert {u["leg"] for u in call["utterances"]} == {1} and "one channel" in call["notes"][0]


async def test_pages_and_filters(client: httpx.AsyncClient) -> None:
    names = [(await send(client, silence(1), call_id=f"n-{i}"))["id"] for i in range(5)]
    for name in names:
        await until_over(client, name)
    seen, token = [], ""
    while True:
        page = (await client.get(f"/api/v1/calls?page_size=2&page_token={token}")).json()
        seen += [call["id"] for call in page["calls"]]
        if not (token := page["next_page_token"]):
            break
    assert seen == names[::-1]
    found = (await client.get("/api/v1/calls?call_id=n-3&state=finished&live=false")).json()
    assert [call["id"] for call in found["calls"]] == [names[3]]
    assert not (await client.get("/api/v1/calls?live=true")).json()["calls"]
    problem(await client.get("/api/v1/calls?page_token=nonsense"), 400)
    problem(await client.get("/api/v1/calls?page_size=0"), 400)
    problem(await client.get("/api/v1/calls?state=strange"), 400)


async def test_a_hundred_thousand_calls_are_paged_by_an_index(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    def fill(connection: Connection) -> None:
        row = {"name": "", "door": "riva", "live": True, "state": "finished", "config": b""}
        rows = [{**row, "id": f"{n:032x}", "created_at": float(n)} for n in range(100_000)]
        connection.execute(insert(calls_table), rows)

    await box.archive.store.database.write(fill)
    seen, token = 0, ""
    while True:
        page = (await client.get(f"/api/v1/calls?page_size=1000&page_token={token}")).json()
        seen += len(page["calls"])
        if not (token := page["next_page_token"]):
            break
    assert seen == 100_000
    newest_first = "SELECT * FROM calls ORDER BY created_at DESC, id DESC LIMIT 50"

    def plan(connection: Connection) -> str:
        return str(connection.execute(text(f"EXPLAIN QUERY PLAN {newest_first}")).all())

    found = await box.archive.store.database.read(plan)
    assert "calls_by_time" in found and "TEMP B-TREE" not in found


async def test_one_word_is_a_call(client: httpx.AsyncClient) -> None:
    word = alaw(1.2)[-16_000 * 6 // 10 :]
    sent = await send(client, silence(0.5) + word + silence(1))
    assert (await until_over(client, sent["id"]))["state"] == "finished"
    call = (await client.get(sent["call"])).json()
    assert len(call["utterances"]) == 1 and call["utterances"][0]["text"]


async def test_unknown_calls(client: httpx.AsyncClient) -> None:
    for path in ("calls/nobody", "recordings/nobody", "calls/nobody/events"):
        problem(await client.get(f"/api/v1/{path}"), 404)
    problem(await client.delete("/api/v1/calls/nobody"), 404)
    problem(await client.post("/api/v1/recordings/nobody/cancel"), 404)


async def test_a_deleted_call_is_gone(client: httpx.AsyncClient, box: RunningGateway) -> None:
    sent = await send(client, alaw(5))
    await until_over(client, sent["id"])
    assert (await client.delete(sent["call"])).status_code == 204
    problem(await client.get(sent["call"]), 404)
    assert not box.archive.store.vault.path(sent["id"]).exists()


async def test_a_recording_deleted_while_it_runs(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    box.engine.delay_s = 5
    sent = await send(client, alaw(30))
    async with asyncio.timeout(10):
        while (await client.get(f"/api/v1/recordings/{sent['id']}")).json()["state"] != "running":
            await asyncio.sleep(0.02)
    assert (await client.delete(sent["call"])).status_code == 204
    problem(await client.get(sent["call"]), 404)
    box.engine.delay_s = 0
    after = await send(client, alaw(3))
    assert (await until_over(client, after["id"]))["state"] == "finished", "others go on"


async def test_a_cancelled_recording_stays_listed(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    box.engine.delay_s = 5
    sent = await send(client, alaw(30))
    cancelled = await client.post(f"/api/v1/recordings/{sent['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    problem(await client.post(f"/api/v1/recordings/{sent['id']}/cancel"), 409)
    assert (await client.get(sent["call"])).json()["state"] == "cancelled"


async def test_audio_is_kept_only_where_wanted(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    sent = await send(client, alaw(3))
    await until_over(client, sent["id"])
    await asyncio.sleep(0.1)
    assert not list((box.settings.store.folder / "audio").rglob("*.audio"))


# --- events


async def sse(client: httpx.AsyncClient, path: str, **headers: str) -> list[dict[str, Any]]:
    events = []
    async with client.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
    return events


async def test_events_come_from_any_point(client: httpx.AsyncClient) -> None:
    sent = await send(client, alaw(30))
    live = await sse(client, sent["events"])
    assert live[-1]["kind"] == "ended" and live[-1]["state"] == "finished"
    numbers = [event["sequence"] for event in live[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))
    later = await sse(client, sent["events"])
    assert [e for e in later if e["kind"] == "final"] == [e for e in live if e["kind"] == "final"]
    assert await sse(client, f"{sent['events']}?after=3") == later[3:]
    assert await sse(client, sent["events"], **{"Last-Event-ID": "3"}) == later[3:]


async def test_events_by_websocket(client: httpx.AsyncClient, box: RunningGateway) -> None:
    sent = await send(client, alaw(20))
    address = box.http.replace("http", "ws") + f"/api/v1/calls/{sent['id']}/watch"
    async with websockets.connect(address) as socket:
        events = [json.loads(message) async for message in socket]
    assert events[-1]["kind"] == "ended" and any(e["kind"] == "final" for e in events)
    nobody = box.http.replace("http", "ws") + "/api/v1/calls/nobody/watch"
    async with websockets.connect(nobody) as socket:
        told = json.loads(await socket.recv())
        assert told["kind"] == "error" and told["status"] == 404
        await socket.wait_closed()
        assert socket.close_code == 4404


async def live_call(box: RunningGateway, name: str, seconds: float) -> None:
    """A caller who speaks as fast as is taken."""
    config = CallConfig(audio=STEREO, call_id=name, door="test", moods=True)
    data = alaw(seconds)
    async with box.box.open_call(config) as call:
        reading = asyncio.create_task(_drain(call.events()))
        for at in range(0, len(data), 1600):
            await call.accept(data[at : at + 1600])
            await asyncio.sleep(0)
        await call.finish()
        await reading


async def _drain(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


async def test_a_live_call_is_followed_while_it_runs(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    calling = asyncio.create_task(live_call(box, "live-1", 30))
    async with asyncio.timeout(10):
        while (await client.get("/api/v1/calls/live-1")).status_code == 404:
            await asyncio.sleep(0.01)
    running = (await client.get("/api/v1/calls/live-1")).json()
    assert running["state"] == "running" and running["live"]
    problem(await client.delete("/api/v1/calls/live-1"), 409)
    events = await sse(client, "/api/v1/calls/live-1/events")
    await calling
    kinds = {event["kind"] for event in events}
    assert {"partial", "final", "mood", "ended"} <= kinds
    call = (await client.get("/api/v1/calls/live-1")).json()
    finals = [event["text"] for event in events if event["kind"] == "final"]
    assert sorted(finals) == sorted(u["text"] for u in call["utterances"])
    assert (await client.delete("/api/v1/calls/live-1")).status_code == 204


async def test_a_watcher_that_stops_reading_slows_nobody(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    kept = await box.archive.keep(CallConfig(audio=STEREO, call_id="slow", door="test"))
    assert isinstance(kept, KeptCall)
    watching = box.archive.watch("slow")
    from tests.unit.test_store import FINAL

    async with asyncio.timeout(20):
        for _ in range(3):
            await kept.log.put(FINAL)
        first = await anext(watching)  # and then never again
        for _ in range(500):
            await kept.log.put(FINAL)
    assert first.sequence == 1
    await watching.aclose()


async def test_a_caller_who_vanishes_leaves_a_finished_call(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    with pytest.raises(ConnectionResetError):
        async with box.box.open_call(CallConfig(audio=STEREO, call_id="gone", door="test")) as call:
            for at in range(0, 16_000 * 9, 1600):
                await call.accept(alaw(9)[at : at + 1600])
            raise ConnectionResetError
    call = (await client.get("/api/v1/calls/gone")).json()
    assert call["state"] == "finished" and call["cut_short"] and call["utterances"]


KNOWLEDGE = (
    *("", "/batch", "/contradictions", "/duplicates", "/expiring", "/gaps", "/gaps/{gap}/draft"),
    *("/merge", "/search", "/{entry}", "/{entry}/approve", "/{entry}/history", "/{entry}/retire"),
)
WARNINGS = (
    *("", "/heat", "/forecast", "/matters", "/report", "/suppressions"),
    *("/suppressions/{number}", "/{warning}"),
)
ADMINISTRATION = (
    *("credentials", "credentials/{credential}/revoke", "credentials/{credential}/approve"),
    *("first", "audit", "audit/verify", "audit/export", "settings", "restart"),
    *("bundles", "bundles/activate", "bundles/rollback", "bundles/{ref}", "bundles/{ref}/verify"),
    *("trial", "trial/lead", "trial/abort", "beside", "beside/{ref}"),
)


async def test_the_openapi_document_is_whole(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    ours = {path for path in document["paths"] if path.startswith("/api/v1")}
    assert ours == {
        "/api/v1/recordings",
        "/api/v1/recordings/{recording}",
        "/api/v1/recordings/{recording}/cancel",
        "/api/v1/calls",
        "/api/v1/calls/{call}",
        "/api/v1/calls/{call}/audio",
        "/api/v1/calls/{call}/events",
        "/api/v1/deliveries",
        "/api/v1/deliveries/{delivery}/retry",
        "/api/v1/replays",
        "/api/v1/replays/{replay}",
        "/api/v1/calls/{call}/order",
        "/api/v1/orders",
        *(f"/api/v1/knowledge{path}" for path in KNOWLEDGE),
        *(f"/api/v1/warnings{path}" for path in WARNINGS),
        "/api/v1/calls/{call}/quality",
        "/api/v1/calls/{call}/quality/{rule}",
        "/api/v1/quality/sample",
        "/api/v1/quality/statistics",
        "/api/v1/calls/{call}/suggestions",
        "/api/v1/calls/{call}/suggestions/{entry}",
        "/api/v1/calls/{call}/suggestions/{entry}/send",
        "/api/v1/orders/corrections",
        "/api/v1/orders/export",
        "/api/v1/orders/statistics",
        "/api/v1/orders/{order}",
        "/api/v1/orders/{order}/events",
        "/api/v1/orders/{order}/proposal",
        "/api/v1/orders/{order}/status",
        "/api/v1/orders/{order}/transitions",
        "/api/v1/texts",
        "/api/v1/terms",
        *(f"/api/v1/admin/{path}" for path in ADMINISTRATION),
    }


async def test_a_stop_gives_recordings_back(tmp_path: Path) -> None:
    """Restarting the box any number of times wears no recording out."""
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        box.engine.delay_s = 5
        sent = await send(client, alaw(10))
        async with asyncio.timeout(10):
            while not box.engine.waiting.total():
                await asyncio.sleep(0.01)
        await box.whole.recordings.close()
        waiting = (await client.get(f"/api/v1/recordings/{sent['id']}")).json()
        assert waiting["state"] == "queued"
        job = await box.archive.store.jobs.take(["recording"])
        assert job and job.attempts == 1
        await box.archive.store.jobs.released(job)
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        assert (await until_over(client, sent["id"]))["state"] == "finished"


async def test_a_recording_whose_audio_is_gone_fails_and_says_so(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    box.engine.delay_s = 5
    runners = box.box.settings.limits.recordings
    others = [await send(client, alaw(10)) for _ in range(runners)]  # all are at work
    sent = await send(client, alaw(3))
    await box.archive.store.vault.delete(sent["id"])
    for other in others:
        await client.delete(other["call"])
    over = await until_over(client, sent["id"])
    assert over["state"] == "failed" and "none is kept" in over["error"]


async def test_an_uploader_who_goes_away_while_it_is_queued_loses_nothing(
    box: RunningGateway, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, begun = box.archive.store.calls.create, asyncio.Event()

    async def slow(*arguments: Any, **named: Any) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        await create(*arguments, **named)

    monkeypatch.setattr(box.archive.store.calls, "create", slow)

    async def chunks() -> AsyncIterator[bytes]:
        yield alaw(3)

    config = CallConfig(audio=STEREO, live=False, call_id="gone-away", door="test")
    accepting = asyncio.create_task(box.archive.accept(config, chunks()))
    await begun.wait()
    accepting.cancel()
    async with asyncio.timeout(20):
        while (await client.get("/api/v1/calls/gone-away")).status_code == 404:
            await asyncio.sleep(0.05)
    assert (await until_over(client, "gone-away"))["state"] == "finished"


async def test_a_watcher_who_asks_for_more_than_there_was_is_told_the_end(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    calling = asyncio.create_task(live_call(box, "ahead", 6))
    async with asyncio.timeout(10):
        while (await client.get("/api/v1/calls/ahead")).status_code == 404:
            await asyncio.sleep(0.01)
        events = await sse(client, "/api/v1/calls/ahead/events?after=9999&partials=false")
        await calling
    assert [event["kind"] for event in events] == ["ended"]
    whole = await sse(client, "/api/v1/calls/ahead/events?partials=false")
    again = await sse(client, "/api/v1/calls/ahead/events?after=9999&partials=false")
    assert events == again == whole[-1:], "and by the number that it has"
    assert (await client.get("/api/v1/calls")).status_code == 200


async def test_a_call_that_is_refused_as_it_opens_is_over(
    client: httpx.AsyncClient, box: RunningGateway
) -> None:
    wrong = AudioFormat(Encoding.PCM_S16LE, 0, 1)
    with pytest.raises(LingtingError):
        async with box.box.open_call(CallConfig(audio=wrong, call_id="refused", door="test")):
            pass
    call = (await client.get("/api/v1/calls/refused")).json()
    assert call["state"] == "failed" and "sample_rate_hertz" in call["error"]
    assert (await client.delete("/api/v1/calls/refused")).status_code == 204


async def test_a_recording_that_kills_the_box_again_and_again_is_given_up(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        box.engine.delay_s = 30
        async with httpx.AsyncClient(base_url=box.http) as client:
            sent = await send(client, alaw(3))

        def taken_often(connection: Connection) -> None:
            connection.execute(update(jobs_table).values(attempts=MOST_TAKEN))

        await box.whole.recordings.close()
        await box.archive.store.database.write(taken_often)
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        over = await until_over(client, sent["id"])
        assert over["state"] == "failed" and "the box stopped" in over["error"]
        assert (await until_over(client, (await send(client, alaw(3)))["id"]))[
            "state"
        ] == "finished"


async def test_a_damaged_recording_fails_alone(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        await box.whole.recordings.close()
        bad, good = await send(client, alaw(3)), await send(client, alaw(3))

        def spoil(connection: Connection) -> None:
            connection.execute(
                update(calls_table).where(calls_table.c.id == bad["id"]).values(config=b"?")
            )

        await box.archive.store.database.write(spoil)
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        over = await until_over(client, bad["id"])
        assert over["state"] == "failed" and "damaged" in over["error"]
        assert (await until_over(client, good["id"]))["state"] == "finished"
        assert (await client.get(bad["call"])).json()["state"] == "failed"
        assert (await client.delete(bad["call"])).status_code == 204


async def test_a_call_whose_record_is_not_taken_is_stored_later(
    client: httpx.AsyncClient, box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_calls, "STORE_AGAIN_S", (0.1, 0.1))
    finish, refused = box.archive.store.calls.finish, asyncio.Event()

    async def full(*arguments: Any, **named: Any) -> bool:
        if not refused.is_set():
            refused.set()
            raise StoreUnavailable("write to the database", "disk full")
        return await finish(*arguments, **named)

    monkeypatch.setattr(box.archive.store.calls, "finish", full)
    await live_call(box, "later", 9)
    assert refused.is_set()
    call = (await client.get("/api/v1/calls/later")).json()
    assert call["state"] == "finished" and call["utterances"]
    async with asyncio.timeout(10):
        while await box.archive.store.calls.record(call["id"]) is None:
            await asyncio.sleep(0.05)
    assert (await client.get("/api/v1/calls/later")).json() == call


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "..", "/etc/passwd", "pipe", "link", "loop"])
async def test_nothing_but_files_of_the_share_is_read(
    client: httpx.AsyncClient, box: RunningGateway, path: str
) -> None:
    share = box.settings.http.share
    assert share
    share.mkdir(exist_ok=True)
    os.mkfifo(share / "pipe")
    (share / "link").symlink_to("/etc/passwd")
    (share / "loop").symlink_to(share / "loop")
    answer = await client.post("/api/v1/recordings", json={"path": path})
    problem(answer, 400 if "\0" in path else 404)


async def test_nothing_outside_the_share_is_even_opened(
    client: httpx.AsyncClient, box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a device that alone may do something."""
    opened: list[str] = []
    share = box.settings.http.share
    assert share
    share.mkdir(exist_ok=True)
    (share / "device").symlink_to("/dev/zero")

    def note(path: str, _: int) -> int:
        opened.append(path)
        raise FileNotFoundError

    monkeypatch.setattr(recordings, "_without_waiting", note)
    for path in ("/dev/zero", "../../dev/zero", "device"):
        problem(await client.post("/api/v1/recordings", json={"path": path}), 404)
    assert not opened


@pytest.mark.parametrize(
    "query",
    [
        "calls?since=0001-01-01T00:00:00",
        "calls?call_id=a%00b",
        "calls?page_size=0",
        "calls/x/events?after=99999999999999999999",
    ],
)
async def test_what_is_out_of_range_is_named(client: httpx.AsyncClient, query: str) -> None:
    problem(await client.get(f"/api/v1/{query}"), 400)


async def test_a_field_that_does_not_exist_is_named(client: httpx.AsyncClient) -> None:
    for wrong in (
        {"data": {"diarise": "no"}, "files": {"file": ("a", b"x")}},
        {"json": {"pth": "a"}},
    ):
        answer = await client.post("/api/v1/recordings", **wrong)
        problem(answer, 400)
        assert "there is no such field" in answer.json()["detail"]


async def test_a_body_of_megabytes_is_not_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/recordings", json={"path": "x" * 5_000_000})
    problem(answer, 413)
    nested = await client.post(
        "/api/v1/recordings",
        content=b"[" * 50_000,
        headers={"content-type": "application/json"},
    )
    problem(nested, 400)


async def test_a_known_key_is_answered_though_the_box_is_full(
    client: httpx.AsyncClient, box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Idempotency-Key": "again"}
    first = await send(client, alaw(3), headers=key)
    monkeypatch.setattr(box.archive.store, "has_room", lambda: False)
    again = await send(client, alaw(3), headers=key)
    assert again["id"] == first["id"]
    new = await client.post("/api/v1/recordings", files={"file": ("x", alaw(3))}, data=RAW)
    problem(new, 429)


async def test_in_one_channel_the_citizen_has_moods_and_the_agent_none(
    client: httpx.AsyncClient, box: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one greets, the other complains, with no pause between them."""
    turns = [Turn(0.0, 2.5, 0), Turn(2.5, 9.0, 1)]
    monkeypatch.setattr(fakes, "_turns", lambda _: turns)
    monkeypatch.setattr(box.engine, "_hear", greeting_then_complaint)
    sent = await send(client, alaw(6)[0::2], channels="1", max_speakers="2")
    await until_over(client, sent["id"])
    call = (await client.get(sent["call"])).json()
    roles = [u["role"] for u in call["utterances"]]
    assert roles == ["agent", "citizen"], call["utterances"]
    agent, citizen = call["utterances"]
    assert agent["mood"] is None and citizen["mood"]["emotion"] == "annoyed"
    events = await sse(client, f"{sent['call']}/events")
    (mood,) = [event for event in events if event["kind"] == "mood"]
    assert mood["start_ms"] == citizen["start_ms"]


def greeting_then_complaint(window: Window) -> Hypothesis:
    """A character each 100 ms: two seconds of the one, two of the other."""
    said = "您好，这里是热线，请问有什么可以帮您的" + "我非常生气，太过分了，我要投诉，非常生气"
    words = tuple(Word(c, i * 100, (i + 1) * 100, 0.9) for i, c in enumerate(said))
    return Hypothesis(said, "zh", words, confidence=0.9, **IDENTITY)


async def test_voiceprints_are_in_no_file(tmp_path: Path) -> None:
    """Neither their bytes nor, opened again, anything as long as one."""
    async with gateway(tmp_path, keep_audio_days=1) as box:
        async with httpx.AsyncClient(base_url=box.http) as client:
            sent = await send(client, alaw(30)[0::2], channels="1", max_speakers="2")
            await until_over(client, sent["id"])
            shown = [(await client.get(sent["call"])).json()]
            shown += await sse(client, f"{sent['call']}/events")
        assert box.engine.heard_voices
        opened = [await box.archive.get(sent["id"])]
        opened += [event for _, event in await Journal(box.archive.store.calls).read(sent["id"])]
    prints = [each.astype(kind) for each in VOICEPRINTS for kind in ("f4", "f8")]
    files = [path.read_bytes() for path in kept_files(tmp_path)]
    assert len(files) > 3 and not any(p.tobytes() in data for p in prints for data in files)
    text = json.dumps(shown) + repr(opened)
    assert not re.search(r"(-?\d+\.\d+(e-?\d+)?,\s*){16}", text), "a row of numbers"
