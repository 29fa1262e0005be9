"""`lingting cpu`: whoever connects to its socket gets a worker process of their own.

The connection is the worker's stdin and stdout, so nothing is copied in between. A worker ends with
its caller, even one that hangs; beyond `cpu.workers` and one at once, callers wait in the socket's
backlog.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psutil

from appliance.engine.cpu import worker_command
from appliance.engine.lineup import Variants
from appliance.engine.process import ONE_BLAS_THREAD
from appliance.errors import SettingsError
from appliance.settings import Settings
from inference.tensors import BAD_BUNDLE

log = logging.getLogger(__name__)

POLL_S = 0.25
GONE = select.POLLHUP | select.POLLERR | select.POLLRDHUP
LINGER_S = 1.0  # for a worker to end by itself once its caller has
SOCKET_MODE = 0o660


class CpuService:
    """`serve` until cancelled.

    Args:
        listener: a listening Unix socket, non-blocking.
        serving: the settings and variants that a worker serves which starts now.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        serving: Callable[[], tuple[Settings, Variants]] | None = None,
    ) -> None:
        self._serving = serving or (lambda: (settings, {}))
        # One more than work at once: a new worker is up before its old one goes.
        self._most = settings.cpu.workers + 1
        self._listener = listener
        self._spoilt = False  # the last worker found a bundle broken: the next starts without any
        self._workers: dict[int, asyncio.Task[None]] = {}  # by process id

    async def serve(self) -> None:
        loop, places = asyncio.get_running_loop(), asyncio.Semaphore(self._most)
        try:
            while True:
                await places.acquire()
                caller, _ = await loop.sock_accept(self._listener)
                process = await self._spawn(caller)
                task = asyncio.create_task(self._look_after(process, caller, places))
                self._workers[process.pid] = task
        finally:
            working = list(self._workers.values())
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def _spawn(self, caller: socket.socket) -> asyncio.subprocess.Process:
        caller.setblocking(True)  # the worker reads and writes it as a file
        settings, variants = await asyncio.to_thread(self._serving)
        if self._spoilt or settings.models.asr_standby:  # one of its own stays alone
            variants = {}
        return await asyncio.create_subprocess_exec(
            *worker_command(settings, variants),
            stdin=caller.fileno(),
            stdout=caller.fileno(),
            env={**os.environ, **ONE_BLAS_THREAD},
        )

    async def _look_after(
        self, process: asyncio.subprocess.Process, caller: socket.socket, places: asyncio.Semaphore
    ) -> None:
        try:
            await _until_over(process, caller)
            self._spoilt = process.returncode == BAD_BUNDLE and not self._spoilt
        finally:
            self._workers.pop(process.pid, None)
            places.release()

    async def progress(self) -> bool:
        """Whether the service does its work; a worker that somebody stopped is ended."""
        for pid in self._workers:
            if _is_stopped(pid):
                log.warning("worker %d stands still and is ended", pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return True


async def _until_over(process: asyncio.subprocess.Process, caller: socket.socket) -> None:
    """Until the worker ends, or its caller has and then it too."""
    poll = select.poll()
    poll.register(caller, select.POLLRDHUP)
    try:
        while process.returncode is None:
            await asyncio.sleep(POLL_S)
            if any(events & GONE for _, events in poll.poll(0)):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), LINGER_S)
                break
        else:
            log.info("worker %d ended with code %d", process.pid, process.returncode)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                process.kill()
            await process.wait()
        caller.close()


def _is_stopped(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def listen(path: Path) -> socket.socket:
    """A socket of our own, for who starts `lingting cpu` by hand; raises SettingsError."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener.bind(os.fspath(path))
        path.chmod(SOCKET_MODE)
        listener.listen()
    except OSError as error:
        cause = f"{path}: {error.strerror or error}"
        raise SettingsError("open the CPU service", cause, "correct cpu.socket") from error
    listener.setblocking(False)
    return listener
