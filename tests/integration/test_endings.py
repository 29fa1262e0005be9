"""Whatever fails in between, each call and each recording comes to its end, and says how."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from appliance.archive import retention
from appliance.audio import wav
from appliance.call.keeping import Ending
from appliance.errors import EngineUnavailable, NotFound, StoreUnavailable
from appliance.messages import AudioFormat, CallConfig, CallState, Encoding, Ended, Final
from appliance.recordings.recordings import KIND, Recordings
from appliance.steady import SteadyClock
from appliance.store import jobs
from appliance.store.schema import calls, keys
from appliance.store.vault import audio_key
from inference.tensors import Clustering, VoiceWindow
from tests.integration.gateway import RunningGateway, alaw, gateway

RAW = {"encoding": "alaw", "sample_rate_hertz": "8000", "channels": "2"}
STEREO, MONO = (AudioFormat(Encoding.ALAW, 8000, legs) for legs in (2, 1))
WITHIN_S = 20.0
SAID = Final(0, 0, "你好", (), 0, 900, 0.9, 0.0, 0.0, "zh", "cpu", "fake 0", True)


def live(audio: AudioFormat = STEREO, **fields: Any) -> CallConfig:
    return CallConfig(audio=audio, call_id="live", door="riva", **fields)


async def record(box: RunningGateway, seconds: float = 3, **fields: str) -> str:
    async with httpx.AsyncClient(base_url=box.http) as client:
        files = {"file": ("call", alaw(seconds))}
        answer = await client.post("/api/v1/recordings", files=files, data={**RAW, **fields})
        return str(answer.json()["id"])


async def ended(box: RunningGateway, name: str) -> CallState:
    """How it ended; raises TimeoutError if it does not."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            state = (await box.archive.find(name)).state
            if state in (CallState.FINISHED, CallState.FAILED, CallState.CANCELLED):
                return state
            await asyncio.sleep(0.05)


async def spoil_key(box: RunningGateway, key: str) -> None:
    def work(connection: Connection) -> None:
        spoilt = update(keys).where(keys.c.call_id == key).values(wrapped=b"x" * 60)
        connection.execute(spoilt)

    await box.archive.store._keys.write(work)
    box.archive.store.ring._known.clear()


# --- live calls


async def hang_up(
    box: RunningGateway, config: CallConfig, audio: bytes, *, finishing: bool
) -> None:
    """Send audio, and go away in the middle of what follows."""

    async def call() -> None:
        async with box.box.open_call(config) as call:
            await call.accept(audio)
            if finishing:
                await call.finish()
            await asyncio.sleep(3600)

    task = asyncio.create_task(call())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("finishing", [True, False])
async def test_who_hangs_up_loses_nothing_that_was_said(tmp_path: Path, finishing: bool) -> None:
    async with gateway(tmp_path) as box:
        box.engine.delay_s = 1.5
        await hang_up(box, live(), alaw(2), finishing=finishing)
        call = await box.archive.get("live")
    assert (call.state, call.error) == (CallState.FINISHED, "") and call.utterances
    assert call.cut_short is not finishing


