"""Is this machine fit, and the medium whole? Looks only; changes nothing."""

from __future__ import annotations

import enum
import json
import os
import platform
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from installer import gpu, layout, units
from installer.media import Medium, is_trial, verify
from installer.system import output_of, works
from installer.words import InstallError, Text, progress

GIB = 1 << 30
LEAST_CORES, LEAST_MEMORY_GIB, GOOD_MEMORY_GIB = 2, 3.5, 8
ROOM_FACTOR, SPARE_GIB = 4, 2.0  # of the medium's size under /opt, and beside it
LEAST_DATA_GIB, GOOD_DATA_GIB = 2.0, 50.0
LEAST_SCRATCH_GIB, GOOD_SCRATCH_GIB = 1.0, 5.0  # for uploads, while they are worked on
LEAST_SYSTEMD = 252
PORTS = {"gRPC": 50051, "gRPC (mTLS)": 50052, "HTTP": 9000}
TRITON_PORTS = (8000, 8001, 8002)
GOOD_CERTIFICATE_DAYS = 30
YEARS_AHEAD_S = 10 * 365 * 86400
OTHER_FIREWALLS = ("ufw", "firewalld", "shorewall")


class RequirementState(enum.StrEnum):
    ok = "ok"
    warn = "warn"
    fail = "fail"


MARKS = {
    RequirementState.ok: Text("通过", "ok"),
    RequirementState.warn: Text("注意", "warn"),
    RequirementState.fail: Text("不符", "FAIL"),
}


@dataclass(frozen=True, slots=True)
class Requirement:
    name: str  # stable, for programs
    title: Text
    state: RequirementState
    found: Text
    fix: Text | None = None


Checker = Callable[[Medium | None], Requirement]


def run_checks(medium: Medium | None) -> Iterator[Requirement]:
    """One after the other; the medium's own comes last, for it takes longest."""
    for check in CHECKS:
        yield check(medium)
    if medium:
        yield integrity(medium)


def both(text: str) -> Text:
    return Text(text, text)


def root(_: Medium | None) -> Requirement:
    title = Text("权限", "rights")
    if os.geteuid() != 0:
        fix = Text("以 root 运行：sudo ./install", "run it as root: sudo ./install")
        return Requirement("root", title, RequirementState.fail, Text("不是 root", "not root"), fix)
    return Requirement("root", title, RequirementState.ok, both("root"))


def system(_: Medium | None) -> Requirement:
    title = Text("操作系统", "operating system")
    facts = platform.freedesktop_os_release()
    found = both(f"{facts.get('PRETTY_NAME', '?')}, {platform.machine()}")
    running = (facts.get("ID"), facts.get("VERSION_ID"), platform.machine())
    if running == ("debian", "12", "x86_64"):
        return Requirement("os", title, RequirementState.ok, found)
    fix = Text("需要 Debian 12（x86_64）", "Debian 12 on x86_64 is needed")
    return Requirement("os", title, RequirementState.fail, found, fix)


def cpu(_: Medium | None) -> Requirement:
    title = Text("处理器", "processor")
    cores = len(os.sched_getaffinity(0))
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    flags = set((re.search(r"^flags\s*:(.*)$", text, re.M) or ["", ""])[1].split())
    known = {"AVX2": "avx2", "AVX-512": "avx512f", "AMX": "amx_int8"}
    have = [name for name, flag in known.items() if flag in flags]
    found = Text(
        f"{cores} 核，{'、'.join(have) or '无 AVX2'}",
        f"{cores} cores, {', '.join(have) or 'no AVX2'}",
    )
    if cores < LEAST_CORES:
        fix = Text(f"至少 {LEAST_CORES} 核", f"at least {LEAST_CORES} cores")
        return Requirement("cpu", title, RequirementState.fail, found, fix)
    if "AVX2" not in have:
        fix = Text(
            "识别会很慢；虚拟机请直通宿主机 CPU（host-passthrough）",
            "recognition will be slow; in a virtual machine pass the host's CPU through",
        )
        return Requirement("cpu", title, RequirementState.warn, found, fix)
    return Requirement("cpu", title, RequirementState.ok, found)


def memory(_: Medium | None) -> Requirement:
    title = Text("内存", "memory")
    total_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    found = both(f"{total_gib:.1f} GiB")
    if total_gib >= GOOD_MEMORY_GIB:
        return Requirement("memory", title, RequirementState.ok, found)
    fix = Text(f"建议 {GOOD_MEMORY_GIB} GiB 以上", f"{GOOD_MEMORY_GIB} GiB or more is advised")
    state = RequirementState.warn if total_gib >= LEAST_MEMORY_GIB else RequirementState.fail
    return Requirement("memory", title, state, found, fix)


