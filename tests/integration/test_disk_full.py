"""A full disk sheds recordings first, then audio; never a final."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from appliance.errors import NotFound, StoreUnavailable
from appliance.store import vault
from appliance.store.calls import Calls
from appliance.store.store import Store
from inference.adaptation.augment import encode_alaw, music
from tests.integration.gateway import alaw, gateway
from tests.integration.test_api_v1 import RAW, live_call, problem


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_recordings_are_refused_while_calls_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        monkeypatch.setattr(Store, "has_room", lambda self: False)
        refused = await client.post("/api/v1/recordings", files={"file": ("x", alaw(2))}, data=RAW)
        assert "disk" in problem(refused, 429)["detail"] and "retry-after" in refused.headers
        await live_call(box, "goes-on", 9)
        call = (await client.get("/api/v1/calls/goes-on")).json()
        assert call["state"] == "finished" and call["utterances"]


async def test_an_upload_that_fills_the_disk_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        monkeypatch.setattr(vault.os, "fsync", full)
        refused = await client.post("/api/v1/recordings", files={"file": ("x", alaw(2))}, data=RAW)
        problem(refused, 503)
        monkeypatch.undo()
        assert (await client.get("/api/v1/calls")).json()["calls"] == []
        assert not list((tmp_path / "store" / "audio").rglob("*.audio"))


async def test_a_live_call_sheds_its_audio_and_keeps_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path, keep_audio_days=1) as box:
        monkeypatch.setattr(vault.Writer, "_seal", full_disk(vault.Writer._seal))
        await live_call(box, "shed", 9)
        monkeypatch.undo()
        async with httpx.AsyncClient(base_url=box.http) as client:
            call = (await client.get("/api/v1/calls/shed")).json()
            metrics = (await client.get("/metrics")).text
    assert call["state"] == "finished" and call["utterances"]
    assert "lingting_audio_shed_total 1.0" in metrics


def full_disk(_: Callable[..., None]) -> Callable[..., None]:
    def refuse(*__: Any, **___: Any) -> None:
        raise StoreUnavailable("keep audio", "No space left on device")

    return refuse


async def test_a_final_that_cannot_be_journalled_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("write to the database", "database or disk is full")

    async with gateway(tmp_path) as box:
        monkeypatch.setattr(Calls, "append", refuse)
        told: list[str] = []

        async def watch() -> None:
            async with asyncio.timeout(20):
                while True:
                    try:
                        async for each in box.archive.watch("full", partials=False):
                            told.append(type(each.event).__name__)
                        return
                    except NotFound:  # it has not begun
                        await asyncio.sleep(0.01)

        watching = asyncio.create_task(watch())
        await live_call(box, "full", 9)
        await watching
        async with httpx.AsyncClient(base_url=box.http) as client:
            call = (await client.get("/api/v1/calls/full")).json()
            metrics = (await client.get("/metrics")).text
    assert "Final" in told and told[-1] == "Ended"
    assert call["state"] == "finished" and call["utterances"], "the record holds them"
    assert "lingting_journal_failures_total 0.0" not in metrics


async def test_music_and_noise_have_no_words_and_harm_nobody(tmp_path: Path) -> None:
    tune = music(np.random.default_rng(3), 20 * 8000)
    both = bytes(byte for sample in encode_alaw(tune) for byte in (sample, 0xD5))
    async with gateway(tmp_path) as box, httpx.AsyncClient(base_url=box.http) as client:
        sent = await client.post("/api/v1/recordings", files={"file": ("m", both)}, data=RAW)
        async with asyncio.timeout(30):
            while (await client.get(f"/api/v1/recordings/{sent.json()['id']}")).json()[
                "state"
            ] != "finished":
                await asyncio.sleep(0.05)
        many = await client.post(
            "/api/v1/recordings",
            files={"file": ("m", both)},
            data={**RAW, "max_speakers": "30"},
        )
        assert problem(many, 400)["param"] == "max_speakers"
