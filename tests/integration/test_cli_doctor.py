"""`lingting doctor`: each check on what it may find."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import grpc
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from appliance.access.pki import Authority
from appliance.cli import doctor as command
from appliance.cli import doctor_gpu, doctor_machine
from appliance.cli.doctor_check import Check, CheckState
from appliance.cli.doctor_machine import GIB
from appliance.cli.words import Bilingual
from appliance.health import Health
from appliance.security.audit import AuditEntry, AuditLog
from appliance.settings import Settings
from appliance.settings.doors import AuditSettings, GrpcSettings, HttpSettings
from appliance.settings.engines import ModelsSettings, TritonSettings
from tests.integration.http_fakes import Served


def call(*args: str) -> Result:
    app = typer.Typer()
    app.command()(command.doctor)
    return CliRunner().invoke(app, list(args))


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"):
        (folder / name).write_bytes(b"weights")
    facts = ["--name", "large", "--version", "3", "--licence", "MIT"]
    seal = [sys.executable, "-m", "inference.bundles", "seal", str(folder), *facts]
    subprocess.run(seal, check=True, capture_output=True)
    return folder


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def stranger() -> Iterator[int]:
    """A port held by a program that answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_json_lists_every_check_and_the_exit_code_agrees() -> None:
    result = call("--json")
    report = json.loads(result.stdout)
    assert result.exit_code == (0 if report["ok"] else 1)
    assert len(report["checks"]) == 1 + len(command.CHECKS)
    for check in report["checks"]:
        assert check["state"] == "ok" or check["fix"], check


def test_a_fit_machine_passes(monkeypatch: pytest.MonkeyPatch, sealed: Path) -> None:
    monkeypatch.setenv("LINGTING_MODELS__ASR", str(sealed))
    monkeypatch.setenv("LINGTING_GRPC__PORT", "0")
    monkeypatch.setenv("LINGTING_HTTP__PORT", "0")
    monkeypatch.setattr(doctor_machine, "LEAST_DISK", 0)
    monkeypatch.setattr(doctor_machine, "LEAST_MEMORY", 0)
    result = call()
    assert result.exit_code == 0, result.stdout
    assert "large 3" in result.stdout


