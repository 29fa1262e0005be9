"""`lingting capacity` measures, writes down, and the next start admits by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon import daemon

TWO_CALLS = ("--most", "2", "--seconds", "5", "--within", "5")
pytestmark = pytest.mark.timeout(300)


def test_what_was_measured_is_what_is_admitted(tmp_path: Path) -> None:
    store = {"LINGTING_STORE__FOLDER": str(tmp_path / "store"), "LINGTING_TRITON__MODE": "off"}
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "capacity", *TWO_CALLS, "--json"],
        env={**os.environ, **store},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["cpu"]["legs"] == 4  # two calls of two legs: all that were tried
    assert "2 at once" in done.stderr
    assert json.loads((tmp_path / "capacity.json").read_text()) == measured
    with daemon(tmp_path, LINGTING_LIMITS__LIVE_LEGS="0", **store) as box:
        box.until_in_use("cpu")
        assert box.metric("lingting_engine_live_legs", engine="cpu") == 4
        assert box.metric("lingting_live_legs_capacity") == 4


def test_an_engine_that_carries_no_call_is_told(tmp_path: Path) -> None:
    store = {"LINGTING_STORE__FOLDER": str(tmp_path / "store"), "LINGTING_CPU__WORKERS": "0"}
    store["LINGTING_FAILOVER__START_TIMEOUT_S"] = "3"
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "capacity", "--engine", "cpu", "--seconds", "5"],
        env={**os.environ, **store},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "cpu" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "capacity.json").exists()
