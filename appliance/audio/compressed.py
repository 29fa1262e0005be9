"""Compressed audio, decoded by a child process on a short leash (see child.py)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from appliance.audio import wire
from appliance.audio.pcm import Frames
from appliance.audio.sniff import ContainerKind
from appliance.audio.wire import SCRATCH_KEY
from appliance.errors import InvalidAudio, TooLarge
from appliance.security.scratch import Scratch

PIECE_BYTES = 2 << 20  # of samples that one call hands out, give or take a message
AHEAD_BYTES = 1 << 20  # of samples that may wait here; then the child waits
STALL_S = 60.0  # without a sign of life; the child's own limits act long before
CPU_BASE_S, CPU_PER_AUDIO_S = 30, 1 / 50  # decoding runs at some 500 times real time
SPOOL_BYTES_PER_S = 64_000  # 512 kbit/s, more than any speech needs
SPOOL_LEAST_BYTES = 64 << 20
_DOING = "decode compressed audio"
SHORT_S, SHORT_SHARE = 0.3, 0.01  # by which a header may be wrong
_ROOT = str(Path(__file__).parents[2])


# A place for a process, held while it lives; raises Overloaded.
Reserve = Callable[[], AbstractContextManager[None]]


class CompressedSource:
    """Feeds a child and takes its samples, both at once; owns the process until `close`.

    In a live call `feed` answers with all that follows from the bytes so far; in a recording with
    what has come in the meantime, so that both sides work.
    """

    def __init__(
        self,
        kind: ContainerKind,
        *,
        live: bool,
        max_duration_s: float,
        reserve: Reserve = contextlib.nullcontext,
    ) -> None:
        self._reserve, self._reserved = reserve, contextlib.ExitStack()
        self.rate_hz = self.channels = 0
        self.codec = ""
        self._live = live
        self._command = (
            *(sys.executable, "-P", "-m", "appliance.audio.child", kind.value),
            *("live" if live else "recording", str(_cpu_seconds(max_duration_s)), str(os.getpid())),
        )
        self._spool: _Spool | None = _Spool(max_duration_s) if kind is ContainerKind.MP4 else None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()  # anything below, or `_draining` is done
        self._room = asyncio.Event()
        self._blocks: deque[bytes] = deque()
        self._held = 0  # bytes in `_blocks`
        self._sent = self._consumed = 0  # bytes of input
        self._ended = False
        self._reason = ""
        self._promised_s = 0.0  # by its header; 0: it says nothing
        self._decoded = 0  # frames

    async def feed(self, data: bytes) -> Frames:
        """Raises InvalidAudio with ffmpeg's reason."""
        if self._spool:
            await self._spool.write(data)
            return self._frames([])
        process = await self._start()
        assert process.stdin
        if not self._ended:
            process.stdin.write(data)
            self._sent += len(data)
            if self._draining is None or self._draining.done():
                self._draining = asyncio.create_task(_drain(process.stdin))
                self._draining.add_done_callback(lambda _: self._changed.set())
        taken = await self._take(eager=True)
        if self._ended and not taken:  # what was sound before the damage goes out first
            await self._verdict(process)
        return self._frames(taken)

    async def drain(self) -> AsyncIterator[Frames]:
        """The rest, in pieces; raises InvalidAudio with ffmpeg's reason."""
        process = await self._start()
        if process.stdin:
            with contextlib.suppress(OSError):  # it has ended already
                process.stdin.write_eof()
        while not self._ended or self._blocks:
            yield self._frames(await self._take(eager=False))
        await self._verdict(process)

    @property
    def cut_short(self) -> bool:
        """Whether clearly less came than its header tells of; known once drained."""
        decoded_s = self._decoded / max(self.rate_hz, 1)
        return decoded_s < self._promised_s * (1 - SHORT_SHARE) - SHORT_S

    async def close(self) -> None:
        if self._spool:
            self._spool.scratch.close()
        tasks = [task for task in (self._reader, self._draining) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._process:
            await _bury(self._process)
        self._reserved.close()

    async def _start(self) -> asyncio.subprocess.Process:
        if self._process is None:
            self._reserved.enter_context(self._reserve())
            spooled = self._spool.scratch if self._spool else None
            env = {"PYTHONPATH": _ROOT, "LC_ALL": "C"}
            if spooled:
                env[SCRATCH_KEY] = spooled.key.hex()
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=spooled.file if spooled else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=env,
            )
            self._reader = asyncio.create_task(self._read(self._process))
        return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        try:
            while True:
                kind, size = wire.HEAD.unpack(await process.stdout.readexactly(wire.HEAD.size))
                await self._message(kind, await process.stdout.readexactly(size))
        except asyncio.IncompleteReadError:
            self._ended = True
            self._changed.set()

    async def _message(self, kind: bytes, body: bytes) -> None:
        if kind == wire.KIND_FORMAT:
            self.rate_hz, self.channels, codec = wire.FORMAT.unpack(body)
            self.codec = codec.rstrip(b"\0").decode()
        elif kind == wire.KIND_HUNGRY:
            (self._consumed,) = wire.HUNGRY.unpack(body)
        elif kind == wire.KIND_PROMISED:
            (self._promised_s,) = wire.PROMISED.unpack(body)
        elif kind == wire.KIND_ERROR:
            self._reason = body.decode(errors="replace")
        else:
            self._blocks.append(body)
            self._held += len(body)
        self._changed.set()
        if self._held >= AHEAD_BYTES:
            self._room.clear()
            await self._room.wait()

    async def _take(self, *, eager: bool) -> list[bytes]:
        """Blocks of samples up to a piece; eager: no more than there is reason to wait for."""
        taken: list[bytes] = []
        size = 0
        while True:
            self._changed.clear()
            while self._blocks and size < PIECE_BYTES:
                taken.append(self._blocks.popleft())
                size += len(taken[-1])
                self._held -= len(taken[-1])
            self._room.set()
            if size >= PIECE_BYTES or self._ended or (eager and self._fed()):
                return taken
            try:
                async with asyncio.timeout(STALL_S):
                    await self._changed.wait()
            except TimeoutError as error:
                raise InvalidAudio(_DOING, f"nothing came out of it for {STALL_S:g} s") from error

    def _fed(self) -> bool:
        if self._live:
            return self._consumed >= self._sent
        return self._draining is None or self._draining.done()

    async def _verdict(self, process: asyncio.subprocess.Process) -> None:
        """Say why the child ended, if not well."""
        code = await process.wait()
        if code == 0:
            return
        cause = self._reason or "the decoder died"
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            cause = "decoding took more processor time or memory than any recording needs"
        raise InvalidAudio(_DOING, cause, "the file is damaged or not what it claims to be")

    def _frames(self, blocks: list[bytes]) -> Frames:
        values = np.frombuffer(b"".join(blocks), "<i2").astype(np.float32) / np.float32(32768)
        frames = values.reshape(-1, max(self.channels, 1))
        self._decoded += len(frames)
        return frames


class _Spool:
    """A sealed file, for formats that have their index at the end."""

    def __init__(self, max_duration_s: float) -> None:
        self.scratch = Scratch()
        self._most = max(int(max_duration_s * SPOOL_BYTES_PER_S), SPOOL_LEAST_BYTES)
        self._size = 0

    async def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most:
            raise TooLarge(_DOING, f"the file has more than {self._most} bytes", "split it")
        await asyncio.to_thread(self.scratch.write, data)


async def _drain(stdin: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # the child's end is seen where its output is read
        await stdin.drain()


async def _bury(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin:
        process.stdin.close()
    # asyncio sees the end of a process only when its pipes have been read to theirs.
    while process.stdout and await process.stdout.read(1 << 16):
        pass
    await process.wait()


def _cpu_seconds(max_duration_s: float) -> int:
    return CPU_BASE_S + int(max_duration_s * CPU_PER_AUDIO_S)
