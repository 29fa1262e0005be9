"""Install Debian packages that are missing, or say which one line to run.

`apt.py [--optional WHY] PACKAGE…`. Standard library only: it runs before there is an environment.
With --optional a missing package is no failure; WHY tells what is lost without it.
"""

import argparse
import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBPYTHON = f"libpython{VERSION}"  # a package, and the library Triton's Python backend embeds


def has_libpython() -> bool:
    """Whether the loader finds it, or it lies in LIBDIR, where the gateway points Triton to."""
    name = f"{LIBPYTHON}.so.1.0"
    try:
        ctypes.CDLL(name)
    except OSError:
        return (Path(sysconfig.get_config_var("LIBDIR") or "/") / name).exists()
    return True


# package -> a program of it that has another name
PROGRAMS = {
    "dpkg-dev": "dpkg-scanpackages",
    "gnupg": "gpg",
    "systemd-container": "systemd-nspawn",
    "systemd": "systemd-analyze",
    "nftables": "nft",
    "iproute2": "ip",
    "qemu-system-x86": "qemu-system-x86_64",
    "e2fsprogs": "mke2fs",
    "openjdk-17-jdk-headless": "javac",
    "protobuf-compiler": "protoc",
    "protobuf-compiler-grpc-java-plugin": "grpc_java_plugin",
}
# package -> a jar of it
JARS = {
    "libgrpc-java": "grpc-netty",
    "libprotobuf-java": "protobuf",
    "libnetty-java": "netty-handler",
    "libnetty-tcnative-java": "netty-tcnative",
    "libperfmark-java": "perfmark-api",
    "libguava-java": "guava",
    "libgeronimo-annotation-1.3-spec-java": "geronimo-annotation-1.3-spec",
}


def _has_program(name: str) -> bool:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


# package -> whether what it is wanted for is there; any other is known by a program of its name
PROBES: dict[str, Callable[[], bool]] = {
    "python3-venv": lambda: importlib.util.find_spec("ensurepip") is not None,
    LIBPYTHON: has_libpython,
    "postgresql": lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    "libsystemd-dev": lambda: Path("/usr/include/systemd/sd-daemon.h").exists(),
    **{
        package: lambda jar=jar: Path(f"/usr/share/java/{jar}.jar").exists()
        for package, jar in JARS.items()
    },
    "libnetty-tcnative-jni": lambda: any(Path("/usr/lib").glob("*/jni/libnetty-tcnative.so")),
    "libfaketime": lambda: any(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")),
    **{package: lambda name=name: _has_program(name) for package, name in PROGRAMS.items()},
}


def is_there(package: str) -> bool:
    probe = PROBES.get(package)
    return probe() if probe else _has_program(package)


def install(packages: list[str]) -> bool:
    """As root on a Debian; returns whether it worked."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"installing {' '.join(packages)} ...", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    get = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], get):
        done = subprocess.run(
            command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="+", help=f"Debian packages; libpython: {LIBPYTHON}")
    parser.add_argument("--optional", metavar="WHY", default="")
    given = parser.parse_args()
    wanted = [LIBPYTHON if name == "libpython" else name for name in given.packages]
    missing = [name for name in wanted if not is_there(name)]
    if not missing or install(missing):
        return 0
    why = f" {given.optional}" if given.optional else ""
    print(
        f"missing: {' '.join(missing)}.{why} Run this once as root:\n"
        f"  apt-get install -y --no-install-recommends {' '.join(missing)}",
        file=sys.stderr,
    )
    return 0 if given.optional else 1


if __name__ == "__main__":
    sys.exit(main())
