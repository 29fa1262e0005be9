"""What is kept, over SQLite and over PostgreSQL: the same tests."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, and_, create_engine, text, update
from sqlalchemy.exc import DatabaseError, OperationalError

from appliance.errors import Conflict, NotFound, StoreDamaged, StoreUnavailable
from appliance.feed.journal import Journal
from appliance.messages import (
    Attribution,
    CallConfig,
    CallRecord,
    CallState,
    Cue,
    Emotion,
    EmotionEstimate,
    Final,
    Leg,
    LegRole,
    Level,
    SpeakerTurn,
    SpokenWord,
    Utterance,
)
from appliance.metrics import Metrics
from appliance.security.ciphers import CIPHERS, Tampered
from appliance.settings.keeping import StoreSettings
from appliance.store import database, jobs
from appliance.store.calls import Filter, Peak
from appliance.store.claims import claim
from appliance.store.jobs import MOST_ATTEMPTS, JobState, LeaseLost, back_off_s
from appliance.store.schema import calls, events, keys
from appliance.store.store import Store
from tests.postgres import find_programs, postgres

WORDS = (SpokenWord("您", 0, 100, 0.9), SpokenWord("好", 100, 250, 0.8))
FINAL = Final(0, 3, "您好", WORDS, 0, 250, 0.85, 0.0, 0.0, "zh", "cpu", "asr-demo 1", True)
TURNS = Attribution(0, (SpeakerTurn(1, 0, 250),), 250, True, "diarization-demo 1", True)
MOOD = EmotionEstimate(
    *(0, 3, 0, 250, Emotion.FURIOUS, Level.HIGH),
    dict.fromkeys(Emotion, 1 / 7),
    (Cue("word", "气死", 0.6), Cue("sound", "pitch", 0.4)),
    "emotion-demo 1",
    True,
)


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    if find_programs() is None:
        pytest.skip("postgresql is not installed")
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = ""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    made = Store(StoreSettings(folder=tmp_path, url=url), Metrics())
    await made.start()
    yield made
    await empty(made)
    await made.close()


async def empty(store: Store) -> None:
    """One server serves all tests."""
    from appliance.store.schema import main

    def work(connection):  # type: ignore[no-untyped-def]
        for table in reversed(main.sorted_tables):
            connection.execute(table.delete())

    await store.database.write(work)


def record(call_id: str, state: CallState = CallState.FINISHED) -> CallRecord:
    said = Utterance("0.3", 0, 1, LegRole.CITIZEN, "您好", WORDS, 0, 250, 0.85, MOOD)
    return CallRecord(
        *(call_id, "x-1", state, True, "riva", 5.0, 250),
        *((Leg(0, LegRole.CITIZEN, 1),), (said,), True, "zh", "asr-demo 1", True),
    )


# --- calls


async def test_a_call_is_found_by_the_boxs_id_and_by_the_callers(store: Store) -> None:
    await store.calls.create("c1", CallConfig(call_id="x-1"), CallState.RUNNING)
    await store.calls.create("c2", CallConfig(call_id="x-1"), CallState.RUNNING)
    assert (await store.calls.find("c1")).id == "c1"
    assert (await store.calls.find("x-1")).id == "c2", "the newest"
    with pytest.raises(NotFound):
        await store.calls.find("x-2")


async def test_the_journal_comes_back_as_it_was_written(store: Store) -> None:
    await store.calls.create("c1", CallConfig(), CallState.RUNNING)
    for number, event in enumerate((FINAL, TURNS, MOOD), 1):
        await Journal(store.calls).append("c1", number, event)
    assert await Journal(store.calls).read("c1") == [(1, FINAL), (2, TURNS), (3, MOOD)]
    assert await Journal(store.calls).read("c1", after=2) == [(3, MOOD)]
    assert await Journal(store.calls).read("c1", limit=1) == [(1, FINAL)]


async def test_a_call_ends_once(store: Store) -> None:
    await store.calls.create("c1", CallConfig(call_id="x-1"), CallState.RUNNING)
    peak = Peak(Emotion.FURIOUS, Level.HIGH)
    assert await store.calls.finish(record("c1"), peak)
    assert not await store.calls.finish(record("c1", CallState.FAILED), None)
    assert await store.calls.record("c1") == record("c1")
    found = await store.calls.find("c1")
    assert (found.state, found.peak_emotion, found.peak_level) == (
        *(CallState.FINISHED, Emotion.FURIOUS, Level.HIGH),
    )


async def test_config_comes_back(store: Store) -> None:
    config = CallConfig(
        call_id="x", hotwords=("平城区",), leg_roles=(LegRole.AGENT, LegRole.CITIZEN)
    )
    await store.calls.create("c1", config, CallState.QUEUED)
    assert await store.calls.config("c1") == config


async def test_pages_go_through_all_calls_once(store: Store) -> None:
    for number in range(7):
        await store.calls.create(f"c{number}", CallConfig(), CallState.QUEUED)
    seen, after = [], None
    while rows := await store.calls.page(Filter(), 3, after):
        seen += [row.id for row in rows]
        after = (rows[-1].created_at, rows[-1].id)
    assert seen == [f"c{number}" for number in reversed(range(7))]


async def test_filters(store: Store) -> None:
    await store.calls.create("live", CallConfig(call_id="x-1"), CallState.RUNNING)
    await store.calls.create("kept", CallConfig(live=False), CallState.QUEUED)
    await store.calls.finish(record("live"), Peak(Emotion.ANNOYED, Level.MEDIUM))

    async def ids(**wanted: object) -> set[str]:
        return {row.id for row in await store.calls.page(Filter(**wanted), 10)}

    assert await ids(live=True) == {"live"}
    assert await ids(state=CallState.QUEUED) == {"kept"}
    assert await ids(name="x-1") == {"live"}
    assert await ids(least_level=Level.MEDIUM) == {"live"}
    assert await ids(least_level=Level.HIGH) == set()
    assert await ids(since=time.time() - 60) == {"live", "kept"}
    assert await ids(until=time.time() - 60) == set()


async def test_what_is_deleted_cannot_be_opened_any_more(store: Store) -> None:
    await store.calls.create("c1", CallConfig(), CallState.RUNNING)
    await Journal(store.calls).append("c1", 1, FINAL)
    await store.calls.delete(["c1"])
    with pytest.raises(NotFound):
        await store.calls.find("c1")
    with pytest.raises(NotFound):
        await store.ring.get("c1")


async def test_what_a_failed_write_did_is_undone_and_costs_its_neighbours_nothing(
    store: Store,
) -> None:
    async def broken() -> None:
        await store.calls.create("c1", CallConfig(), CallState.QUEUED, fail)

    def fail(_: object) -> None:
        raise Conflict("test", "on purpose")

    good = [store.calls.create(f"g{i}", CallConfig(), CallState.QUEUED) for i in range(20)]
    results = await asyncio.gather(broken(), *good, return_exceptions=True)
    assert isinstance(results[0], Conflict) and not any(results[1:])
    assert len(await store.calls.page(Filter(), 100)) == 20


async def test_an_idempotency_key_is_remembered_with_its_request(store: Store) -> None:
    await store.calls.create("c1", CallConfig(), CallState.QUEUED, claim("me", "k", "print", "c1"))
    assert await store.claims.find("me", "k", "print") == "c1"
    assert await store.claims.find("you", "k", "other") is None
    with pytest.raises(Conflict):
        await store.claims.find("me", "k", "other")


# --- jobs


async def queue(store: Store, *names: str, **fields: object) -> None:
    for name in names:
        await store.jobs.add("recording", call_id=name, job_id=name, **fields)


async def test_a_key_that_is_shredded_while_it_is_read_is_not_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = store.ring
    await ring.make("c")
    ring.forget_all()
    read = ring._database.read

    async def slowly(work: Callable[[Connection], object]) -> object:
        row = await read(work)
        ring.forget(["c"])  # another gateway has shredded it, and says so
        return row

    with monkeypatch.context() as slow:
        slow.setattr(ring._database, "read", slowly)
        await ring.get("c")  # it was there when it was asked for
    assert "c" not in ring._known


async def test_the_most_urgent_job_comes_first_and_only_once(store: Store) -> None:
    await queue(store, "later")
    await queue(store, "urgent", priority=0)
    await queue(store, "not yet", priority=0, delay_s=60)
    taken = [await store.jobs.take(["recording"]) for _ in range(3)]
    assert [job and job.id for job in taken] == ["urgent", "later", None]


async def test_many_runners_share_the_queue(store: Store) -> None:
    names = [f"j{i}" for i in range(60)]
    await queue(store, *names)
    taken: list[str] = []

    async def run() -> None:
        while job := await store.jobs.take(["recording"]):
            taken.append(job.id)
            await store.jobs.done(job)

    await asyncio.gather(*(run() for _ in range(8)))
    assert sorted(taken) == sorted(names)


async def test_a_job_whose_runner_died_is_taken_again(store: Store) -> None:
    await queue(store, "j")
    first = await store.jobs.take(["recording"])
    assert first and await store.jobs.take(["recording"]) is None
    store.jobs.owner = "another gateway"
    assert await store.jobs.abandon_leases() == 1  # nobody has joined
    again = await store.jobs.take(["recording"])
    assert again and again.id == "j" and again.attempts == 2
    store.jobs.owner = first.owner
    with pytest.raises(LeaseLost):
        await store.jobs.done(first)


async def test_a_lease_is_left_to_a_gateway_that_lives(store: Store) -> None:
    await store.gateways.join()
    await queue(store, "j")
    assert await store.jobs.take(["recording"])
    assert await store.jobs.abandon_leases() == 0
    await store.gateways.leave()
    assert await store.jobs.abandon_leases() == 1


async def test_a_lease_renewed_a_moment_ahead_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes reads the clock, and looks a moment later."""
    await store.gateways.join()
    await queue(store, "j")
    job = await store.jobs.take(["recording"])
    assert job
    with monkeypatch.context() as late:
        late.setattr(jobs, "clock", lambda connection: time.time() + 0.2)
        await store.jobs.renew(job, 0.5)
    assert await store.jobs.take(["recording"]) is None


