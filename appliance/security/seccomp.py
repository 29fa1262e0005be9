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
PROCESSES = {62, 101, 200, 234, 310, 311}  # kill, ptrace, tkill, tgkill, process_vm_*
KERNEL = {165, 166, 250, 272, 308, 321, 323, 425, 426, 427}  # mount, keyctl, unshare, bpf, io_uring

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF instructions
_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | 1
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_X86_64, _X32 = 0xC000003E, 0x40000000
_PR_SET_SECCOMP, _MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def deny(numbers: Iterable[int]) -> bool:
    """From now on these calls fail here and in every child; False where that cannot be done."""
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
    refused = len(numbers) + 1  # from the first comparison to the refusal

    def line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("<HBBI", code, yes, no, value)

    lines = [
        line(_LOAD, _ARCHITECTURE),
        line(_EQUAL, _X86_64, 0, refused + 2),  # another architecture's numbers mean other calls
        line(_LOAD, _NUMBER),
        line(_AT_LEAST, _X32, refused, 0),
        *(line(_EQUAL, each, refused - 1 - place, 0) for place, each in enumerate(numbers)),
        line(_RETURN, _ALLOW),
        line(_RETURN, _EPERM),
    ]
    return b"".join(lines)
