"""`lingting doctor`: is this machine fit to be a box, and if not, what would make it so?"""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console
from rich.table import Table

from appliance.access.pki import days_left
from appliance.api import ports
from appliance.api.tls import check_tls
from appliance.cli.doctor_box import firewall, services
from appliance.cli.doctor_gpu import gpu
from appliance.cli.doctor_kept import (
    Check,
    State,
    audit_log,
    city_pack,
    diarization_bundle,
    emotion_bundle,
    speech_bundle,
    store,
)
from appliance.engine.triton_server import check_libpython, find_binary
from appliance.errors import EngineUnavailable, SettingsError
from appliance.sections import PROJECT
from appliance.settings import Settings, load_settings

MIB, GIB = 1 << 20, 1 << 30
LEAST_PYTHON = (3, 11)
LEAST_MEMORY, GOOD_MEMORY = 1 * GIB, 2 * GIB
LEAST_DISK, GOOD_DISK = 1 * GIB, 5 * GIB
LEAST_SHARED = 128 * MIB
GOOD_CORES = 2
PROBE_TIMEOUT_S = 2.0
GOOD_DAYS = 30  # of a certificate, before it should be renewed
GRPC_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}; its stubs clash with Riva's


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Check this machine and, if one runs here, the box.

    Exit codes: 0 fit (warnings allowed), 1 some check failed; each says how to fix it.
    """
    checks = list(run_checks())
    failed = any(check.state is State.fail for check in checks)
    if as_json:
        listed = [asdict(check) for check in checks]
        typer.echo(json.dumps({"ok": not failed, "checks": listed}, ensure_ascii=False, indent=2))
    else:
        show(checks)
    raise typer.Exit(1 if failed else 0)


def run_checks() -> Iterator[Check]:
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Check("settings", State.fail, error.cause, error.hint)
        settings = Settings.model_construct()  # the defaults, so that the rest is still checked
    else:
        yield Check("settings", State.ok, "valid")
    yield from (check(settings) for check in CHECKS)


def show(checks: list[Check]) -> None:
    marks = {State.ok: "[green]ok[/]", State.warn: "[yellow]warn[/]", State.fail: "[red]FAIL[/]"}
    table = Table(box=None, pad_edge=False)
    for column in ("check", "", "found"):
        table.add_column(column, overflow="fold")
    console = Console()
    for check in checks:
        found = check.found + (f"\n→ {check.fix}" if check.fix else "")
        table.add_row(check.name, marks[check.state], found.replace("[", r"\["))
    console.print(table)


# The machine


def python(settings: Settings) -> Check:
    found = platform.python_version()
    if sys.version_info[:2] < LEAST_PYTHON:
        return Check("python", State.fail, found, "install Python 3.11: apt-get install python3")
    return Check("python", State.ok, found)


def cpu_flags(settings: Settings) -> Check:
    flags = read_flags(Path("/proc/cpuinfo"))
    known = {"AVX2": "avx2", "AVX-512": "avx512f", "VNNI": "avx512_vnni", "AMX": "amx_int8"}
    have = [name for name, flag in known.items() if flag in flags]
    if platform.machine() not in ("x86_64", "AMD64"):
        return Check("cpu", State.ok, f"{platform.machine()}: AVX does not apply")
    if "AVX2" not in have:
        fix = "in a virtual machine, pass the host's CPU through (host-passthrough)"
        return Check("cpu", State.warn, "no AVX2: recognition will be slow", fix)
    return Check("cpu", State.ok, ", ".join(have))


def read_flags(cpuinfo: Path) -> frozenset[str]:
    try:
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


def cores(settings: Settings) -> Check:
    count = len(os.sched_getaffinity(0))
    if count < GOOD_CORES:
        fix = f"give the machine {GOOD_CORES} cores"
        return Check("cores", State.warn, str(count), fix)
    return Check("cores", State.ok, str(count))


def memory(settings: Settings) -> Check:
    free = available_memory(Path("/proc/meminfo"))
    if free is None:
        return Check("memory", State.warn, "unknown", "mount /proc")
    return _enough("memory", free, LEAST_MEMORY, GOOD_MEMORY, "add memory or stop other programs")


def available_memory(meminfo: Path) -> int | None:
    """Bytes."""
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def disk(settings: Settings) -> Check:
    folder = tempfile.gettempdir()  # uploads are kept here while they are worked on
    free = shutil.disk_usage(folder).free
    fix = f"free space in {folder}, or point TMPDIR elsewhere"
    return _enough("disk", free, LEAST_DISK, GOOD_DISK, fix, f" in {folder}")


def shared_memory(settings: Settings) -> Check:
    """Through it Triton and its Python backend pass windows."""
    if settings.triton.mode != "child":
        return Check("shared memory", State.ok, "not used: no Triton runs here")
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Check("shared memory", State.warn, "no /dev/shm: calls run on the CPU", "mount it")
    free = shutil.disk_usage(folder).free
    if free < LEAST_SHARED:
        fix = "mount -o remount,size=1G /dev/shm (in a container: --shm-size=1g)"
        return Check("shared memory", State.warn, f"{free / MIB:.0f} MiB free", fix)
    return Check("shared memory", State.ok, f"{free / GIB:.1f} GiB free")


def _enough(name: str, free: int, least: int, good: int, fix: str, where: str = "") -> Check:
    found = f"{free / GIB:.1f} GiB free{where}"
    if free >= good:
        return Check(name, State.ok, found)
    state = State.warn if free >= least else State.fail
    return Check(name, state, found, f"{fix}: at least {good / GIB:.0f} GiB")


# The software


def triton(settings: Settings) -> Check:
    mode = settings.triton.mode
    if mode == "off":
        return Check("triton", State.ok, "turned off by settings: CPU engine only")
    if mode == "remote":
        host, _, port = settings.triton.address.rpartition(":")
        if port.isdecimal() and listens(host or "127.0.0.1", int(port)):
            return Check("triton", State.ok, f"answers at {settings.triton.address}")
        fix = "start it there, or correct triton.address; until then calls run on the CPU"
        return Check("triton", State.warn, f"nobody at {settings.triton.address}", fix)
    try:
        binary = find_binary(settings)
        check_libpython(binary)
        return Check("triton", State.ok, str(binary))
    except EngineUnavailable as error:
        return Check("triton", State.warn, f"{error.cause}: calls run on the CPU", error.hint)


def evaluation(settings: Settings) -> Check:
    """What `lingting eval` speaks with."""
    if not (PROJECT / "inference" / "training").exists():
        return Check("evaluation", State.ok, "not part of an installed box")
    fixes = {
        "espeak-ng": None if shutil.which("espeak-ng") else "apt-get install espeak-ng",
        "pypinyin": None if find_spec("pypinyin") else "make .venv/.dev",
    }
    missing = {name: fix for name, fix in fixes.items() if fix}
    if missing:
        found = f"{', '.join(missing)} not installed (optional)"
        fix = f"only for lingting eval: {'; '.join(missing.values())}"
        return Check("evaluation", State.warn, found, fix)
    return Check("evaluation", State.ok, ", ".join(fixes))


# The doors


def grpc_door(settings: Settings) -> Check:
    door = settings.grpc
    return _door("grpc", door.host, door.port, bool(door.tls_certificate), grpc_health)


def http_door(settings: Settings) -> Check:
    door = settings.http
    return _door("http", door.host, door.port, bool(door.tls_certificate), http_health)


def tls(settings: Settings) -> Check:
    """Certificates and keys of both doors."""
    doors = {"grpc": settings.grpc, "http": settings.http}
    try:
        for kind, door in doors.items():
            check_tls(kind, door)
    except SettingsError as error:
        return Check("tls", State.fail, error.cause, error.hint)
    secured = {kind: door.tls_certificate for kind, door in doors.items() if door.tls_certificate}
    if not secured:
        return Check("tls", State.ok, "off")
    left = min(days_left(path) for path in secured.values())
    found = f"{', '.join(secured)}; certificate good for {left:.0f} days"
    fix = "lingting-install certificate (by hand: lingting pki server), then restart the box"
    if left <= 0:
        return Check("tls", State.fail, f"the certificate expired {-left:.0f} days ago", fix)
    state = State.ok if left > GOOD_DAYS else State.warn
    return Check("tls", state, found, "" if state is State.ok else fix)


def _door(
    kind: str, host: str, port: int, tls: bool, ask: Callable[[str, int, bool], str | None]
) -> Check:
    """Free, or held by a box that is well. `ask`: None: not a box; "": well; else what ails it."""
    name, host = f"{kind} port {port}", reachable(host)
    if port == 0:
        return Check(f"{kind} port", State.ok, "any free one")
    if not listens(host, port):
        return _free(kind, name, host, port)
    if tls and kind == "grpc":
        return Check(name, State.ok, "something serves TLS there; its health was not asked")
    ailing = ask(host, port, tls)
    if ailing is None:
        return Check(name, State.fail, "held by another program", ports.who_holds(kind, port))
    if ailing:
        fix = "see the log of the box; GET /v1/health/ready tells of each part"
        return Check(name, State.fail, f"a box runs there, not ready: {ailing}", fix)
    return Check(name, State.ok, "a box runs there and is ready")


def _free(kind: str, name: str, host: str, port: int) -> Check:
    try:
        ports.listen(host, port).close()
    except OSError as error:
        found = f"{host}: {error.strerror or error}"
        return Check(name, State.fail, found, f"correct {kind}.host or set {kind}.port")
    return Check(name, State.ok, "free")


def reachable(host: str) -> str:
    """Where to knock at what listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), PROBE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def http_health(host: str, port: int, tls: bool) -> str | None:
    """Only whether it is well is asked, so whose certificate it is does not matter."""
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            host, port, timeout=PROBE_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/v1/health/ready")
        answer: Any = json.loads(connection.getresponse().read())
        return "" if answer["status"] == "ready" else str(answer["message"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def grpc_health(host: str, port: int, tls: bool) -> str | None:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with grpc.insecure_channel(address) as channel:
        try:
            answer = channel.unary_unary("/grpc.health.v1.Health/Check")(
                b"", timeout=PROBE_TIMEOUT_S
            )
        except grpc.RpcError:
            return None
    return "" if answer == GRPC_SERVING else "its health service says not serving"


CHECKS: tuple[Callable[[Settings], Check], ...] = (
    python,
    cpu_flags,
    cores,
    memory,
    disk,
    shared_memory,
    speech_bundle,
    diarization_bundle,
    emotion_bundle,
    city_pack,
    store,
    audit_log,
    services,
    firewall,
    triton,
    gpu,
    evaluation,
    tls,
    grpc_door,
    http_door,
)