async def test_a_clock_set_back_makes_no_job_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_s = 86_400.0
    with monkeypatch.context() as ahead:
        ahead.setattr(jobs, "clock", lambda connection: time.time() + day_s)
        await queue(store, "queued")
        await queue(store, "leased")
        assert await store.jobs.take(["recording"])
    again = [await store.jobs.take(["recording"]) for _ in range(3)]
    assert all(again[:2]) and again[2] is None
    first = again[0]
    assert first
    await store.jobs.failed(first, "later", retry=True, after_s=60)
    assert await store.jobs.take(["recording"]) is None  # its pause counts again


async def test_what_was_lost_is_not_stored(store: Store) -> None:
    await store.calls.create("c1", CallConfig(), CallState.RUNNING)
    await queue(store, "c1")
    job = await store.jobs.take(["recording"])
    assert job
    await store.database.write(jobs.cancelling("c1", "recording"))
    with pytest.raises(LeaseLost):
        await store.calls.finish(record("c1"), None, store.jobs.ended(job))
    assert (await store.calls.find("c1")).state is CallState.RUNNING


async def test_a_failing_job_is_tried_again_later_and_dies_in_the_end(store: Store) -> None:
    await queue(store, "j")
    for attempt in range(1, MOST_ATTEMPTS + 1):
        await make_due(store)
        job = await store.jobs.take(["recording"])
        assert job and job.attempts == attempt
        assert await store.jobs.failed(job, "no luck") is (attempt < MOST_ATTEMPTS)
        assert await store.jobs.take(["recording"]) is None, "it waits"
    (dead,) = await store.jobs.dead("recording")
    assert dead.error == "no luck" and dead.state is JobState.DEAD


