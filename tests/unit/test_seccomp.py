"""What is taken away fails, what is left works; each try in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")

DENIED = (
    "from appliance.security import seccomp as s\n"
    "s.deny(s.NETWORK | s.PROGRAMS | s.PROCESSES | s.KERNEL | s.FILES)\n"
)
TRIES = {
    "socket": "socket.socket()",
    "pair": "socket.socketpair()",
    "exec": "os.execv('/bin/true', ['true'])",
    "fork": "pid = os.fork(); pid or os._exit(0); os.waitpid(pid, 0)",
    "kill": "os.kill(os.getppid(), 0)",
    "pidfd": "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)",
    "read": "open('/etc/hostname').read()",
    "write": "open('/dev/null', 'w').write('x')",
    "unlink": "unlink('/tmp/nothing-of-that-name')",
    "list": "os.listdir('/etc')",
}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


IMPORTS = "import os, signal, socket\nfrom pathlib import Path\n"
IMPORTS += "unlink = lambda name: Path(name).unlink(missing_ok=True)\n"


@pytest.mark.parametrize("what", TRIES)
def test_it_is_denied(what: str) -> None:
    before = run(f"{IMPORTS}{TRIES[what]}")
    assert before.returncode == 0, before.stderr
    done = run(f"{IMPORTS}{DENIED}{TRIES[what]}")
    assert done.returncode != 0
    assert "not permitted" in done.stderr, done.stderr


def test_work_goes_on() -> None:
    code = f"import threading, numpy\n{DENIED}"
    code += "t=threading.Thread(target=print, args=('done',)); t.start(); t.join()"
    assert run(code).stdout.strip() == "done"
