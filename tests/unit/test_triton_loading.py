"""A Triton elsewhere is told to load something, and is waited for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tritonclient.utils import InferenceServerException

from appliance.engine import triton
from appliance.engine.triton import TritonEngine
from appliance.errors import EngineUnavailable
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.engines import ModelsSettings, TritonSettings
from inference.bundles import load_manifest
from inference.tensors import ASR_MODEL, ModelCard

VARIANT = f"{ASR_MODEL}.town+1"


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


class Elsewhere:
    """A Triton's models: those it has, and those of them that answer too late."""

    def __init__(self, *names: str) -> None:
        self.names, self.late = {*names}, set[str]()
        self.called: tuple[str, str] | None = None  # else by their names

    async def infer(self, *args: Any) -> list[dict[str, Any]]:
        model = args[-1]
        if model in self.late:
            raise InferenceServerException("late", status="StatusCode.DEADLINE_EXCEEDED")
        if model not in self.names:
            raise InferenceServerException("unknown model", status="StatusCode.NOT_FOUND")
        name, version = self.called or (model, "1")
        return [ModelCard(name, version, "MIT", languages=("zh",)).pack()]


async def started(monkeypatch: pytest.MonkeyPatch, there: Elsewhere, bundle: Path) -> TritonEngine:
    """With a bundle beside the base."""
    monkeypatch.setattr(triton, "SEEK_S", 0.01)
    addressed = TritonSettings(mode="remote", address="127.0.0.1:1", start_timeout_s=1)
    engine = TritonEngine(Settings(triton=addressed), Metrics())
    monkeypatch.setattr(engine, "_infer", there.infer)
    await engine.start()
    await engine.serve({"town+1": bundle})
    return engine


async def test_what_comes_after_the_base_is_found(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path
) -> None:
    """Its service begins anew: the base answers first, and calls must not stay with it."""
    there = Elsewhere(ASR_MODEL, VARIANT)
    engine = await started(monkeypatch, there, tiny_bundle)
    there.names = {ASR_MODEL}
    await engine.close()
    await engine.start()
    with pytest.raises(EngineUnavailable):
        engine.card(VARIANT)
    there.names = {ASR_MODEL, VARIANT}
    async with asyncio.timeout(10):
        while VARIANT not in engine._cards:
            await asyncio.sleep(0.01)
    await engine.close()


async def test_one_that_is_only_late_is_kept(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path
) -> None:
    there = Elsewhere(ASR_MODEL, VARIANT)
    engine = await started(monkeypatch, there, tiny_bundle)
    there.late = {ASR_MODEL, VARIANT}
    await engine.serve({"town+1": tiny_bundle})
    assert engine.card(VARIANT).name == VARIANT and engine.card().name == ASR_MODEL
    await engine.close()


async def test_one_that_still_has_the_base_before_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path
) -> None:
    """Of a library: its service follows what was activated a moment after the gateway began."""
    there = Elsewhere(ASR_MODEL)
    addressed = TritonSettings(mode="remote", address="127.0.0.1:1", start_timeout_s=5)
    models = ModelsSettings(asr=tiny_bundle, library=tiny_bundle.parent)
    engine = TritonEngine(Settings(triton=addressed, models=models), Metrics())
    monkeypatch.setattr(engine, "_infer", there.infer)
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(0.2)
    assert not starting.done()
    wanted = load_manifest(tiny_bundle)
    there.called = wanted.name, wanted.version
    await starting
    assert engine.card().version == wanted.version
    await engine.close()