async def make_due(store: Store) -> None:
    from appliance.store.schema import jobs as table

    await store.database.write(lambda c: c.execute(table.update().values(due_at=0.0)))


async def test_a_job_given_back_has_not_been_tried(store: Store) -> None:
    await queue(store, "j")
    job = await store.jobs.take(["recording"])
    assert job
    await store.jobs.released(job)
    again = await store.jobs.take(["recording"])
    assert again and again.attempts == 1


def test_pauses_grow_to_a_limit() -> None:
    assert 0.5 <= back_off_s(1) <= 1.5
    assert 300 <= back_off_s(30) <= 900


# --- keys, vault, folder


@pytest.mark.parametrize("cipher", list(CIPHERS.values()), ids=list(CIPHERS))
def test_sealed_data_opens_only_whole_and_in_its_place(cipher) -> None:  # type: ignore[no-untyped-def]
    key = bytes(cipher.key_bytes)
    sealed = cipher.seal(key, "您好".encode(), b"call 1")
    assert cipher.open(key, sealed, b"call 1").decode() == "您好"
    assert sealed != cipher.seal(key, "您好".encode(), b"call 1"), "nonces are fresh"
    altered = bytes([sealed[-1] ^ 1])
    for bad in (sealed[:-1], sealed[:20], b"", sealed[:-1] + altered):
        with pytest.raises(Tampered):
            cipher.open(key, bad, b"call 1")
    with pytest.raises(Tampered):
        cipher.open(key, sealed, b"call 2")


