"""schemathesis asks of /api/v1 whatever the OpenAPI document allows, and much that it does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.gateway import gateway

EXAMPLES = 40  # of each operation
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway in a thread of its own."""
    started, stop = threading.Event(), threading.Event()
    found: list[str] = []

    async def serve(folder: Path) -> None:
        async with gateway(folder) as box:
            found.append(box.http)
            started.set()
            await asyncio.to_thread(stop.wait)

    folder = tmp_path_factory.mktemp("fuzz")
    thread = threading.Thread(target=lambda: asyncio.run(serve(folder)))
    thread.start()
    assert started.wait(30)
    yield found[0]
    stop.set()
    thread.join(30)


@pytest.fixture(scope="module")
def api(url: str) -> schemathesis.BaseSchema:
    loaded = schemathesis.openapi.from_url(f"{url}/openapi.json")
    return loaded.include(path_regex="^/api/v1")


ENDLESS = "/events"  # where there is a call


def test_every_answer_is_one_that_was_promised(api: schemathesis.BaseSchema) -> None:
    asked = set()
    for result in api.get_all_operations():
        operation = result.ok()
        if operation.path.endswith(ENDLESS):
            continue
        asked.add((operation.method, operation.path))

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=20)

        check()
    assert len(asked) >= 8
