"""The oracle finds what it is there to find."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.callers import Caller, HeardFinal, alaw
from tests.faults import oracle
from tests.integration.gateway import gateway
from tests.integration.test_api_v1 import live_call

WORDS = "我家暖气从上周三开始就不热"


@pytest.fixture
async def rested(tmp_path: Path) -> Path:
    """The store of a box that has had a call and is stopped."""
    async with gateway(tmp_path) as box:
        await live_call(box, "one", 9)
        await asyncio.to_thread(oracle.wait_until_quiet, box.http, tmp_path / "store")
    return tmp_path / "store"


def caller() -> Caller:
    made = Caller("nobody", "127.0.0.1:1")
    made.told = {"one": [HeardFinal(1, "1-1", WORDS)]}
    return made


def test_a_sound_store_passes(rested: Path) -> None:
    oracle.check_at_rest(rested, [caller()])


@pytest.mark.parametrize(
    "leak",
    [
        WORDS.encode(),
        json.dumps({"text": WORDS}).encode(),
        WORDS.encode("utf-16-le"),
        alaw(3, 2),
    ],
    ids=["words", "json", "utf-16", "sound"],
)
def test_a_leak_is_found(rested: Path, leak: bytes) -> None:
    (rested / "forgotten.tmp").write_bytes(b"head" + leak + b"tail")
    with pytest.raises(AssertionError, match=r"forgotten\.tmp"):
        oracle.check_at_rest(rested, [caller()])


def test_a_damaged_database_is_found(rested: Path) -> None:
    path = rested / "lingting.db"
    data = bytearray(path.read_bytes())
    data[-4096:] = bytes(b ^ 0x5A for b in data[-4096:])
    path.write_bytes(data)
    with pytest.raises((AssertionError, sqlite3.DatabaseError), match=r"damaged|malformed"):
        oracle.check_at_rest(rested, [caller()])


def test_a_cut_audit_log_is_found(rested: Path) -> None:
    path = next((rested / "audit").glob("audit-*.jsonl"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(AssertionError):
        oracle.check_at_rest(rested, [caller()])


@pytest.mark.parametrize("lost", [True, False])
async def test_a_final_that_is_not_kept_is_found(tmp_path: Path, lost: bool) -> None:
    async with gateway(tmp_path) as box:
        await live_call(box, "one", 9)
        async with httpx.AsyncClient(base_url=box.http) as client:
            said = (await client.get("/api/v1/calls/one")).json()["utterances"]
        made = caller()
        made.told = {"one": [HeardFinal(each["leg"], each["id"], each["text"]) for each in said]}
        assert await asyncio.to_thread(oracle.check_calls, box.http, [made]) == len(said)
        if lost:
            made.told["one"].append(HeardFinal(1, "1-99", WORDS))
        else:
            made.told["one"].append(made.told["one"][0])
        with pytest.raises(AssertionError, match="lost" if lost else "twice"):
            await asyncio.to_thread(oracle.check_calls, box.http, [made])