async def test_audio_comes_back_chunk_by_chunk(store: Store) -> None:
    audio = bytes(range(256)) * 4000
    cipher, key = await store.ring.make("c1:audio")
    writer = store.vault.writer("c1", cipher, key)
    for at in range(0, len(audio), 70_001):
        await writer.write(audio[at : at + 70_001])
    await writer.finish()
    assert b"".join([chunk async for chunk in store.audio("c1")]) == audio
    assert audio[:64] not in store.vault.path("c1").read_bytes()
    await store.drop_audio(["c1"])
    with pytest.raises(NotFound):
        [chunk async for chunk in store.audio("c1")]


async def test_audio_that_broke_off_comes_back_as_far_as_it_was_flushed(store: Store) -> None:
    writer = store.vault.writer("c1", *await store.ring.make("c1:audio"))
    await writer.write(b"one")
    await writer.flush()
    await writer.write(b"two")
    writer.close()
    assert b"".join([chunk async for chunk in store.audio("c1", whole=False)]) == b"one"
    with pytest.raises(StoreDamaged, match="breaks off"):
        [chunk async for chunk in store.audio("c1")]


@pytest.mark.parametrize("damage", ["cut", "length"])
async def test_audio_whose_end_is_missing_never_passes_for_whole(store: Store, damage: str) -> None:
    writer = store.vault.writer("c1", *await store.ring.make("c1:audio"))
    await writer.write(bytes(600_000))
    await writer.finish()
    path = store.vault.path("c1")
    sealed = bytearray(path.read_bytes())
    frame = 4 + int.from_bytes(sealed[:4], "big")
    if damage == "cut":
        del sealed[frame:]
    else:
        sealed[frame] ^= 0x80
    path.write_bytes(sealed)
    with pytest.raises(StoreDamaged, match="breaks off"):
        [chunk async for chunk in store.audio("c1")]


