"""Gateway and workers killed at random points: accepted recordings end once, finals are kept."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from tests.callers import Uploader, listed
from tests.daemon import DEMO_CALL, Daemon, as_pcm, daemon

RECORDINGS = int(os.environ.get("RECORDINGS", "120"))
KILLS = 4
RECORDING_S = 3
WITHIN_S = 60.0 + RECORDINGS / 2
QUICKLY = {"LINGTING_TRITON__MODE": "off", "LINGTING_CPU__WORKERS": "1"}
OVER = {"finished", "failed", "cancelled"}


def kill_a_worker(box: Daemon, rng: random.Random) -> int:
    """One of the processes that run the models; 0 if there was none yet."""
    workers = psutil.Process(box.process.pid).children(recursive=True)
    with contextlib.suppress(psutil.NoSuchProcess, IndexError):
        rng.choice(workers).kill()
        return 1
    return 0


def kill(box: Daemon) -> None:
    """As a power cut would, but for the disk."""
    box.process.send_signal(signal.SIGKILL)
    box.process.wait()


@pytest.mark.timeout(300)
def test_recordings_survive_kills_at_random_points(tmp_path: Path) -> None:
    rng, workers_killed = random.Random(5), 0
    database = tmp_path / "store" / "lingting.db"
    uploader = Uploader(count=RECORDINGS, seconds=RECORDING_S)
    for attempt in range(KILLS + 1):
        with daemon(tmp_path, **QUICKLY) as box:
            uploader.url = box.url
            if attempt == 0:
                uploader.start()
            if attempt < KILLS:
                for _ in range(rng.randint(1, 2)):
                    time.sleep(rng.uniform(0.3, 1.5))
                    workers_killed += kill_a_worker(box, rng)
                time.sleep(rng.uniform(0, 0.5))
                kill(box)
                continue
            assert workers_killed
            uploader.join(WITHIN_S)
            assert len(uploader.accepted) == RECORDINGS
            deadline = time.monotonic() + WITHIN_S
            while {str(call["state"]) for call in listed(box.url)} - OVER or jobs_left(database):
                assert time.monotonic() < deadline, Counter(c["state"] for c in listed(box.url))
                time.sleep(0.3)
            calls = list(listed(box.url))
            assert {call["id"] for call in calls} == set(uploader.accepted.values()), "none twice"
            assert Counter(call["state"] for call in calls) == {"finished": RECORDINGS}
            assert_whole(box.url, uploader)
    assert_each_job_ended_once(database)
    assert not list((tmp_path / "store" / "audio").rglob("*.audio")), "no audio is left behind"


def assert_whole(url: str, uploader: Uploader) -> None:
    """Some of the calls, read: each is its own recording."""
    for number in range(0, RECORDINGS, max(1, RECORDINGS // 10)):
        call = httpx.get(f"{url}/api/v1/calls/{uploader.accepted[number]}", timeout=30).json()
        assert call["call_id"] == f"n-{number}"
        assert call["duration_ms"] == pytest.approx(RECORDING_S * 1000, abs=50)


def jobs_left(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        left = connection.execute("SELECT count(*) FROM jobs WHERE state != 'done'").fetchone()[0]
    return int(left)


def assert_each_job_ended_once(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        ended = connection.execute("SELECT kind, state, count(*) FROM jobs GROUP BY kind, state")
        jobs = {kind: (state, count) for kind, state, count in ended}
        doubled = connection.execute(
            "SELECT call_id FROM jobs GROUP BY call_id, kind HAVING count(*) > 1"
        ).fetchall()
    done = ("done", RECORDINGS)
    state, dangers = jobs.pop("after.emergencies", ("done", 0))
    assert state == "done" and dangers <= RECORDINGS, "owed by calls alone that tell of a danger"
    afterwards = {f"after.{name}": done for name in ("knowledge", "orders", "quality")}
    assert jobs == {"recording": done, **afterwards}, "heard, and all that follows from it"
    assert not doubled


def test_a_live_call_cut_off_by_a_kill_is_finished_from_its_journal(tmp_path: Path) -> None:
    pcm = as_pcm(DEMO_CALL, tmp_path / "call.wav", 30)
    flags = ("--separate-channels", "--simulate-realtime", "--metadata", "x-call-id", "cut-1")
    with daemon(tmp_path, **QUICKLY) as box:
        client = box.client("stream", "--file", str(pcm), *flags)
        deadline = time.monotonic() + 60
        while box.metric("lingting_finals_total", engine="cpu") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kill(box)
        out, _ = client.communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    told = [
        (line["channel"], line["text"].strip())
        for line in lines
        if line["event"] == "result" and line["is_final"] and line["text"].strip()
    ]
    assert told, "the caller was told some finals before the kill"
    with daemon(tmp_path, **QUICKLY) as box:
        call = httpx.get(f"{box.url}/api/v1/calls/cut-1", timeout=30).json()
    kept = [(said["leg"], said["text"]) for said in call["utterances"]]
    assert call["state"] == "finished" and call["cut_short"] and call["notes"]
    assert Counter(told) - Counter(kept) == Counter(), "what was told is in the journal"
    assert len(kept) == len(set(kept)), "no final twice"
