"""Every draw comes from one seed, which is printed; how much is done grows with the scale."""

from __future__ import annotations

import os
import random
import zlib

import pytest

SEED = int(os.environ.get("FAULT_SEED", "1"))
SCALE = int(os.environ.get("FAULT_SCALE", "1"))


def pytest_report_header() -> str:
    return f"faults: seed {SEED}, scale {SCALE}; again: make fault-test SEED={SEED} SCALE={SCALE}"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Its own for each test, so that one test alone draws what it drew among the others."""
    print(f"seed {SEED}, scale {SCALE}")  # pytest shows it with a failure
    return random.Random(SEED ^ zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture
def scale() -> int:
    return SCALE
