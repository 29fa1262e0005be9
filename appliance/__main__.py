"""Entry point of the `lingting` command: wires, and turns errors into one readable line."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from appliance.cli.app import app
from appliance.errors import LingtingError

ENDING = (signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    for number in ENDING:  # leave nothing behind, as on Ctrl-C
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, _leave)
    try:
        app()
    except LingtingError as error:
        print(f"lingting: {error}", file=sys.stderr)
        sys.exit(3)


def _leave(number: int, frame: FrameType | None) -> None:
    for again in ENDING:  # a closing terminal often says it twice
        signal.signal(again, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