def disk(medium: Medium | None) -> Requirement:
    size_gib = medium.size_bytes / GIB if medium else 0.5
    needed_gib = size_gib * ROOM_FACTOR + SPARE_GIB
    return _room("disk", layout.OPT, needed_gib, needed_gib)


def data_disk(_: Medium | None) -> Requirement:
    return _room("data disk", layout.DATA, LEAST_DATA_GIB, GOOD_DATA_GIB)


def scratch_disk(_: Medium | None) -> Requirement:
    return _room("scratch disk", Path("/tmp"), LEAST_SCRATCH_GIB, GOOD_SCRATCH_GIB)


def _room(name: str, folder: Path, least_gib: float, good_gib: float) -> Requirement:
    title = Text(f"磁盘 {folder}", f"disk {folder}")
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_gib = shutil.disk_usage(there).free / GIB
    found = Text(f"剩余 {free_gib:.1f} GiB", f"{free_gib:.1f} GiB free")
    if free_gib >= good_gib:
        return Requirement(name, title, RequirementState.ok, found)
    wanted_gib = least_gib if free_gib < least_gib else good_gib
    fix = Text(
        f"腾出空间，或把大磁盘挂载到 {folder}：{wanted_gib:.1f} GiB",
        f"free space, or mount a larger disk at {folder}: {wanted_gib:.1f} GiB",
    )
    return Requirement(
        name,
        title,
        RequirementState.fail if free_gib < least_gib else RequirementState.warn,
        found,
        fix,
    )


def clock(medium: Medium | None) -> Requirement:
    """A wrong clock makes certificates invalid and records useless."""
    title = Text("时间", "clock")
    now, found = time.time(), both(time.strftime("%Y-%m-%d %H:%M:%S %Z"))
    made = datetime.fromisoformat(medium.made).timestamp() if medium else 0.0
    if not made <= now <= max(made, 1.7e9) + YEARS_AHEAD_S:
        fix = Text("校正系统时间：timedatectl set-time", "set it right: timedatectl set-time")
        return Requirement("clock", title, RequirementState.fail, found, fix)
    if "yes" not in output_of("timedatectl", "show", "-p", "NTPSynchronized"):
        fix = Text(
            "未与时间服务器同步：请配置内网 NTP", "not synchronised: set up an NTP server within"
        )
        return Requirement("clock", title, RequirementState.warn, found, fix)
    return Requirement("clock", title, RequirementState.ok, found)


def service_manager(_: Medium | None) -> Requirement:
    title = Text("服务管理", "service manager")
    version = (re.search(r"systemd (\d+)", output_of("systemctl", "--version")) or ["", "0"])[1]
    running = Path("/run/systemd/system").is_dir()
    found = (
        both(f"systemd {version}") if running else Text("systemd 未运行", "systemd is not running")
    )
    if running and int(version) >= LEAST_SYSTEMD:
        return Requirement("systemd", title, RequirementState.ok, found)
    fix = Text(f"需要 systemd {LEAST_SYSTEMD}+", f"systemd {LEAST_SYSTEMD} or later must run")
    return Requirement("systemd", title, RequirementState.fail, found, fix)


def ports(_: Medium | None) -> Requirement:
    title = Text("端口", "ports")
    ours = units.any_runs()
    wanted = [*PORTS.items(), *(("Triton", port) for port in TRITON_PORTS)]
    taken = [f"{port} ({name})" for name, port in wanted if not _free(port)]
    if ours or not taken:
        found = (
            Text("由本机聆听占用", "held by this box")
            if ours
            else both(", ".join(str(port) for _, port in wanted))
        )
        return Requirement("ports", title, RequirementState.ok, found)
    fix = Text("停用占用者：ss -ltnp", "stop who holds them: ss -ltnp")
    text = Text(f"已被占用：{'、'.join(taken)}", f"taken: {', '.join(taken)}")
    return Requirement("ports", title, RequirementState.fail, text, fix)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def gpu_check(_: Medium | None) -> Requirement:
    title = Text("显卡", "GPU")
    found = gpu.look()
    state = {"none": RequirementState.ok, "ready": RequirementState.ok}.get(
        found.kind, RequirementState.warn
    )
    return Requirement("gpu", title, state, found.told, found.fix)