async def test_audio_is_kept_once_though_a_flush_is_cancelled(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store.vault.writer("c1", *await store.ring.make("c1:audio"))
    seal = writer._seal

    def slow(plain: bytes, *, last: bool) -> None:
        time.sleep(0.2)
        seal(plain, last=last)

    monkeypatch.setattr(writer, "_seal", slow)
    await writer.write(b"a" * 1000)
    flushing = asyncio.create_task(writer.flush())
    await asyncio.sleep(0.05)
    flushing.cancel()
    await writer.finish()
    assert b"".join([chunk async for chunk in store.audio("c1")]) == b"a" * 1000


async def test_altered_audio_is_refused(store: Store) -> None:
    writer = store.vault.writer("c1", *await store.ring.make("c1:audio"))
    await writer.write(b"words")
    await writer.finish()
    path = store.vault.path("c1")
    sealed = bytearray(path.read_bytes())
    sealed[-1] ^= 1
    path.write_bytes(sealed)
    with pytest.raises(StoreDamaged, match="altered"):
        [chunk async for chunk in store.audio("c1")]


async def test_two_gateways_do_not_share_a_folder(store: Store, tmp_path: Path) -> None:
    second = Store(StoreSettings(folder=tmp_path), Metrics())
    with pytest.raises(StoreUnavailable, match="another gateway"):
        await second.start()
    await second.close()


async def test_a_store_opens_again_with_all_it_held(tmp_path: Path) -> None:
    settings = StoreSettings(folder=tmp_path, cipher="sm4-gcm")
    first = Store(settings, Metrics())
    await first.start()
    await first.calls.create("c1", CallConfig(call_id="x"), CallState.RUNNING)
    await Journal(first.calls).append("c1", 1, FINAL)
    await first.close()
    second = Store(StoreSettings(folder=tmp_path), Metrics())  # another cipher for new calls
    await second.start()
    assert await Journal(second.calls).read("c1") == [(1, FINAL)]
    await second.close()


async def test_a_wrong_master_key_says_so(tmp_path: Path) -> None:
    first = Store(StoreSettings(folder=tmp_path), Metrics())
    await first.start()
    await first.calls.create("c1", CallConfig(), CallState.RUNNING)
    await first.close()
    (tmp_path / "master.key").write_bytes(bytes(32))
    for missing in (False, True):
        second = Store(StoreSettings(folder=tmp_path), Metrics())
        with pytest.raises(StoreUnavailable, match="restore it" if missing else "master_key"):
            await second.start()
        await second.close()
        (tmp_path / "master.key").unlink(missing_ok=True)
    assert not (tmp_path / "master.key").exists()


async def test_the_server_may_end_all_sessions(postgres_url: str, tmp_path: Path) -> None:
    first = Store(StoreSettings(folder=tmp_path / "a", url=postgres_url), Metrics())
    await first.start()
    everybody_else = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
    ended = create_engine(postgres_url)
    with ended.connect() as connection:
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        assert connection.scalar(text(idle)) == 0, "a server may end such sessions by itself"
        connection.execute(text(f"{everybody_else} pg_backend_pid() AND datname IS NOT NULL"))
    ended.dispose()
    assert await first.database.write(lambda c: 1) == 1
    await first.close()


async def test_gateways_that_start_together_migrate_once(tmp_path: Path) -> None:
    if find_programs() is None:
        pytest.skip("postgresql is not installed")
    with postgres() as url:
        settings = [StoreSettings(folder=tmp_path / each, url=url) for each in "abcd"]
        stores = [Store(each, Metrics()) for each in settings]
        await asyncio.gather(*(each.start() for each in stores))
        assert len({each.gateways.me for each in stores}) == 4
        await asyncio.gather(*(each.close() for each in stores))


def on_disk(database: Path) -> bytes:
    """The file and its log."""
    both = (database, database.with_name(f"{database.name}-wal"))
    return b"".join(path.read_bytes() for path in both if path.exists())


async def test_a_shredded_key_leaves_the_log_once_nobody_reads_it(tmp_path: Path) -> None:
    store = Store(StoreSettings(folder=tmp_path), Metrics())
    await store.start()
    await store.ring.make("call")
    path = tmp_path / "keys.db"
    with contextlib.closing(sqlite3.connect(path)) as reader:  # another process, as a backup is
        reader.execute("BEGIN")
        (wrapped,) = reader.execute("SELECT wrapped FROM keys").fetchone()
        await store.ring.shred(["call"])
        assert wrapped in on_disk(path)
        reader.execute("ROLLBACK")
        await store.ring.settle()
        assert wrapped not in on_disk(path)
    await store.close()


async def test_an_error_without_words_is_answered_too(store: Store) -> None:
    def wordless(_: Connection) -> None:
        raise OperationalError("INSERT", {}, MemoryError())

    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable, match="is the disk full"):
            await store.database.write(wordless)
        assert await store.database.write(lambda c: 3) == 3


async def test_any_error_of_the_database_is_told_as_one(store: Store) -> None:
    """SQLite's "malformed" is no OperationalError."""

    def malformed(_: Connection) -> None:
        raise DatabaseError("SELECT", {}, Exception("database disk image is malformed"))

    for ask in (store.database.read, store.database.write):
        with pytest.raises(StoreUnavailable, match="malformed"):
            await ask(malformed)


async def test_one_damaged_key_is_no_wrong_master_key(tmp_path: Path) -> None:
    first = Store(StoreSettings(folder=tmp_path), Metrics())
    await first.start()
    for name in ("c1", "c2"):
        await first.calls.create(name, CallConfig(), CallState.RUNNING)
    await first._keys.write(
        lambda c: c.execute(update(keys).where(keys.c.call_id == "c2").values(wrapped=bytes(60)))
    )
    await first.close()
    second = Store(StoreSettings(folder=tmp_path), Metrics())
    await second.start()
    assert await second.calls.config("c1") == CallConfig()
    with pytest.raises(StoreDamaged, match="key"):
        await second.calls.config("c2")
    await second.close()


async def test_a_job_with_a_name_is_queued_once(store: Store) -> None:
    for _ in range(2):
        assert await store.jobs.add("webhook", job_id="alert 1") == "alert 1"
    assert (await store.jobs.counts())["webhook", "queued"] == 1


