"""`make vm-test`: two media, and the story of provisioning/vm/virtual.py between them."""

from __future__ import annotations

import sys

from provisioning.vm import virtual
from tests.machine import BUILD, MIGRATION, medium


def main() -> int:
    (BUILD / "media").mkdir(parents=True, exist_ok=True)
    medium("0.1.0")
    medium("0.2.0", ("appliance/store/migrations/versions/main_9001_later.py", MIGRATION))
    media = [str(BUILD / "media" / version) for version in ("0.1.0", "0.2.0")]
    sys.argv[1:1] = [str(BUILD / "vm.tar"), *media, "--work", str(BUILD)]
    return virtual.main()


if __name__ == "__main__":
    sys.exit(main())
