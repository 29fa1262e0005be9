"""The box stops right after a recording was heard."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.recordings.recordings import Recordings
from appliance.settings.calls import LimitsSettings


async def test_its_audio_is_gone_all_the_same() -> None:
    gone: list[str] = []

    async def drop_audio(calls: list[str]) -> None:
        await asyncio.sleep(0.05)
        gone.extend(calls)

    keeping = SimpleNamespace(keep_audio_days=0)
    store: Any = SimpleNamespace(jobs=None, settings=keeping, drop_audio=drop_audio)
    box: Any = SimpleNamespace(settings=SimpleNamespace(limits=LimitsSettings()))
    running: Any = None
    dropping = asyncio.create_task(Recordings(store, box, running)._drop_audio("a"))
    await asyncio.sleep(0)
    dropping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropping
    assert gone == ["a"]
