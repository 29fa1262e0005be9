"""`lingting triton` follows what the gateway wants served, and goes on trying."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from appliance.cli import engines
from appliance.engine.lineup import Variants
from appliance.errors import EngineUnavailable
from appliance.models.lineup import FILE
from appliance.settings import Settings
from appliance.settings.engines import ModelsSettings


class FailingTriton:
    """A Triton that fails to load what it is told so often."""

    def __init__(self, failures: int) -> None:
        self.failures, self.bases, self.variants = failures, list[Path](), list[Variants]()

    async def rebase(self, bundle: Path) -> None:
        if self.failures:
            self.failures -= 1
            raise EngineUnavailable("load a model into Triton", "no memory", "wait")
        self.bases.append(bundle)

    async def serve(self, variants: Variants) -> None:
        self.variants.append(variants)


@pytest.mark.parametrize("failures", [0, 2])
async def test_a_base_that_failed_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_bundle: Path, failures: int
) -> None:
    monkeypatch.setattr(engines, "FOLLOW_S", 0.01)
    began = Settings(models=ModelsSettings(library=tmp_path))
    (tmp_path / FILE).write_text("{}", encoding="utf-8")
    wanted = began.model_copy(
        update={"models": began.models.model_copy(update={"asr": tiny_bundle})}
    )
    beside: Variants = {"town+1": tiny_bundle}
    monkeypatch.setattr(engines, "_serving", lambda since: (wanted, beside))
    server = FailingTriton(failures)
    following = asyncio.create_task(engines._follow(began, cast(Any, server)))
    async with asyncio.timeout(10):
        while not server.variants:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # nothing changes, nothing is done
    following.cancel()
    assert server.bases == [tiny_bundle] and server.variants == [beside]
