"""Take system calls away from this process, for good: network, other programs, other processes.

A kernel filter (seccomp-BPF): what is denied fails with EPERM. Linux on x86-64; elsewhere nothing
is taken away, and `deny` says so.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable

# Numbers of asm/unistd_64.h.
NETWORK = {41, 42, 43, 44, 46, 49, 50, 53, 288, 307}  # socket, connect, accept, send, bind, ...
PROGRAMS = {57, 58, 59, 322}  # fork, vfork, execve, execveat
# kill, ptrace, rt_sigqueueinfo, tkill, tgkill, rt_tgsigqueueinfo, process_vm_*, pidfd_*
PROCESSES = {62, 101, 129, 200, 234, 297, 310, 311, 424, 434, 438}
# open, creat, openat, openat2, stat and every call that changes a name or what belongs to it
FILES = {2, 4, 6, 21, 76, 80, 82, 83, 84, 85, 86, 87, 88, 89, 90, 92, 94, 132, 133, 161, 188, 189}
FILES |= {190, 191, 192, 194, 195, 197, 198, 235, 257, 258, 259, 260, 261, 263, 264, 265, 266, 267}
FILES |= {268, 269, 280, 303, 304, 316, 332, 437, 439, 452}
KERNEL = {165, 166, 250, 272, 308, 321, 323, 425, 426, 427}  # mount, keyctl, unshare, bpf, io_uring

_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF instructions
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_CLONE, _CLONE3, _CLONE_THREAD = 56, 435, 0x00010000
_X86_64, _X32 = 0xC000003E, 0x40000000
_PR_SET_SECCOMP, _MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def deny(numbers: Iterable[int]) -> bool:
    """From now on these calls fail here and in every thread; False where that cannot be done.

    Threads may be made, processes never: glibc's fork is clone, its threads are clone3, and where
    that is not there clone with a flag that this filter can see.
    """
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return False
    code = _assemble(sorted(set(numbers)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
    return True


def _assemble(numbers: list[int]) -> bytes:
    """The filter; a jump counts the instructions it leaves out."""

    def line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("<HBBI", code, yes, no, value)

    special = [
        line(_EQUAL, _CLONE3, 0, 1),
        line(_RETURN, _ENOSYS),  # so that glibc falls back to clone
        line(_EQUAL, _CLONE, 0, 4),
        line(_LOAD, _FIRST_ARGUMENT),
        line(_BITS, _CLONE_THREAD, 0, 1),
        line(_RETURN, _ALLOW),
        line(_RETURN, _EPERM),
    ]
    refused = len(special) + len(numbers) + 1  # from the first of them to the refusal
    checks = [line(_EQUAL, each, len(numbers) - place, 0) for place, each in enumerate(numbers)]
    lines = [
        line(_LOAD, _ARCHITECTURE),
        line(_EQUAL, _X86_64, 0, refused + 2),  # another architecture's numbers mean other calls
        line(_LOAD, _NUMBER),
        line(_AT_LEAST, _X32, refused, 0),
        *special,
        *checks,
        line(_RETURN, _ALLOW),
        line(_RETURN, _EPERM),
    ]
    return b"".join(lines)
