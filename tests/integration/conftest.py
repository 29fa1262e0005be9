"""Several gateways on one PostgreSQL, for the tests that ask for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway import MakeGateway, RunningGateway, gateway
from tests.postgres import Postgres, server


@pytest.fixture
def database() -> Iterator[Postgres]:
    with server() as made:
        yield made


@pytest.fixture
def make(tmp_path: Path, database: Postgres) -> MakeGateway:
    """Gateways of one database, each in a folder of its own."""
    master = tmp_path / "master.key"
    master.write_bytes(bytes(range(32)))
    common = {
        "url": database.url,
        "keys_url": database.url,
        "master_key": master,
        "audio_folder": tmp_path / "audio",
    }

    def one(name: str, **fields: Any) -> contextlib.AbstractAsyncContextManager[RunningGateway]:
        return gateway(tmp_path / name, **{**common, **fields})

    return one
