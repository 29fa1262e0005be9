"""Copies of weights, and whether they fit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.engine import sizing
from appliance.errors import BundleError
from appliance.settings import Settings
from appliance.settings.engines import CpuSettings, ModelsSettings, TritonSettings


def box(folder: Path, weights_mb: float, **triton: object) -> Settings:
    folder.mkdir(exist_ok=True)
    with (folder / "model.bin").open("wb") as file:
        file.truncate(int(weights_mb * 1e6))
    models = ModelsSettings(asr=folder, diarization=None, emotion=None)
    return Settings(
        models=models, triton=TritonSettings(kind="cpu", **triton), cpu=CpuSettings(workers=2)
    )


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    memory = SimpleNamespace(total=8e9, available=6e9)
    monkeypatch.setattr(sizing.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(sizing.os, "cpu_count", lambda: 2)
    return memory


def test_small_weights_are_copied_for_each_core(tmp_path: Path) -> None:
    settings = box(tmp_path / "base", 58)
    assert (sizing.triton_instances(settings), sizing.cpu_workers(settings)) == (2, 2)


def test_large_weights_are_shared(tmp_path: Path) -> None:
    settings = box(tmp_path / "large", 1500)
    assert (sizing.triton_instances(settings), sizing.cpu_workers(settings)) == (1, 1)
    assert sizing.triton_instances(box(tmp_path / "large", 1500, instances=3)) == 3


def test_weights_that_do_not_fit_are_refused_with_what_would(
    tmp_path: Path, machine: SimpleNamespace
) -> None:
    settings = box(tmp_path / "large", 1500)
    sizing.check_memory(settings)
    machine.available = 2e9
    with pytest.raises(BundleError, match=r"large needs some 3\.9 GB.*2\.0 GB are free") as caught:
        sizing.check_memory(settings)
    assert "whisper-base" in str(caught.value)


def test_a_gpu_holds_its_own(tmp_path: Path, machine: SimpleNamespace) -> None:
    settings = box(tmp_path / "large", 1500)
    triton = settings.triton.model_copy(update={"kind": "gpu"})
    machine.available = 2.5e9
    sizing.check_memory(settings.model_copy(update={"triton": triton}))
