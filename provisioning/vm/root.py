"""`python -m provisioning.vm.root container|vm TARGET.tar`: a clean Debian 12, as an archive.

The only step that uses the network; nothing of ours is in it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

SERVER = ("systemd", "systemd-sysv", "dbus", "iproute2", "gpgv", "apt", "kmod")
# What a virtual machine needs beside: a kernel, the time, names.
PACKAGES = {"container": SERVER, "vm": (*SERVER, "udev", "linux-image-amd64", "systemd-timesyncd")}


def build(kind: str, target: Path) -> None:
    """Raises RuntimeError with mmdebstrap's last words."""
    if shutil.which("mmdebstrap") is None:
        raise RuntimeError("mmdebstrap is missing: apt-get install mmdebstrap")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part.tar")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root"]
    command += [f"--include={','.join(PACKAGES[kind])}", "bookworm", str(partial)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("\n".join(done.stderr.splitlines()[-5:]))
    partial.rename(target)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m provisioning.vm.root", description=__doc__)
    parser.add_argument("kind", choices=sorted(PACKAGES))
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    try:
        build(given.kind, given.target)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
