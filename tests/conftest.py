"""Fixtures shared by all rooms' tests."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path

import pytest

from appliance.settings import Settings
from appliance.settings.doors import GrpcSettings, HttpSettings
from appliance.settings.engines import CpuSettings, FailoverSettings, ModelsSettings, TritonSettings
from appliance.settings.section import PROJECT
from tests import tiny_whisper

# The small model trained on synthetic speech hears the synthetic call exactly, and quickly; what
# real weights do is for tests/acceptance/test_real_weights.py.
DEMO_SPEAKERS = PROJECT / "bundles" / "diarization-demo"
os.environ.setdefault("LINGTING_MODELS__ASR", str(PROJECT / "bundles" / "asr-demo"))
os.environ.setdefault("LINGTING_MODELS__DIARIZATION", str(DEMO_SPEAKERS))

# Every draw of a test comes from one seed, which is printed; how much is done grows with the scale.
SEED = int(os.environ.get("FAULT_SEED", "1"))
SCALE = int(os.environ.get("FAULT_SCALE", "1"))


def pytest_report_header() -> str:
    return f"faults: seed {SEED}, scale {SCALE}; again: make fault-test SEED={SEED} SCALE={SCALE}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes a real daemon for long, a browser, torch, Java or a machine to install on is slow:
    left out of `make test` but for what is marked quick."""
    for item in items:
        whole = {"acceptance", "faults"} & set(item.path.parts)
        torch = "pyannote_settings" in getattr(item, "fixturenames", ()) or "pyannote" in item.name
        if (whole or torch) and not item.get_closest_marker("quick"):
            item.add_marker("slow")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """At once: whoever cuts a long run off wants to know what had failed by then."""
    if report.failed and not os.environ.get("PYTEST_XDIST_WORKER"):
        print(f"\nfailed: {report.nodeid}", flush=True)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Its own for each test, so that one test alone draws what it drew among the others."""
    print(f"seed {SEED}, scale {SCALE}")  # pytest shows it with a failure
    return random.Random(SEED ^ zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture
def scale() -> int:
    return SCALE


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stock-shaped Whisper of random weights."""
    return tiny_whisper.write(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="session")
def tiny_settings(tiny_bundle: Path) -> Settings:
    """Everything on free ports, the tiny model, quick probes."""
    return Settings(
        grpc=GrpcSettings(port=0),
        http=HttpSettings(port=0),
        models=ModelsSettings(asr=tiny_bundle, diarization=None, emotion=None),
        triton=TritonSettings(address="127.0.0.1:0", threads=1),
        cpu=CpuSettings(threads=1),
        failover=FailoverSettings(canary_interval_s=0.2, successes_to_close=2, dwell_s=0.5),
    )


@pytest.fixture(scope="session")
def voices_settings(tiny_settings: Settings) -> Settings:
    """The demo diarization and emotions too, by ONNX."""
    demo = {"diarization": DEMO_SPEAKERS, "emotion": PROJECT / "bundles" / "emotion-demo"}
    models = tiny_settings.models.model_copy(update=demo)
    return tiny_settings.model_copy(update={"models": models})


@pytest.fixture(scope="session")
def pyannote_settings(voices_settings: Settings) -> Settings:
    """By pyannote.audio itself in Triton."""
    environment = PROJECT / ".venv-pyannote"
    if not (environment / ".ready").exists():
        pytest.fail("pyannote.audio is not set up: make pyannote")
    triton = voices_settings.triton.model_copy(update={"pyannote": environment})
    return voices_settings.model_copy(update={"triton": triton})