async def test_who_closes_while_the_end_is_stored_leaves_no_call_running(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        finish, storing = box.archive.store.calls.finish, asyncio.Event()

        async def slowly(*args: Any) -> bool:
            storing.set()
            await asyncio.sleep(0.3)
            return await finish(*args)

        box.archive.store.calls.finish = slowly  # type: ignore[method-assign]

        async def call() -> None:
            async with box.box.open_call(live()) as call:
                await call.accept(alaw(1))
                await call.finish()

        task = asyncio.create_task(call())
        await storing.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await ended(box, "live") is CallState.FINISHED
        await box.archive.delete("live")


async def test_a_drain_waits_for_calls_that_are_ending(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        box.engine.delay_s = 1.5
        async with asyncio.TaskGroup() as group:
            group.create_task(hang_up(box, live(), alaw(2), finishing=False))
            await asyncio.sleep(1.2)  # gone, and what was said is not final yet
            await box.box.drain(10)
            assert (await box.archive.get("live")).utterances


async def test_diarization_that_is_gone_costs_speakers_not_words(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        ask = box.engine.ask

        async def deaf_to_voices(question: Any, *rest: Any) -> Any:
            if isinstance(question, VoiceWindow | Clustering):
                raise EngineUnavailable("ask", "gone")
            return await ask(question, *rest)

        box.engine.ask = deaf_to_voices  # type: ignore[method-assign]
        await hang_up(box, live(MONO, diarize=True), alaw(4)[0::2], finishing=False)
        call = await box.archive.get("live")
    assert (call.state, call.error) == (CallState.FINISHED, "") and call.utterances
    assert any("speakers were not told apart" in note for note in call.notes)


async def test_a_bug_while_a_call_ends_does_not_keep_it_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bug(_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("appliance.call.call.Call._settle", bug)
    async with gateway(tmp_path) as box:
        await hang_up(box, live(), alaw(2), finishing=False)
        assert await ended(box, "live") is CallState.FINISHED  # every word was told before
        await box.archive.delete("live")


async def test_a_call_whose_audio_cannot_be_kept_goes_on(tmp_path: Path) -> None:
    async with gateway(tmp_path, keep_audio_days=1) as box:
        make = box.archive.store.ring.make

        async def no_audio_keys(name: str) -> Any:
            if name.endswith(":audio"):
                raise StoreUnavailable("write to the database", "too much is waiting")
            return await make(name)

        box.archive.store.ring.make = no_audio_keys  # type: ignore[method-assign]
        keeper = await box.archive.keep(live())
        assert keeper
        await keeper.hear(alaw(1))
        await keeper.end(Ending(0, 0, "", "", demo=True, cut_short=False))
        assert await ended(box, "live") is CallState.FINISHED


async def test_an_event_is_seen_when_it_is_journalled_and_not_before(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        keeper = await box.archive.keep(live())
        assert keeper
        append, go = box.archive.store.calls.append, asyncio.Event()

        async def slowly(*args: Any) -> None:
            await go.wait()
            await append(*args)

        box.archive.store.calls.append = slowly  # type: ignore[method-assign]
        keeping = asyncio.create_task(keeper.log.put(SAID))
        await asyncio.sleep(0.05)
        assert not (await box.archive.get("live")).utterances
        go.set()
        await keeping
        assert (await box.archive.get("live")).utterances


async def test_what_the_journal_missed_is_there_once_the_call_is_stored(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        keeper = await box.archive.keep(live())
        assert keeper
        append = box.archive.store.calls.append

        async def fails(*_: Any) -> None:
            raise StoreUnavailable("write to the database", "the disk is full")

        box.archive.store.calls.append = fails  # type: ignore[method-assign]
        await keeper.log.put(SAID)
        box.archive.store.calls.append = append  # type: ignore[method-assign]
        await keeper.end(Ending(900, 1, "zh", "fake 0", demo=True, cut_short=False))
        told = [each async for each in box.archive.watch("live")]
    assert [type(each.event) for each in told] == [Final, Ended]


# --- recordings


async def test_a_full_disk_costs_a_recording_its_moods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with gateway(tmp_path) as box:
        await box.whole.recordings.close()
        sent = await record(box, 4, channels="1", max_speakers="2")
        monkeypatch.setattr("appliance.security.scratch.tempfile.TemporaryFile", full)
        box.whole.recordings.start()
        assert await ended(box, sent) is CallState.FINISHED
        call = await box.archive.get(sent)
    assert call.utterances and not any(said.mood for said in call.utterances)


async def test_while_an_upload_comes_in_its_key_is_nowhere(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        coming, go = asyncio.Event(), asyncio.Event()

        async def pieces() -> AsyncIterator[bytes]:
            yield alaw(60)
            coming.set()
            await go.wait()

        accepting = asyncio.create_task(box.archive.accept(live(), pieces()))
        await coming.wait()
        (name,) = await asyncio.to_thread(box.archive.store.vault.broken_off, ())
        with pytest.raises(NotFound):
            await box.archive.store.ring.get(audio_key(name))
        go.set()
        assert await accepting == name
        await box.archive.store.ring.get(audio_key(name))


async def test_a_damaged_key_ends_its_recording_and_no_other(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        await box.whole.recordings.close()
        bad, mute, good = [await record(box) for _ in range(3)]
        await spoil_key(box, bad)
        await spoil_key(box, audio_key(mute))
    async with gateway(tmp_path) as box:
        states = [await ended(box, each) for each in (bad, mute, good)]
        assert states == [CallState.FAILED, CallState.FAILED, CallState.FINISHED]
        assert "key" in (await box.archive.find(bad)).error
        await box.archive.delete(bad)


async def test_a_damaged_key_of_a_call_that_was_cut_off_stops_no_start(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        first, second = await box.archive.keep(live()), await box.archive.keep(live())
        assert first and second
        await second.log.put(SAID)
        await spoil_key(box, first.id)  # type: ignore[attr-defined]
    async with gateway(tmp_path) as box:
        assert await ended(box, first.id) is CallState.FAILED  # type: ignore[attr-defined]
        assert await ended(box, second.id) is CallState.FINISHED  # type: ignore[attr-defined]


async def test_a_deletion_that_is_cut_off_leaves_nothing_waiting(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        await box.whole.recordings.close()
        sent = await record(box)

        async def killed(_: object) -> None:
            raise StoreUnavailable("shred", "killed")

        box.archive._retention.shred = killed  # type: ignore[assignment,method-assign]
        with pytest.raises(StoreUnavailable):
            await box.archive.delete(sent)
    async with gateway(tmp_path) as box:
        assert await ended(box, sent) is CallState.CANCELLED
        assert await box.archive.store.calls.older_than(9e18, 10) == [sent]


async def test_watchers_are_told_an_end_that_is_stored(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        finish, failures = box.archive.store.calls.finish, 0

        async def fails_once(*args: Any) -> bool:
            nonlocal failures
            failures += 1
            if failures == 1:
                await asyncio.sleep(0.3)
                raise StoreUnavailable("write to the database", "the disk is full")
            return await finish(*args)

        box.archive.store.calls.finish = fails_once  # type: ignore[method-assign]
        sent = await record(box)
        async with asyncio.timeout(WITHIN_S):
            told = [each async for each in box.archive.watch(sent)]
        assert told[-1].event == Ended(CallState.FINISHED) and failures == 2
        assert (await box.archive.find(sent)).state is CallState.FINISHED


async def test_who_lost_the_lease_leaves_the_audio_to_who_has_it(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        work = box.whole.recordings.work
        assert isinstance(work, Recordings)
        finish, runs = work._finish, 0

        async def late_at_first(job: jobs.Job, kept: Any) -> bool:
            nonlocal runs
            runs += 1
            if runs == 1:
                given_back = jobs.cancelling(job.call_id, "nothing")
                await box.archive.store.jobs.write(given_back)
                await box.archive.store.jobs.failed(job, "the machine slept", after_s=0.0)
                box.engine.delay_s = 0.5  # the second begins, and hears while the first ends
                box.archive.store.jobs.news.tell()
                await asyncio.sleep(0.3)
            return await finish(job, kept)

        work._finish = late_at_first  # type: ignore[method-assign]
        sent = await record(box)
        assert await ended(box, sent) is CallState.FINISHED and runs == 2


async def test_what_was_arriving_when_the_box_was_killed_is_gone(tmp_path: Path) -> None:
    async with gateway(tmp_path, keep_audio_days=180) as box:
        store = box.archive.store
        cipher, key = await store.ring.make(audio_key("arriving"))
        writer = store.vault.writer("arriving", cipher, key, arriving=True)
        await writer.write(alaw(60))
        await writer.flush()
        writer.close()
        assert await asyncio.to_thread(store.vault.broken_off, ()) == ["arriving"]
    async with gateway(tmp_path, keep_audio_days=180):
        files = [path.name for path in (tmp_path / "store" / "audio").rglob("*.*")]
        assert not files


# --- what goes on


async def test_retention_goes_on_after_a_database_error_of_any_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_EVERY_S", 0.05)
    async with gateway(tmp_path) as box:
        older_than, looks = box.archive.store.calls.older_than, 0

        async def malformed_at_first(moment: float, limit: int) -> list[str]:
            nonlocal looks
            looks += 1
            if looks < 3:
                raise RuntimeError("a bug")
            return await older_than(moment, limit)

        box.archive.store.calls.older_than = malformed_at_first  # type: ignore[method-assign]
        async with asyncio.timeout(WITHIN_S):
            while looks < 4:
                await asyncio.sleep(0.02)


async def test_a_clock_that_went_back_and_forth_between_two_looks_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended meanwhile says that it is old."""
    monkeypatch.setattr(retention, "CLOCK_EVERY_S", 0.02)
    monkeypatch.setattr(retention, "LOOK_EVERY_S", 1.0)
    off_s = 0.0
    async with gateway(tmp_path) as box:
        box.archive._retention._clock = SteadyClock(None, lambda: time.time() + off_s)
        await asyncio.sleep(1.1)  # the next look is a second away
        name = await record(box)
        assert await ended(box, name) is CallState.FINISHED
        off_s = -400 * 86_400.0
        long_ago = update(calls).where(calls.c.id == name).values(ended_at=time.time() + off_s)
        await box.archive.store.database.write(lambda c: c.execute(long_ago))
        await asyncio.sleep(0.2)
        off_s = 0.0
        await asyncio.sleep(2.2)
        assert (await box.archive.find(name)).state is CallState.FINISHED


async def test_recordings_go_on_after_a_bug_in_taking_them(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        take, taken = box.archive.store.jobs.take, 0

        async def fails(kinds: Any, **how: Any) -> jobs.Job | None:
            nonlocal taken
            taken += kinds == [KIND]
            if kinds == [KIND] and taken < 6:
                raise RuntimeError("a bug")
            return await take(kinds, **how)

        box.archive.store.jobs.take = fails  # type: ignore[method-assign]
        assert await ended(box, await record(box)) is CallState.FINISHED


async def test_what_is_still_to_be_told_to_nobody_ends(tmp_path: Path) -> None:
    """A receiver that was taken out of the settings holds up no deletion."""
    async with gateway(tmp_path) as box:
        store = box.archive.store
        payload = b'{"url": "http://gone.example/", "event": {}}'
        job = await store.jobs.add("webhook", call_id="c", payload=payload)
        async with asyncio.timeout(WITHIN_S):
            while not (dead := await store.jobs.dead("webhook")):
                await asyncio.sleep(0.05)
    assert [each.id for each in dead] == [job]


# --- audio that is kept


@contextlib.contextmanager
def wave_of(data: bytes) -> Iterator[tuple[tuple[str, int, int], bytes]]:
    """What a reader makes of it."""
    header = wav.parse_header(data)
    assert header and header.data_bytes == len(data) - header.data_at
    yield (str(header.coding), header.rate_hz, header.channels), data[header.data_at :]


async def test_kept_audio_comes_back_as_it_came_in(tmp_path: Path) -> None:
    async with gateway(tmp_path, keep_audio_days=1) as box:
        sent = await record(box)
        await ended(box, sent)
        keeper = await box.archive.keep(live())
        assert keeper
        await keeper.hear(alaw(1))
        async with httpx.AsyncClient(base_url=box.http) as client:
            answer = await client.get(f"/api/v1/calls/{sent}/audio")
            running = await client.get("/api/v1/calls/live/audio")
        with wave_of(answer.content) as (shape, frames):
            assert shape == (Encoding.ALAW, 8000, 2) and frames == alaw(3)
        assert answer.headers["content-type"] == "audio/wav"
        assert (running.status_code, running.json()["code"]) == (409, "conflict")
        await keeper.end(Ending(0, 0, "", "", demo=True, cut_short=False))
        kept = b"".join([piece async for piece in box.archive.audio("live")])
        with wave_of(kept) as (_, frames):
            assert frames == alaw(1)


async def test_of_calls_of_one_name_each_is_deleted_by_its_id(tmp_path: Path) -> None:
    async with gateway(tmp_path) as box:
        first, second = [await record(box, call_id="2026-001") for _ in range(2)]
        async with httpx.AsyncClient(base_url=box.http) as client:
            assert (await client.delete("/api/v1/calls/2026-001")).status_code == 409
            assert (await client.delete(f"/api/v1/calls/{first}")).status_code == 204
            assert (await client.delete("/api/v1/calls/2026-001")).status_code == 204
            assert (await client.get(f"/api/v1/calls/{second}")).status_code == 404
