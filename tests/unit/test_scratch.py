"""What is on its way through the box can be read by nobody who takes the disk."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.datastructures import Headers

from appliance.api.http.upload import SealedParser, chunks
from appliance.call.backlog import Backlog
from appliance.call.track import Excerpt
from appliance.errors import Overloaded
from appliance.security.scratch import Reader, Scratch
from tests.unit.test_store import FINAL

SAID = "你好，我姓王。".encode() * 50_000  # over Starlette's megabyte in memory


def on_disk() -> bytes:
    """All that this process's files without a name hold."""
    held = b""
    for opened in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # of the listing itself
            target = str(opened.readlink())
            if target.endswith(" (deleted)"):
                held += opened.read_bytes()
    return held


def test_what_is_written_comes_back_and_is_not_on_the_disk() -> None:
    scratch = Scratch()
    for at in range(0, len(SAID), 1001):
        scratch.write(SAID[at : at + 1001])
    held = on_disk()
    assert len(held) >= len(SAID) and "我姓王".encode() not in held
    for _ in range(2):
        scratch.seek(0)
        assert scratch.read(7) + scratch.read(100) + scratch.read() == SAID
    reader = Reader(scratch.file, scratch.key)  # as ffmpeg reads: from anywhere
    for at in (0, 1, 16, 99_999):
        assert (reader.seek(at), reader.read(33), reader.tell()) == (
            at,
            SAID[at : at + 33],
            at + 33,
        )
    assert reader.seek(-5, os.SEEK_END) and reader.read() == SAID[-5:]
    scratch.close()


def test_it_is_written_before_it_is_read() -> None:
    """A second text under the same key stream would give both away."""
    scratch = Scratch()
    scratch.write(b"one")
    assert scratch.read() == b"one"
    with pytest.raises(ValueError, match="written before"):
        scratch.write(b"two")
    scratch.close()


async def test_what_was_held_before_the_disk_was_full_is_heard_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backlog = Backlog()
    sound = np.full(16_000, 0.25, np.float32)
    await backlog.add(FINAL, Excerpt(sound, 0))
    write = backlog._scratch.write

    def full(_: bytes) -> int:
        raise Overloaded("hold what comes in", "No space left on device")

    monkeypatch.setattr(backlog._scratch, "write", full)
    await backlog.add(FINAL, Excerpt(sound, 1000))
    monkeypatch.setattr(backlog._scratch, "write", write)
    await backlog.add(FINAL, Excerpt(sound, 2000))
    heard = [clip async for _, clip in backlog.read()]
    assert [clip.start_ms for clip in heard] == [0]
    assert np.allclose(heard[0].audio, sound, atol=1e-4)
    backlog.close()


async def test_an_upload_is_sealed_on_its_way() -> None:
    request = httpx.Request("POST", "http://box.example", files={"file": ("a.wav", SAID)})

    async def body() -> AsyncGenerator[bytes, None]:
        yield request.read()

    parsed = await SealedParser(Headers(dict(request.headers)), body()).parse()
    held = on_disk()
    assert len(held) >= len(SAID) and "我姓王".encode() not in held
    file = parsed["file"]
    assert not isinstance(file, str)
    assert b"".join([chunk async for chunk in chunks(file)]) == SAID
    await parsed.close()
