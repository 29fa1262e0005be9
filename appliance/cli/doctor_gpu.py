"""What `lingting doctor` says of GPUs: which there are, and what keeps a card from being used."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from appliance.cli.doctor_kept import Check, State
from appliance.settings import Settings

DRIVER, PCI = Path("/proc/driver/nvidia/gpus"), Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY_CLASSES = "0x10de", ("0x0300", "0x0302")
LEAST_DRIVER = 525  # the first that runs CUDA 12
QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def gpu(settings: Settings) -> Check:
    """Without one that can be used the box hears on the CPU; that is no fault unless it was set."""
    check = _look(settings)
    if check.state is not State.ok and settings.triton.kind == "gpu":
        return Check(check.name, State.fail, f"{check.found}; triton.kind demands one", check.fix)
    return check


def _look(settings: Settings) -> Check:
    listed = _nvidia_smi()
    if listed:
        return _usable(settings, listed)
    if DRIVER.is_dir() and (count := len(list(DRIVER.iterdir()))):
        fix = "reboot, or install the driver that fits this kernel, with nvidia-smi"
        return Check("gpu", State.warn, f"{count} by the driver, but nvidia-smi fails", fix)
    if count := cards(PCI):
        fix = f"install NVIDIA's driver, {LEAST_DRIVER} or later, then: lingting-install gpu"
        return Check("gpu", State.warn, f"{count} cards, but no driver: CPU mode", fix)
    if settings.triton.kind == "gpu":
        return Check("gpu", State.fail, "none", "install a card, or set triton.kind to auto")
    return Check("gpu", State.ok, "none: CPU mode")


def _usable(settings: Settings, listed: list[str]) -> Check:
    found = "; ".join(listed)
    driver = listed[0].rpartition(",")[2].strip().split(".")[0]
    if driver.isdecimal() and int(driver) < LEAST_DRIVER:
        fix = f"install NVIDIA's driver, {LEAST_DRIVER} or later"
        return Check("gpu", State.warn, f"{found}: the driver is too old", fix)
    if find_spec("nvidia") is None:
        fix = "lingting-install gpu --medium FOLDER, with a medium built for GPUs"
        return Check("gpu", State.warn, f"{found}, but CUDA's libraries are missing: CPU mode", fix)
    if settings.triton.kind == "cpu":
        fix = "lingting-install gpu, or set triton.kind to auto"
        return Check("gpu", State.warn, f"{found}, but triton.kind is cpu", fix)
    return Check("gpu", State.ok, found)


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
