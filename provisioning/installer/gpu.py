"""Which GPU there is, and whether what is on this machine can use it. Nothing is downloaded."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from installer.system import output_of
from installer.words import Text

LEAST_DRIVER = 525  # the first that runs CUDA 12
LEAST_VRAM_MIB = 6000
DRIVERS = Path("/proc/driver/nvidia/gpus")
PCI = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY_CLASSES = "0x10de", ("0x0300", "0x0302")


@dataclass(frozen=True, slots=True)
class GpuFound:
    """kind: none, ready, or why a card cannot be used: no-driver, broken, old, small."""

    kind: str
    told: Text
    fix: Text | None = None


def look() -> GpuFound:
    """Judged by the first card; a container runtime for GPUs is told, and not needed."""
    found = _look()
    if found.kind == "ready" and shutil.which("nvidia-ctk"):
        beside = Text(
            "；NVIDIA 容器工具不需要：自带 Triton",
            "; NVIDIA's container toolkit is not needed: the box brings its own Triton",
        )
        return replace(found, told=Text(found.told.zh + beside.zh, found.told.en + beside.en))
    return found


def _look() -> GpuFound:
    listed = output_of(
        "nvidia-smi",
        "--query-gpu=name,memory.total,driver_version",
        "--format=csv,noheader,nounits",
    )
    if listed:
        return _judge(listed.splitlines())
    if DRIVERS.is_dir() and any(DRIVERS.iterdir()):
        return GpuFound(
            "broken",
            Text(
                "有驱动，但 nvidia-smi 失败：将使用 CPU", "a driver, but nvidia-smi fails: CPU mode"
            ),
            Text("重启，或重装与内核匹配的驱动", "reboot, or install the driver for this kernel"),
        )
    if cards := _cards():
        return GpuFound(
            "no-driver",
            Text(
                f"{cards} 块 NVIDIA 卡，无驱动：将使用 CPU",
                f"{cards} NVIDIA cards, no driver: CPU mode",
            ),
            Text(
                f"离线安装 NVIDIA 驱动（{LEAST_DRIVER} 以上）后运行 lingting-install gpu",
                f"install NVIDIA's driver ({LEAST_DRIVER} or later) offline, "
                "then run lingting-install gpu",
            ),
        )
    return GpuFound("none", Text("无：使用 CPU", "none: CPU mode"))


def _judge(lines: list[str]) -> GpuFound:
    cards = [[part.strip() for part in line.split(",")] for line in lines]
    name, memory_mib, driver = cards[0]
    told = Text(
        f"{len(cards)} × {name}，{memory_mib} MiB，驱动 {driver}",
        f"{len(cards)} x {name}, {memory_mib} MiB, driver {driver}",
    )
    if _number(driver) < LEAST_DRIVER:
        fix = Text(f"驱动需 {LEAST_DRIVER} 以上", f"the driver must be {LEAST_DRIVER} or later")
        return GpuFound("old", told, fix)
    if _number(memory_mib) < LEAST_VRAM_MIB:
        fix = Text("显存不足以容纳大模型", "too little memory for large models")
        return GpuFound("small", told, fix)
    return GpuFound("ready", told)


def _cards() -> int:
    """NVIDIA's on the PCI bus, driver or not."""
    found = 0
    for device in PCI.glob("*") if PCI.is_dir() else ():
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        found += vendor == NVIDIA and kind.startswith(DISPLAY_CLASSES)
    return found


def _number(told: str) -> int:
    """The first of what nvidia-smi says; 0 for "[N/A]"."""
    digits = told.partition(".")[0].strip()
    return int(digits) if digits.isdecimal() else 0
