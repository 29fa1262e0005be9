"""Install Debian packages the tests need, or say which line to run: `apt.py PACKAGE…`."""

import os
import shutil
import subprocess
import sys

# package -> a file or program that shows it is there
PROBES = {"espeak-ng": "espeak-ng"}


def main(packages: list[str]) -> int:
    missing = [name for name in packages if not shutil.which(PROBES.get(name, name))]
    if not missing:
        return 0
    line = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"missing: {' '.join(missing)}. Run this once as root:\n  {line}", file=sys.stderr)
        return 1
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*line.split(), "-qq"], check=True, env=quiet, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
