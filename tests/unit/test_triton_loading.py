"""A Triton elsewhere is told to load something, and is waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.engine.triton import TritonEngine
from appliance.errors import EngineUnavailable
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.engines import TritonSettings


def remote(monkeypatch: pytest.MonkeyPatch, *answers: bool) -> TritonEngine:
    """One that answers so, the last time and again."""
    triton = TritonSettings(mode="remote", address="127.0.0.1:1", start_timeout_s=1)
    engine, left = TritonEngine(Settings(triton=triton), Metrics()), list(answers)

    async def asked(self: Any) -> bool:
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(TritonEngine, "_answers", asked)
    return engine


async def test_one_that_dies_of_a_bundle_has_not_loaded_it(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path
) -> None:
    engine = remote(monkeypatch, True, False)
    with pytest.raises(EngineUnavailable, match="is missing"):
        await engine.serve({"town+1": tiny_bundle})
    engine = remote(monkeypatch, True, False)
    with pytest.raises(EngineUnavailable, match="does not serve tiny"):
        await engine.rebase(tiny_bundle)


async def test_one_that_is_down_follows_later(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path
) -> None:
    engine = remote(monkeypatch, False)
    await engine.serve({"town+1": tiny_bundle})
    await engine.serve({})  # what goes is waited for by nobody
