"""What must hold after any fault, whatever it was.

What callers were told is kept; each accepted recording has exactly one end; no final comes twice;
the audit log is whole; nothing that was said lies in the clear.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import httpx

from appliance.security import audit
from tests.callers import Caller, Uploader, alaw, listed

OVER = {"finished", "failed", "cancelled"}
JOB_OVER = {"done", "dead", "cancelled"}
SNIPPET_BYTES = 48  # of audio that is no silence: long enough to be nobody else's
LEAST_TEXT = 5  # characters of a final that would be known again


def wait_until_quiet(url: str, folder: Path, within_s: float = 120) -> None:
    """Until every call has ended, and the jobs that follow calls; `folder` is the store."""
    deadline = time.monotonic() + within_s
    while running := [call for call in listed(url) if call["state"] not in OVER]:
        assert time.monotonic() < deadline, running[:3]
        time.sleep(0.3)
    while waiting := job_states(folder) - JOB_OVER:
        assert time.monotonic() < deadline, waiting
        time.sleep(0.3)


def job_states(folder: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(folder / "lingting.db")) as connection:
        return {row[0] for row in connection.execute("SELECT DISTINCT state FROM jobs")}


def check_calls(url: str, callers: Iterable[Caller]) -> int:
    """What each caller was told is in its call, once; returns how many finals that were."""
    count = 0
    for caller in callers:
        for call_id, told in caller.told.items():
            call = httpx.get(f"{url}/api/v1/calls/{call_id}", timeout=30).json()
            assert call["state"] in OVER, call
            kept = Counter((said["id"], said["leg"]) for said in call["utterances"])
            assert max(kept.values()) == 1, f"{call_id}: a final is kept twice"
            texts = {said["id"]: said["text"] for said in call["utterances"]}
            heard = Counter(each.utterance for each in told)
            assert max(heard.values()) == 1, f"{call_id}: a final was told twice"
            for each in told:
                assert texts.get(each.utterance) == each.text, f"{call_id}: {each} is lost"
            count += len(told)
    return count


def check_recordings(url: str, uploader: Uploader) -> None:
    """Each that was accepted became one call, and that has ended well."""
    calls = [call for call in listed(url) if not call["live"]]
    ids = Counter(call["id"] for call in calls)
    for number, accepted in uploader.accepted.items():
        assert ids[accepted] == 1, f"recording {number} is lost"
    named = Counter(call["call_id"] for call in calls)
    assert max(named.values(), default=1) == 1, "a recording was made twice"
    assert {call["state"] for call in calls} <= {"finished"}


def check_at_rest(folder: Path, callers: Iterable[Caller] = (), *logs: Path) -> None:
    """Of a box that has stopped; `folder` is its store."""
    database = folder / "lingting.db"
    with sqlite3.connect(database) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()
        assert found == ("ok",), f"the database is damaged: {found}"
        doubled = "SELECT kind, call_id FROM jobs GROUP BY kind, call_id HAVING count(*) > 1"
        assert not connection.execute(doubled).fetchall()
    assert (states := job_states(folder)) <= JOB_OVER, states
    verdict = audit.verify(folder / "audit")
    assert verdict.ok, verdict.fault
    said = {each.text for caller in callers for told in caller.told.values() for each in told}
    check_nothing_in_the_clear([folder, *logs], said)


def check_nothing_in_the_clear(places: Iterable[Path], said: Iterable[str]) -> None:
    """Neither the words nor the sound of a call."""
    words = [text for text in said if len(text) >= LEAST_TEXT]
    needles = [text.encode(code) for text in words for code in ("utf-8", "utf-16-le")]
    needles += [text.encode("unicode_escape") for text in words]
    sound = alaw(0, 60)
    for at in range(0, len(sound) - SNIPPET_BYTES, 16_000):
        snippet = sound[at : at + SNIPPET_BYTES]
        if len(set(snippet)) > SNIPPET_BYTES // 3:
            needles.append(snippet)
    assert needles
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                found = next((needle for needle in needles if needle in data), None)
                assert found is None, f"{path} holds {found!r}"
