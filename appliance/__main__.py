"""Entry point of the `lingting` command: wires, and turns errors into one readable line."""

from __future__ import annotations

import sys

from appliance.cli.app import app
from appliance.errors import LingtingError


def main() -> None:
    try:
        app()
    except LingtingError as error:
        print(f"lingting: {error}", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