def test_it_speaks_chinese_unless_the_terminal_speaks_english(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every finding and every advice of ours; settings' own errors and addresses stay."""
    monkeypatch.setenv("LINGTING_HTTP__PORT", "0")
    for variable, value in (("LC_ALL", ""), ("LANG", "C.UTF-8")):
        monkeypatch.setenv(variable, value)
    assert "检查项" in call().stdout and "任一空闲端口" in call().stdout
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    assert "any free one" in call().stdout and "检查项" not in call().stdout
    assert "检查项" in call("--lang", "zh").stdout


def test_wrong_settings_are_a_failed_check_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINGTING_HTTP__PORT", "many")
    result = call("--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["checks"][0]["state"] == "fail"
    assert "http.port" in report["checks"][0]["found"]
    assert len(report["checks"]) == 1 + len(command.CHECKS)


def test_memory_and_disk_have_three_states() -> None:
    states = [
        doctor_machine._enough(
            "disk", size, 1 * GIB, 5 * GIB, Bilingual("free some", "腾出空间")
        ).state
        for size in (0, 2 * GIB, 9 * GIB)
    ]
    assert states == [CheckState.fail, CheckState.warn, CheckState.ok]


def test_proc_files_that_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert doctor_machine.read_flags(path) == frozenset()
    path.write_text("flags\t\t: fpu avx2 amx_int8\n")
    assert doctor_machine.read_flags(path) == {"fpu", "avx2", "amx_int8"}


def test_bundle(sealed: Path, tmp_path: Path) -> None:
    def check(folder: Path) -> Check:
        return command.speech_bundle(Settings(models=ModelsSettings(asr=folder)))

    assert check(sealed).state is CheckState.ok
    manifest = json.loads((sealed / "manifest.json").read_text())
    (sealed / "manifest.json").write_text(json.dumps({**manifest, "demo": True}))
    assert "demonstration" in check(sealed).found
    (sealed / "model.bin").write_bytes(b"altered")
    altered = check(sealed)
    assert altered.state is CheckState.fail
    assert "model.bin" in altered.found
    missing = check(tmp_path / "none")
    assert missing.state is CheckState.fail
    assert "manifest.json" in missing.found


def test_triton(tmp_path: Path, stranger: int) -> None:
    binary = tmp_path / "tritonserver"
    missing = command.triton(Settings(triton=TritonSettings(binary=binary)))
    assert (missing.state, "CPU" in missing.found) == (CheckState.warn, True)
    binary.write_text("")
    binary.chmod(0o755)
    assert command.triton(Settings(triton=TritonSettings(binary=binary))).found == str(binary)
    assert command.triton(Settings(triton=TritonSettings(mode="off"))).state is CheckState.ok
    for port, state in ((stranger, CheckState.ok), (free_port(), CheckState.warn)):
        remote = TritonSettings(mode="remote", address=f"127.0.0.1:{port}")
        assert command.triton(Settings(triton=remote)).state is state


def test_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No card, a card without a driver, an old driver, no CUDA libraries, all there."""
    if Path("/proc/driver/nvidia/gpus").exists():
        pytest.skip("this machine has one")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor_gpu, "PCI", tmp_path / "pci")
    demanded = Settings(triton=TritonSettings(kind="gpu"))
    assert command.gpu(Settings()).found == "none: CPU mode"
    assert command.gpu(demanded).state is CheckState.fail

    for number, device in enumerate(("0x030200", "0x040300", "0x030000")):
        card = tmp_path / "pci" / f"0000:0{number}:00.0"
        card.mkdir(parents=True)
        (card / "vendor").write_text("0x10de\n")
        (card / "class").write_text(f"{device}\n")
    driverless = command.gpu(Settings())
    assert driverless.found == "2 cards, but no driver: CPU mode"  # and its sound output is none
    assert "lingting-install gpu" in driverless.fix
    assert command.gpu(demanded).state is CheckState.fail

    smi = tmp_path / "nvidia-smi"

    def driver(version: str) -> None:
        smi.write_text(f"#!/bin/sh\necho 'NVIDIA L4, 23034 MiB, {version}'\n")
        smi.chmod(0o755)

    driver("470.182.03")
    assert "too old" in command.gpu(Settings()).found
    driver("550.90.07")
    monkeypatch.setattr(doctor_gpu, "find_spec", lambda name: None)
    assert "CUDA's libraries are missing" in command.gpu(Settings()).found
    monkeypatch.setattr(doctor_gpu, "find_spec", lambda name: name)
    assert command.gpu(Settings()).found == "NVIDIA L4, 23034 MiB, 550.90.07"
    assert "kind is cpu" in command.gpu(Settings(triton=TritonSettings(kind="cpu"))).found


@pytest.mark.parametrize(
    ("days", "state"), [(365, CheckState.ok), (20, CheckState.warn), (-3, CheckState.fail)], ids=str
)
def test_certificate(tmp_path: Path, days: int, state: CheckState) -> None:
    authority = Authority(tmp_path)
    authority.create("test")
    with patch("appliance.access.pki.datetime", wraps=datetime) as clock:
        clock.now.return_value = datetime.now(UTC) + timedelta(days=min(days, 0) - 1)
        path = authority.issue_server(["localhost"], tmp_path / "server", max(days, 0) + 1)
    door = {"tls_certificate": path, "tls_key": path.with_suffix(".key")}
    check = command.tls(Settings(grpc=GrpcSettings(**door), http=HttpSettings(**door)))
    assert check.state is state, check.found
    assert ("lingting-install certificate" in check.fix) is (state is not CheckState.ok)


def test_audit_log(tmp_path: Path) -> None:
    settings = Settings(audit=AuditSettings(folder=tmp_path / "audit"))
    assert command.audit_log(settings).found == "none yet"
    log = AuditLog(tmp_path / "audit", "sm3", bytes(32))
    for act in ("box.start", "credential.create", "box.stop"):
        log.append(AuditEntry("box", act))
    log.sign_head()
    assert command.audit_log(settings).found == "whole: 3 records, 1 signed heads"
    path = next((tmp_path / "audit").glob("audit-*.jsonl"))
    path.write_text(path.read_text().replace("credential.create", "credential.revoke"))
    check = command.audit_log(settings)
    assert (check.state, "record 2 was altered" in check.found) == (CheckState.fail, True)


def test_http_port(served: Served, stranger: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(port: int) -> Check:
        return command.http_door(Settings(http=HttpSettings(port=port)))

    assert check(free_port()).found == "free"
    assert check(0).state is CheckState.ok
    assert check(served.port).state is CheckState.ok
    served.box.parts["engine"] = Health(False, "loading")
    ailing = check(served.port)
    assert (ailing.state, "engine: loading" in ailing.found) == (CheckState.fail, True)
    monkeypatch.setattr(command, "PROBE_TIMEOUT_S", 0.5)  # a stranger never answers
    assert "another program" in check(stranger).found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's ports are all free to take")
def test_an_address_of_another_machine() -> None:
    check = command.http_door(Settings(http=HttpSettings(host="192.0.2.1", port=9000)))
    assert check.state is CheckState.fail
    assert "http.host" in check.fix


def test_grpc_port(stranger: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PROBE_TIMEOUT_S", 0.5)
    status = [b"\x08\x01"]
    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health",
        {"Check": grpc.unary_unary_rpc_method_handler(lambda request, context: status[0])},
    )
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert command.grpc_door(Settings(grpc=GrpcSettings(port=port))).state is CheckState.ok
        status[0] = b"\x08\x02"
        assert "not serving" in command.grpc_door(Settings(grpc=GrpcSettings(port=port))).found
    finally:
        server.stop(None)
    assert "another program" in command.grpc_door(Settings(grpc=GrpcSettings(port=stranger))).found
    assert command.grpc_door(Settings(grpc=GrpcSettings(port=free_port()))).found == "free"
