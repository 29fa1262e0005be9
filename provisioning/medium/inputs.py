"""What a medium needs from outside: wheels and Debian packages, fetched once and checked by hash.

Wheels come pinned by requirements/*.txt; Debian's packages are those of the building machine's own
release, checked by apt's signatures. Both are kept, so that a second build fetches nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROFILES = {
    "cpu": ("bootstrap", "gateway", "cpu", "payload"),
    "gpu": ("gpu",),  # what a GPU needs beside
}
COMPILED = "box"  # requirements of which some come as source: built here into wheels
APT_PACKAGES = ("python3", "python3-venv", "libpython3.11", "nftables")
TARGET = ("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "abi3")
TARGET += ("--abi", "none")
# The C libraries whose wheels run on Debian 12 (glibc 2.36).
PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(36, 16, -1)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"),
)
TRITON_WHEEL = "nvidia_pytriton"


class FetchFailed(RuntimeError):
    """Something could not be had; the message holds the fetching program's last words."""


def fetch_wheels(requirements: Path, target: Path, profile: str) -> None:
    """Download a profile's wheels into `target`, which is made anew; raises FetchFailed."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    files = [requirements / f"{name}.txt" for name in PROFILES[profile]]
    platforms = [part for name in PLATFORMS for part in ("--platform", name)]
    wanted = [part for path in files for part in ("-r", str(path))]
    _pip(
        *("download", "--no-deps", "--require-hashes", "--only-binary=:all:", *TARGET),
        *(*platforms, "--dest", str(target), *wanted),
    )


def build_wheels(requirements: Path, target: Path) -> None:
    """Fetch and compile what has no wheel that suits; needs libsystemd-dev and a compiler."""
    target.mkdir(parents=True, exist_ok=True)
    _pip(
        *("wheel", "--no-deps", "--require-hashes", "--no-build-isolation"),
        *("--wheel-dir", str(target), "-r", str(requirements / f"{COMPILED}.txt")),
    )


def _pip(*arguments: str) -> None:
    # Compiled wheels hold neither the time nor the place of their making.
    flags = f"{os.environ.get('CFLAGS', '')} -g0 -ffile-prefix-map=/=./"
    environment = {**os.environ, "CFLAGS": flags, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(
        [*command, "--quiet", "--no-input"], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise FetchFailed(f"pip {arguments[0]}: {_last_words(done.stderr)}")


def fetch_packages(target: Path) -> None:
    """Download Debian packages with all they depend on, as if nothing were installed."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    if shutil.which("apt-get") is None:
        raise FetchFailed("apt-get is missing: build the medium on Debian 12")
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    if 'VERSION_ID="12"' not in release or "ID=debian" not in release:
        raise FetchFailed("the medium is for Debian 12 and must be built on it")
    (target / "partial").mkdir(exist_ok=True)
    nothing = target / "nothing-installed"
    nothing.touch()
    options = {
        "Dir::State::status": nothing,
        "Dir::Cache::archives": target,
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root",
    }
    given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    get = ["apt-get", "install", "-y", "-qq", "--download-only", "--no-install-recommends"]
    done = subprocess.run([*get, *given, *APT_PACKAGES], capture_output=True, text=True)
    shutil.rmtree(target / "partial")
    nothing.unlink()
    if done.returncode:
        raise FetchFailed(f"apt-get: {_last_words(done.stderr)}; run `apt-get update` first")


def lock(wheels: list[Path]) -> str:
    """A requirements file of exactly these wheels, with their hashes."""
    lines = []
    for wheel in sorted(wheels, key=lambda path: path.name.lower()):
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{re.sub(r'[-_.]+', '-', name).lower()}=={version} --hash=sha256:{digest}")
    return "\n".join(lines) + "\n"


def _last_words(output: str) -> str:
    lines = [line for line in output.strip().splitlines() if not line.startswith("W")]
    return " ".join(lines[-3:])[:600] or "it said nothing"