async def test_a_write_that_the_disk_refuses_is_answered_and_so_are_its_neighbours(
    store: Store,
) -> None:
    def refuse(_: Connection) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    async with asyncio.timeout(10):
        together = (store.database.write(work) for work in (lambda c: 1, refuse, lambda c: 2))
        answers = await asyncio.gather(*together, return_exceptions=True)
        assert any(isinstance(answer, StoreUnavailable) for answer in answers)
        assert await store.database.write(lambda c: 3) == 3


async def test_a_locked_database_fails_writes_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    store = Store(StoreSettings(folder=tmp_path), Metrics())
    await store.start()
    other = sqlite3.connect(tmp_path / "lingting.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.database.write(lambda c: 1)
        other.execute("ROLLBACK")
        assert await store.database.write(lambda c: 1) == 1
    other.close()
    await store.close()


async def test_what_is_damaged_is_told_and_costs_the_rest_nothing(store: Store) -> None:
    await store.calls.create("c1", CallConfig(), CallState.RUNNING)
    for number in (1, 2, 3):
        await Journal(store.calls).append("c1", number, FINAL)

    def spoil(connection: Connection) -> None:
        second = and_(events.c.call_id == "c1", events.c.sequence == 2)
        connection.execute(update(events).where(second).values(body=bytes(64)))
        connection.execute(update(calls).values(config=bytes(64)))

    await store.database.write(spoil)
    assert [number for number, _ in await Journal(store.calls).read("c1")] == [1, 3]
    with pytest.raises(StoreDamaged, match="config"):
        await store.calls.config("c1")
    assert await store.calls.fail("c1", "its config is damaged")
    assert (await store.calls.find("c1")).state is CallState.FAILED


async def test_a_call_is_kept_while_it_is_still_to_be_told(store: Store) -> None:
    await store.calls.create("c1", CallConfig(), CallState.RUNNING)
    await store.calls.finish(record("c1"), None)
    job = await store.jobs.add("webhook", call_id="c1")
    assert await store.calls.older_than(time.time() + 1, 10) == []
    taken = await store.jobs.take(["webhook"])
    assert taken and taken.id == job
    await store.jobs.done(taken)
    assert await store.calls.older_than(time.time() + 1, 10) == ["c1"]


async def test_hotline_systems_take_turns(store: Store) -> None:
    for tenant, count in (("a", 5), ("b", 2)):
        for number in range(count):
            name = f"{tenant}{number}"
            await store.calls.create(name, CallConfig(tenant=tenant), CallState.QUEUED)
            await store.jobs.add("recording", call_id=name)
    taken = [await store.jobs.take(["recording"], fair=True) for _ in range(7)]
    order = "".join(job.call_id[0] for job in taken if job)
    assert sorted(order[:4]) == ["a", "a", "b", "b"] and order == order[:4] + "aaa"
    assert await store.jobs.take(["recording"], fair=True) is None


async def test_nothing_said_is_on_the_disk(tmp_path: Path) -> None:
    store = Store(StoreSettings(folder=tmp_path), Metrics())
    await store.start()
    await store.calls.create("c1", CallConfig(hotwords=("秘密词",)), CallState.RUNNING)
    await Journal(store.calls).append("c1", 1, FINAL)
    await store.calls.finish(record("c1"), None)
    await store.close()
    said = [word.encode() for word in ("您好", "秘密词", "气死")]
    said += [re.sub(rb"\\u", b"", word.encode("unicode_escape")) for word in ("您好",)]
    held = {path: path.read_bytes() for path in files(tmp_path)}
    assert len(held) > 2
    assert not [path for path, data in held.items() if any(word in data for word in said)]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_sqlite_survives_a_power_cut_by_its_settings(tmp_path: Path) -> None:
    store = Store(StoreSettings(folder=tmp_path), Metrics())
    await store.start()

    def pragmas(connection):  # type: ignore[no-untyped-def]
        names = ("journal_mode", "synchronous", "secure_delete")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await store.database.write(pragmas) == ["wal", 2, 1]
    await store.close()
    with sqlite3.connect(tmp_path / "lingting.db") as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert {"calls", "events", "jobs"} <= tables and "keys" not in tables


async def test_the_schema_is_what_the_migrations_make(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from appliance.store.schema import main

    def differences(connection):  # type: ignore[no-untyped-def]
        options = {"include_object": lambda o, name, *_: name != "keys"}
        return compare_metadata(MigrationContext.configure(connection, opts=options), main)

    assert await store.database.read(differences) == []
