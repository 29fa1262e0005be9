"""`lingting doctor`: is this machine fit to be a box, and if not, what would make it so?"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console
from rich.table import Table

from appliance.access.pki import days_left
from appliance.api import ports
from appliance.api.tls import check_tls
from appliance.cli.doctor_box import firewall, services
from appliance.cli.doctor_check import Check, CheckState
from appliance.cli.doctor_gpu import gpu
from appliance.cli.doctor_kept import (
    audit_log,
    city_pack,
    diarization_bundle,
    emotion_bundle,
    speech_bundle,
    store,
)
from appliance.cli.doctor_machine import cores, cpu_flags, disk, memory, python, shared_memory
from appliance.cli.words import Bilingual, Language, in_language, own_language
from appliance.engine.triton_server import check_libpython, find_binary
from appliance.errors import EngineUnavailable, SettingsError
from appliance.models.serving import serving_settings
from appliance.settings import Settings
from appliance.settings.section import PROJECT

PROBE_TIMEOUT_S = 2.0
GOOD_DAYS = 30  # of a certificate, before it should be renewed
FIELDS = ("name", "state", "found", "fix")
MARKS = {
    CheckState.ok: ("green", Bilingual("ok", "通过")),
    CheckState.warn: ("yellow", Bilingual("warn", "注意")),
    CheckState.fail: ("red", Bilingual("FAIL", "不符")),
}
TITLES = {
    "settings": "设置",
    "cpu": "处理器",
    "cores": "核数",
    "memory": "内存",
    "disk": "临时磁盘",
    "shared memory": "共享内存",
    "speech bundle": "识别模型",
    "diarization bundle": "说话人模型",
    "emotion bundle": "情绪模型",
    "city pack": "城市包",
    "store": "存储",
    "audit log": "审计日志",
    "services": "服务",
    "firewall": "防火墙",
    "gpu": "显卡",
    "evaluation": "测评",
    "tls": "证书",
}
GRPC_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}; its stubs clash with Riva's


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    lang: Annotated[
        str | None, typer.Option(help="zh or en; else as the terminal is set: zh unless en.")
    ] = None,
) -> None:
    """Check this machine and, if one runs here, the box.

    Exit codes: 0 fit (warnings allowed), 1 some check failed; each says how to fix it.
    """
    checks = list(run_checks())
    failed = any(check.state is CheckState.fail for check in checks)
    if as_json:
        listed = [{field: str(getattr(check, field)) for field in FIELDS} for check in checks]
        typer.echo(json.dumps({"ok": not failed, "checks": listed}, ensure_ascii=False, indent=2))
    else:
        show(checks, "en" if (lang or own_language()) == "en" else "zh")
    raise typer.Exit(1 if failed else 0)


def run_checks() -> Iterator[Check]:
    try:
        settings = serving_settings()
    except SettingsError as error:
        yield Check("settings", CheckState.fail, error.cause, error.hint)
        settings = Settings.model_construct()  # the defaults, so that the rest is still checked
    else:
        yield Check("settings", CheckState.ok, Bilingual("valid", "有效"))
    yield from (check(settings) for check in CHECKS)


def show(checks: list[Check], language: Language) -> None:
    table = Table(box=None, pad_edge=False)
    for column in (Bilingual("check", "检查项"), "", Bilingual("found", "结果")):
        table.add_column(in_language(column, language), overflow="fold")
    for check in checks:
        found, fix = (in_language(text, language) for text in (check.found, check.fix))
        told = found + (f"\n→ {fix}" if fix else "")
        name = TITLES.get(check.name, check.name) if language == "zh" else check.name
        color, word = MARKS[check.state]
        mark = f"[{color}]{in_language(word, language)}[/]"
        table.add_row(name, mark, told.replace("[", r"\["))
    Console().print(table)


# The software


def triton(settings: Settings) -> Check:
    mode = settings.triton.mode
    if mode == "off":
        found = Bilingual("turned off by settings: CPU engine only", "按设置停用：只用 CPU")
        return Check("triton", CheckState.ok, found)
    if mode == "remote":
        return remote_triton(settings.triton.addresses or (settings.triton.address,))
    try:
        binary = find_binary(settings)
        check_libpython(binary)
        return Check("triton", CheckState.ok, str(binary))
    except EngineUnavailable as error:
        found = Bilingual(f"{error.cause}: calls run on the CPU", f"{error.cause}：通话由 CPU 识别")
        return Check("triton", CheckState.warn, found, error.hint)


def remote_triton(addresses: Sequence[str]) -> Check:
    silent = [each for each in addresses if not _listens(each)]
    if not silent:
        told = ", ".join(addresses)
        return Check("triton", CheckState.ok, Bilingual(f"answers at {told}", f"{told} 有应答"))
    fix = Bilingual(
        "start it there, or correct triton.address or triton.addresses; "
        "until one answers, calls run on the CPU",
        "启动它，或改正 triton.address 或 triton.addresses；都无应答时通话由 CPU 识别",
    )
    told = ", ".join(silent)
    return Check("triton", CheckState.warn, Bilingual(f"nobody at {told}", f"{told} 无人应答"), fix)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    return port.isdecimal() and listens(host or "127.0.0.1", int(port))


def evaluation(settings: Settings) -> Check:
    """What `lingting eval` speaks with."""
    if not (PROJECT / "inference" / "training").exists():
        found = Bilingual("not part of an installed box", "安装好的设备不含测评工具")
        return Check("evaluation", CheckState.ok, found)
    fixes = {
        "espeak-ng": None if shutil.which("espeak-ng") else "apt-get install espeak-ng",
        "pypinyin": None if find_spec("pypinyin") else "make .venv/.dev",
    }
    missing = {name: fix for name, fix in fixes.items() if fix}
    if missing:
        names, ways = ", ".join(missing), "; ".join(missing.values())
        found = Bilingual(f"{names} not installed (optional)", f"没有安装 {names}（可选）")
        fix = Bilingual(
            f"only for the fixed sets of lingting eval: {ways}",
            f"只有 lingting eval 的固定测试集需要：{ways}",
        )
        return Check("evaluation", CheckState.warn, found, fix)
    return Check("evaluation", CheckState.ok, ", ".join(fixes))


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
        return Check("tls", CheckState.fail, error.cause, error.hint)
    secured = {kind: door.tls_certificate for kind, door in doors.items() if door.tls_certificate}
    if not secured:
        return Check("tls", CheckState.ok, Bilingual("off", "未启用"))
    left = min(days_left(path) for path in secured.values())
    doors_named = ", ".join(secured)
    found = Bilingual(
        f"{doors_named}; certificate good for {left:.0f} days",
        f"{doors_named}；证书还有 {left:.0f} 天",
    )
    fix = Bilingual(
        "lingting-install certificate (by hand: lingting pki server), then restart the box",
        "运行 lingting-install certificate（手工：lingting pki server，再重启）",
    )
    if left <= 0:
        expired = Bilingual(
            f"the certificate expired {-left:.0f} days ago", f"证书已过期 {-left:.0f} 天"
        )
        return Check("tls", CheckState.fail, expired, fix)
    state = CheckState.ok if left > GOOD_DAYS else CheckState.warn
    return Check("tls", state, found, "" if state is CheckState.ok else fix)


def _door(
    kind: str, host: str, port: int, tls: bool, ask: Callable[[str, int, bool], str | None]
) -> Check:
    """Free, or held by a box that is well. `ask`: None: not a box; "": well; else what ails it."""
    name, host = f"{kind} port {port}", reachable(host)
    if port == 0:
        return Check(f"{kind} port", CheckState.ok, Bilingual("any free one", "任一空闲端口"))
    if not listens(host, port):
        return _free(kind, name, host, port)
    if tls and kind == "grpc":
        found = Bilingual(
            "something serves TLS there; its health was not asked", "有 TLS 服务；未查其状态"
        )
        return Check(name, CheckState.ok, found)
    ailing = ask(host, port, tls)
    if ailing is None:
        held = Bilingual("held by another program", "被其他程序占用")
        return Check(name, CheckState.fail, held, ports.who_holds(kind, port))
    if ailing:
        fix = Bilingual(
            "see the log of the box; GET /v1/health/ready tells of each part",
            "查看日志；GET /v1/health/ready 说明各部分",
        )
        found = Bilingual(
            f"a box runs there, not ready: {ailing}", f"聆听在运行，尚未就绪：{ailing}"
        )
        return Check(name, CheckState.fail, found, fix)
    return Check(
        name, CheckState.ok, Bilingual("a box runs there and is ready", "聆听在运行，已就绪")
    )


def _free(kind: str, name: str, host: str, port: int) -> Check:
    try:
        ports.listen(host, port).close()
    except OSError as error:
        found = f"{host}: {error.strerror or error}"
        fix = Bilingual(
            f"correct {kind}.host or set {kind}.port", f"改正 {kind}.host 或 {kind}.port"
        )
        return Check(name, CheckState.fail, found, fix)
    return Check(name, CheckState.ok, Bilingual("free", "空闲"))


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
