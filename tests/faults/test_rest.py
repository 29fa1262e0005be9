"""The schemathesis program against every HTTP route of a box that asks for keys.

By itself, then in sequences that follow from each other (a call is made, read, deleted, asked for
again), and without a key or with a false one: no route may answer then.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from appliance.access.access import CredentialRequest
from appliance.access.roles import EVERY_TENANT, AccessRole, Principal
from appliance.security import audit
from appliance.settings.doors import AccessSettings
from tests.conftest import SCALE, SEED
from tests.integration.gateway import gateway

pytestmark = pytest.mark.timeout(3600)
EXAMPLES = 12 * SCALE  # of each operation, in each phase
INSTALLER = Principal("installer", EVERY_TENANT, frozenset())
CALLS = (AccessRole.CALLER, AccessRole.AGENT, AccessRole.INSPECTOR, AccessRole.OPERATOR)
KEYS = {
    "calls": CALLS,
    "security": (AccessRole.SECURITY_ADMIN,),
    "audit": (AccessRole.AUDIT_ADMIN,),
    "system": (AccessRole.SYSTEM_ADMIN,),
}
ENDLESS = r"/events$|/admin/restart$"  # a stream that goes on; the end of the process
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_schema_conformance", "response_headers_conformance"),
    *("ignored_auth", "use_after_free", "ensure_resource_availability"),
)


@dataclass
class Fuzzed:
    url: str
    keys: dict[str, str]
    folder: Path


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """A gateway in a thread of its own; a key for callers and one of each admin."""
    started, stop, found = threading.Event(), threading.Event(), list[Fuzzed]()
    asking = AccessSettings(keys="always", requests_per_minute=10_000_000)

    async def serve(folder: Path) -> None:
        async with gateway(folder, access=asking) as running:
            keys = {}
            for made in await running.access.first_admins(INSTALLER):
                keys[made.credential.roles[0].partition("_")[0]] = made.key
            wanted = CredentialRequest("calls", CALLS, "a")
            keys["calls"] = (await running.access.create(INSTALLER, wanted)).key
            found.append(Fuzzed(running.http, keys, folder))
            started.set()
            await asyncio.to_thread(stop.wait)

    folder = tmp_path_factory.mktemp("rest")
    thread = threading.Thread(target=lambda: asyncio.run(serve(folder)))
    thread.start()
    assert started.wait(30)
    yield found[0]
    stop.set()
    thread.join(60)


def fuzz(box: Fuzzed, key: str, phases: str, *flags: str, folder: Path) -> None:
    """What the program finds is a failure of the test."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{box.url}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {box.keys[key]}", "--phases", phases]
    command += ["--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES)]
    command += ["--seed", str(SEED), "--exclude-path-regex", ENDLESS, "--no-color"]
    command += ["--suppress-health-check", "all", "--request-timeout", "30", "--warnings", "off"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("phases", ["examples,coverage,fuzzing", "stateful"])
def test_callers_routes(box: Fuzzed, phases: str, tmp_path: Path) -> None:
    fuzz(box, "calls", phases, "--exclude-path-regex", "/admin/", folder=tmp_path)


@pytest.mark.parametrize("admin", ["system", "audit", "security"])
def test_admins_routes(box: Fuzzed, admin: str, tmp_path: Path) -> None:
    phases = "coverage,fuzzing"
    fuzz(box, admin, phases, "--include-path-regex", "/admin/", folder=tmp_path)


def test_the_box_is_well_afterwards(box: Fuzzed) -> None:
    """The security admin's turn may have revoked every key: the log is read where it lies."""
    assert httpx.get(f"{box.url}/v1/health/ready", timeout=30).status_code == 200
    verdict = audit.verify(box.folder / "store" / "audit")
    assert verdict.ok and verdict.records > 10, verdict