def installed(medium: Medium | None) -> Requirement:
    title = Text("现有版本", "installed version")
    version = layout.current_version()
    if version is None:
        return Requirement("version", title, RequirementState.ok, Text("未安装", "none"))
    if medium and _parts(medium.version) < _parts(version):
        fix = Text(
            "要退回旧版请用 lingting-install rollback", "to go back use lingting-install rollback"
        )
        told = Text(
            f"{version}，比介质（{medium.version}）新",
            f"{version}, newer than the medium's {medium.version}",
        )
        return Requirement("version", title, RequirementState.fail, told, fix)
    return Requirement("version", title, RequirementState.ok, both(version))


def certificate(_: Medium | None) -> Requirement:
    """The box's own; an expired one is no reason not to upgrade."""
    title, release = Text("证书", "certificate"), layout.current_release()
    path = layout.SERVER.with_suffix(".pem")
    if release is None or not path.exists():
        return Requirement(
            "certificate", title, RequirementState.ok, Text("安装时签发", "made at installation")
        )
    shown = output_of(layout.lingting(release), "pki", "show", str(path))
    left = int((re.search(r"(-?\d+) days left", shown) or ["", "0"])[1])
    if left > GOOD_CERTIFICATE_DAYS:
        return Requirement(
            "certificate", title, RequirementState.ok, Text(f"还有 {left} 天", f"{left} days left")
        )
    told = Text("已过期", "expired") if left <= 0 else Text(f"仅剩 {left} 天", f"{left} days left")
    fix = Text("运行 lingting-install certificate", "run lingting-install certificate")
    return Requirement("certificate", title, RequirementState.warn, told, fix)


def _parts(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def firewall(_: Medium | None) -> Requirement:
    title = Text("防火墙", "firewall")
    active = [n for n in OTHER_FIREWALLS if works("systemctl", "is-active", "--quiet", n)]
    if active:
        fix = Text(
            f"停用 {active[0]}，或安装时加 --no-firewall 自行配置",
            f"disable {active[0]}, or install with --no-firewall and set it up yourself",
        )
        return Requirement("firewall", title, RequirementState.warn, both(", ".join(active)), fix)
    return Requirement("firewall", title, RequirementState.ok, both("nftables"))


CHECKS: tuple[Checker, ...] = (
    *(root, system, cpu, memory, disk, data_disk, scratch_disk, clock, service_manager, ports),
    *(gpu_check, installed, certificate, firewall),
)


def integrity(medium: Medium) -> Requirement:
    title = Text("安装介质", "medium")
    try:
        key = verify(medium, progress)
    except InstallError as error:
        return Requirement("medium", title, RequirementState.fail, error.cause, error.hint)
    if is_trial(medium.folder):
        told = Text(
            f"{medium.version}，完整，但由试用密钥 {key} 签名",
            f"{medium.version}, whole, but signed for trial by {key}",
        )
        fix = Text("仅供试用：正式环境请用发布介质", "for trying out only: serve by a released one")
        return Requirement("medium", title, RequirementState.warn, told, fix)
    if layout.TRUST.exists():
        told = Text(
            f"{medium.version}，完整，签名与本机信任的密钥相符",
            f"{medium.version}, whole, signed by the trusted key",
        )
        return Requirement("medium", title, RequirementState.ok, told)
    told = Text(
        f"{medium.version}，完整，签名密钥 {key}", f"{medium.version}, whole, signed by {key}"
    )
    fix = Text(
        "请与供应商另行告知的指纹核对，一致才安装",
        "compare it with the fingerprint that the vendor told you by another way",
    )
    return Requirement("medium", title, RequirementState.ok, told, fix)


def show(checks: list[Requirement], as_json: bool) -> bool:
    """Print them; whether the machine is fit."""
    fit = not any(check.state is RequirementState.fail for check in checks)
    if as_json:
        listed = [
            {
                "name": check.name,
                "state": check.state.value,
                "found": str(check.found),
                "fix": str(check.fix or ""),
            }
            for check in checks
        ]
        print(json.dumps({"fit": fit, "checks": listed}, ensure_ascii=False, indent=2))
        return fit
    for check in checks:
        mark = str(MARKS[check.state])
        print(f"  {_wide(mark, 6)}{_wide(str(check.title), 26)}{check.found}")
        if check.fix:
            print(f"        → {check.fix}")
    warnings = sum(check.state is RequirementState.warn for check in checks)
    failures = sum(check.state is RequirementState.fail for check in checks)
    if fit:
        print(Text(f"符合条件；{warnings} 项需注意", f"fit; {warnings} to be looked at"))
    else:
        print(Text(f"不符合条件：{failures} 项", f"not fit: {failures} of these"))
    return fit


def _wide(text: str, columns: int) -> str:
    """Padded as a terminal shows it: Chinese characters take two columns."""
    width = sum(2 if ord(character) > 0x2E80 else 1 for character in text)
    return text + " " * max(1, columns - width)
