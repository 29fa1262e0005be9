"""A box as it stands in a machine room: TLS, keys, certificates, admins; stock programs call it."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.daemon import DEMO_CALL, daemon
from tests.room import TIMEOUT_S, MachineRoom, machine_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineRoom]:
    with machine_room(tmp_path_factory.mktemp("room")) as made:
        yield made


def test_the_first_admins_are_three_and_made_once(room: MachineRoom) -> None:
    listed = room.lingting("access", "list", role="audit_admin")
    assert all(f"{name}-admin" in listed for name in ("system", "security", "audit"))
    again = room.lingting(
        *("access", "init", "--folder", str(room.folder / "again"), "--pki", str(room.pki)),
        fails=True,
    )
    assert "there are admins already" in again


def test_an_admins_key_alone_is_worth_nothing(room: MachineRoom) -> None:
    words = room.showing("audit_admin")
    at = words.index("--certificate")
    told = room.lingting("audit", "show", *words[:at], *words[at + 2 :], fails=True)
    assert "its certificate was not shown" in told
    others = (*words[:at], "--certificate", f"{room.folder}/admins/system_admin/system_admin.pem")
    told = room.lingting("audit", "show", *others, *words[at + 2 :], fails=True)
    assert "its certificate was not shown" in told


def test_a_stock_riva_program_calls_with_tls_and_a_key(room: MachineRoom) -> None:
    key = room.key("hotline-a", "--role", "caller", "--tenant", "a")
    secure = ("--use-ssl", "--ssl-root-cert", str(room.pki / "ca.pem"))
    file = ("--file", str(DEMO_CALL), "--separate-channels")
    lines = room.box.run_client(
        "offline", *secure, *file, "--metadata", "authorization", f"Bearer {key}"
    )
    assert any(line.get("text") for line in lines)
    refused = room.box.run_client(
        "offline", *secure, *file, "--metadata", "authorization", "Bearer lt_wrong"
    )
    assert refused[-1]["code"] == "UNAUTHENTICATED"
    assert room.box.run_client("offline", *secure, *file)[-1]["code"] == "UNAUTHENTICATED"
    in_the_clear = room.box.run_client("offline", *file)
    assert in_the_clear[-1]["code"] == "UNAVAILABLE"


def test_a_stock_riva_program_calls_with_its_certificate(room: MachineRoom) -> None:
    room.lingting("pki", "client", "switch", "--folder", str(room.pki))
    flags = (
        *("--file", str(DEMO_CALL), "--separate-channels", "--use-ssl"),
        *("--ssl-root-cert", str(room.pki / "ca.pem")),
        *("--ssl-client-cert", str(room.pki / "switch.pem")),
        *("--ssl-client-key", str(room.pki / "switch.key")),
        *("--server", f"127.0.0.1:{room.mtls_port}"),
    )
    unknown = room.box.run_client("offline", *flags)
    assert unknown[-1]["code"] == "UNAUTHENTICATED"  # of our authority, but nobody let it in
    room.key(
        *("switch", "--role", "caller", "--tenant", "a", "--certificate-alone"),
        *("--client", str(room.pki / "switch.pem")),
    )
    lines = room.box.run_client("offline", *flags)
    assert any(line.get("text") for line in lines)


def test_the_openai_door_takes_the_key_as_its_api_key(room: MachineRoom) -> None:
    from openai import AuthenticationError, OpenAI

    key = room.key("script", "--role", "caller", "--tenant", "a", "--days", "30")
    url = f"https://127.0.0.1:{room.box.http_port}/v1"
    trusting = httpx.Client(verify=ssl.create_default_context(cafile=str(room.pki / "ca.pem")))
    client = OpenAI(api_key=key, base_url=url, http_client=trusting, max_retries=0)
    with DEMO_CALL.open("rb") as file:
        assert client.audio.transcriptions.create(model="whisper-1", file=file).text
    listed = json.loads(room.lingting("access", "list", "--json", role="security_admin"))
    made = next(each["id"] for each in listed["credentials"] if each["name"] == "script")
    room.lingting("access", "revoke", made, role="security_admin")
    with pytest.raises(AuthenticationError), DEMO_CALL.open("rb") as file:
        client.audio.transcriptions.create(model="whisper-1", file=file)


def test_the_audit_log_leaves_the_box_and_shows_tampering(
    room: MachineRoom, tmp_path: Path
) -> None:
    exported = tmp_path / "audit.tar"
    room.lingting("audit", "export", str(exported), role="audit_admin")
    assert "whole" in room.lingting("audit", "verify", str(exported))
    copy = tmp_path / "copy"
    subprocess.run(["tar", "-xf", str(exported), "--one-top-level=copy"], cwd=tmp_path, check=True)
    log = next(copy.glob("audit-*.jsonl"))
    lines = log.read_text(encoding="utf-8").splitlines()
    log.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n", encoding="utf-8")
    assert "TAMPERED" in room.lingting("audit", "verify", str(copy), fails=True)
    shown = room.lingting("audit", "show", role="audit_admin")
    assert "credential.create" in shown
    assert "Bearer" not in shown and "lt_" not in shown


def test_the_canary_calls_over_the_unix_socket(room: MachineRoom) -> None:
    settings = {"LINGTING_LOCAL__FOLDER": str(room.folder / "run")}
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "canary"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    assert "heard" in done.stdout


def test_lost_admins_are_made_anew_by_root_and_the_log_shows_it(room: MachineRoom) -> None:
    """The last story of this room: from here on the old admins are nobody."""
    words = ("access", "init", "--folder", str(room.folder / "new"), "--pki", str(room.pki))
    room.lingting(*words, "--anew")
    assert "revoked" in room.lingting("audit", "show", role="audit_admin", fails=True)
    for role in ("system_admin", "security_admin", "audit_admin"):
        shutil.rmtree(room.folder / "admins" / role)
        shutil.move(room.folder / "new" / role, room.folder / "admins" / role)
    shown = room.lingting("audit", "show", role="audit_admin")
    assert shown.count("root credential.revoke") == 3


def test_off_loopback_nothing_is_served_in_the_clear(tmp_path: Path) -> None:
    with daemon(tmp_path, wait=False, LINGTING_HTTP__HOST="0.0.0.0") as box:
        assert box.process.wait(30) == 3
        assert "lingting pki server" in box.log()
