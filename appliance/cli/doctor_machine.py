"""What `lingting doctor` says of the machine: processor, memory, disk."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import psutil

from appliance.cli.doctor_check import Check, CheckState
from appliance.cli.words import Bilingual
from appliance.settings import Settings

MIB, GIB = 1 << 20, 1 << 30
LEAST_PYTHON = (3, 11)
LEAST_MEMORY, GOOD_MEMORY = 1 * GIB, 2 * GIB
LEAST_DISK, GOOD_DISK = 1 * GIB, 5 * GIB
LEAST_SHARED = 128 * MIB
GOOD_CORES = 2


def python(settings: Settings) -> Check:
    found = platform.python_version()
    if sys.version_info[:2] < LEAST_PYTHON:
        fix = Bilingual(
            "install Python 3.11: apt-get install python3",
            "安装 Python 3.11：apt-get install python3",
        )
        return Check("python", CheckState.fail, found, fix)
    return Check("python", CheckState.ok, found)


def cpu_flags(settings: Settings) -> Check:
    flags = read_flags(Path("/proc/cpuinfo"))
    known = {"AVX2": "avx2", "AVX-512": "avx512f", "VNNI": "avx512_vnni", "AMX": "amx_int8"}
    have = [name for name, flag in known.items() if flag in flags]
    if platform.machine() not in ("x86_64", "AMD64"):
        found = Bilingual(
            f"{platform.machine()}: AVX does not apply", f"{platform.machine()}：无关 AVX"
        )
        return Check("cpu", CheckState.ok, found)
    if "AVX2" not in have:
        fix = Bilingual(
            "in a virtual machine, pass the host's CPU through (host-passthrough)",
            "虚拟机请直通宿主机 CPU（host-passthrough）",
        )
        found = Bilingual("no AVX2: recognition will be slow", "没有 AVX2：识别会很慢")
        return Check("cpu", CheckState.warn, found, fix)
    return Check("cpu", CheckState.ok, ", ".join(have))


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
        fix = Bilingual(f"give the machine {GOOD_CORES} cores", f"至少给本机 {GOOD_CORES} 核")
        return Check("cores", CheckState.warn, str(count), fix)
    return Check("cores", CheckState.ok, str(count))


def memory(settings: Settings) -> Check:
    fix = Bilingual("add memory or stop other programs", "加内存，或停用其他程序")
    return _enough("memory", psutil.virtual_memory().available, LEAST_MEMORY, GOOD_MEMORY, fix)


def disk(settings: Settings) -> Check:
    folder = tempfile.gettempdir()  # uploads are kept here while they are worked on
    free = shutil.disk_usage(folder).free
    fix = Bilingual(
        f"free space in {folder}, or point TMPDIR elsewhere",
        f"在 {folder} 腾出空间，或把 TMPDIR 指向别处",
    )
    return _enough("disk", free, LEAST_DISK, GOOD_DISK, fix, f" in {folder}")


def shared_memory(settings: Settings) -> Check:
    """Through it Triton and its Python backend pass windows."""
    if settings.triton.mode != "child":
        found = Bilingual(
            "not used: Triton is no child of the gateway", "不用：Triton 不由网关启动"
        )
        return Check("shared memory", CheckState.ok, found)
    folder = Path("/dev/shm")
    if not folder.is_dir():
        found = Bilingual("no /dev/shm: calls run on the CPU", "没有 /dev/shm：通话由 CPU 识别")
        return Check("shared memory", CheckState.warn, found, Bilingual("mount it", "挂载它"))
    free = shutil.disk_usage(folder).free
    if free < LEAST_SHARED:
        fix = Bilingual(
            "mount -o remount,size=1G /dev/shm (in a container: --shm-size=1g)",
            "mount -o remount,size=1G /dev/shm（容器：--shm-size=1g）",
        )
        return Check("shared memory", CheckState.warn, _free_of(free), fix)
    return Check("shared memory", CheckState.ok, _free_of(free))


def _free_of(size: int, where: str = "") -> Bilingual:
    shown = f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
    return Bilingual(f"{shown} free{where}", f"剩余 {shown}")


def _enough(name: str, free: int, least: int, good: int, fix: Bilingual, where: str = "") -> Check:
    found = _free_of(free, where)
    if free >= good:
        return Check(name, CheckState.ok, found)
    state, wanted = CheckState.warn if free >= least else CheckState.fail, f"{good / GIB:.0f} GiB"
    return Check(
        name, state, found, Bilingual(f"{fix}: at least {wanted}", f"{fix.zh}：至少 {wanted}")
    )
