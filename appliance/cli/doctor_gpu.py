"""What `lingting doctor` says of GPUs: which there are, and what keeps a card from being used."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from appliance.cli.doctor_check import Check, CheckState
from appliance.cli.words import Bilingual, in_language
from appliance.settings import Settings

DRIVER, PCI = Path("/proc/driver/nvidia/gpus"), Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY_CLASSES = "0x10de", ("0x0300", "0x0302")
LEAST_DRIVER = 525  # the first that runs CUDA 12
QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def gpu(settings: Settings) -> Check:
    """Without one that can be used the box hears on the CPU; that is no fault unless it was set."""
    check = _look(settings)
    if check.state is not CheckState.ok and settings.triton.kind == "gpu":
        found = Bilingual(
            f"{check.found}; triton.kind demands one",
            f"{in_language(check.found, 'zh')}；triton.kind 要求有 GPU",
        )
        return Check(check.name, CheckState.fail, found, check.fix)
    return check


def _look(settings: Settings) -> Check:
    listed = _nvidia_smi()
    if listed:
        return _usable(settings, listed)
    if DRIVER.is_dir() and (count := len(list(DRIVER.iterdir()))):
        fix = Bilingual(
            "reboot, or install the driver that fits this kernel, with nvidia-smi",
            "重启，或重装与内核匹配、带 nvidia-smi 的驱动",
        )
        found = Bilingual(
            f"{count} by the driver, but nvidia-smi fails",
            f"驱动报告有 {count} 块，但 nvidia-smi 失败",
        )
        return Check("gpu", CheckState.warn, found, fix)
    if count := cards(PCI):
        fix = Bilingual(
            f"install NVIDIA's driver, {LEAST_DRIVER} or later, then: lingting-install gpu",
            f"安装 NVIDIA 驱动（{LEAST_DRIVER} 以上），再运行 lingting-install gpu",
        )
        found = Bilingual(
            f"{count} cards, but no driver: CPU mode", f"{count} 块显卡，没有驱动：使用 CPU"
        )
        return Check("gpu", CheckState.warn, found, fix)
    if settings.triton.kind == "gpu":
        fix = Bilingual(
            "install a card, or set triton.kind to auto", "装上显卡，或把 triton.kind 设为 auto"
        )
        return Check("gpu", CheckState.fail, Bilingual("none", "没有"), fix)
    return Check("gpu", CheckState.ok, Bilingual("none: CPU mode", "没有：使用 CPU"))


def _usable(settings: Settings, listed: list[str]) -> Check:
    found = "; ".join(listed)
    driver = listed[0].rpartition(",")[2].strip().split(".")[0]
    if driver.isdecimal() and int(driver) < LEAST_DRIVER:
        fix = Bilingual(
            f"install NVIDIA's driver, {LEAST_DRIVER} or later",
            f"安装 {LEAST_DRIVER} 以上的 NVIDIA 驱动",
        )
        old = Bilingual(f"{found}: the driver is too old", f"{found}：驱动太旧")
        return Check("gpu", CheckState.warn, old, fix)
    if find_spec("nvidia") is None:
        fix = Bilingual(
            "lingting-install gpu --medium FOLDER, with a medium built for GPUs",
            "用带 GPU 程序包的介质运行 lingting-install gpu --medium 介质目录",
        )
        without = Bilingual(
            f"{found}, but CUDA's libraries are missing: CPU mode",
            f"{found}，但缺少 CUDA 库：使用 CPU",
        )
        return Check("gpu", CheckState.warn, without, fix)
    if settings.triton.kind == "cpu":
        fix = Bilingual(
            "lingting-install gpu, or set triton.kind to auto",
            "运行 lingting-install gpu，或把 triton.kind 设为 auto",
        )
        unused = Bilingual(f"{found}, but triton.kind is cpu", f"{found}，但 triton.kind 设为 cpu")
        return Check("gpu", CheckState.warn, unused, fix)
    return Check("gpu", CheckState.ok, found)


def _nvidia_smi() -> list[str]:
    """One line a card; none if it fails."""
    if not shutil.which("nvidia-smi"):
        return []
    try:
        done = subprocess.run(["nvidia-smi", *QUERY], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def cards(devices: Path) -> int:
    """NVIDIA's on the PCI bus, driver or not."""
    found = 0
    for device in devices.glob("*"):
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        found += vendor == NVIDIA and kind.startswith(DISPLAY_CLASSES)
    return found
