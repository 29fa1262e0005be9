"""What is taken away fails, what is left works; each try in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")

DENIED = (
    "from appliance.security import seccomp as s\n"
    "s.deny(s.NETWORK | s.PROGRAMS | s.PROCESSES | s.KERNEL)\n"
)
TRIES = {
    "socket": "import socket; socket.socket()",
    "pair": "import socket; socket.socketpair()",
    "exec": "import os; os.execv('/bin/true', ['true'])",
    "fork": "import ctypes; c=ctypes.CDLL(None, use_errno=True); "
    "assert c.syscall(57) != -1, 'denied'; import os; os._exit(0)",
    "kill": "import os, signal; os.kill(os.getppid(), 0)",
    "io_uring": "import ctypes; c=ctypes.CDLL(None, use_errno=True); "
    "assert c.syscall(425, 1, 0) != -1 or ctypes.get_errno() != 1, 'denied'",
}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("what", TRIES)
def test_it_is_denied(what: str) -> None:
    assert run(f"import socket\n{TRIES[what]}").returncode == 0 or what == "io_uring"
    done = run(f"import socket\n{DENIED}{TRIES[what]}")
    assert done.returncode != 0
    assert "not permitted" in done.stderr or "denied" in done.stderr


def test_work_goes_on() -> None:
    code = f"{DENIED}import threading, tempfile, numpy\n"
    code += "t=threading.Thread(target=print, args=('done',)); t.start(); t.join()"
    assert run(code).stdout.strip() == "done"
