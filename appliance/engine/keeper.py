"""Runs Triton, takes its whole group down with it: `… GATEWAY_PID SHM_PREFIX WORK COMMAND`.

A Python stub of a killed tritonserver may wait for ever on a lock that its server held, so the
server's death is not enough. The gateway starts this with a parent-death signal: SIGTERM with the
gateway alive is passed on, SIGTERM with the gateway dead, or the end of the server, kills all. A
dead gateway cannot clear away its WORK folder either.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

from appliance.engine.process import leash, sweep

ENDED = "tritonserver ended with "


def main(gateway: int, prefix: str, work: str, command: list[str]) -> None:
    begun = time.time()
    if os.getppid() != gateway:
        return  # it died before its death could be signalled
    server = subprocess.Popen([*leash("start Triton"), *command])

    def told_to_stop(_number: int, _frame: object) -> None:
        if os.getppid() != gateway:
            end()
        server.terminate()

    def end() -> None:
        sweep(prefix, begun)
        if os.getppid() != gateway:
            shutil.rmtree(work, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGTERM, told_to_stop)
    code = server.wait()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(f"{ENDED}{code}", flush=True)
    end()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
