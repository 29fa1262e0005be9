"""What systemd is told of a service: ready, alive, stopping. Run by hand, nothing is told.

The watchdog is fed by a loop that sees the service's own work go on: a process that only exists
does not count as alive.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable

from appliance.errors import SettingsError

log = logging.getLogger(__name__)

PINGS_PER_TIMEOUT = 4
Progress = Callable[[], Awaitable[bool]]


class Supervisor:
    """The service manager that started this process, if one did."""

    def __init__(self) -> None:
        self._there = bool(os.environ.get("NOTIFY_SOCKET"))
        self._timeout_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6

    def ready(self, status: str) -> None:
        self._tell(f"READY=1\nSTATUS={status}")

    def stopping(self, status: str = "stopping") -> None:
        self._tell(f"STOPPING=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        self._tell(f"STATUS={status}")

    async def keep_alive(self, progress: Progress) -> None:
        """Feed the watchdog for ever, as long as `progress` answers True in time."""
        if not self._timeout_s:
            return
        pause_s = self._timeout_s / PINGS_PER_TIMEOUT
        while True:
            try:
                async with asyncio.timeout(self._timeout_s):
                    moving = await progress()
            except Exception as error:  # the watchdog judges, not we
                moving = False
                log.error("no progress: %s", error or repr(error))
            if moving:
                self._tell("WATCHDOG=1")
            await asyncio.sleep(pause_s)

    def _tell(self, state: str) -> None:
        if self._there:
            from systemd import daemon  # only a box that systemd runs has it

            daemon.notify(state)


def inherited_socket() -> socket.socket | None:
    """The one listening socket that systemd opened for this service, if it did."""
    if not os.environ.get("LISTEN_FDS"):
        return None
    from systemd import daemon

    handles = daemon.listen_fds(unset_environment=True)
    if len(handles) != 1:
        cause = f"systemd passed {len(handles)} sockets"
        raise SettingsError("take over the socket", cause, "the unit must name one")
    listener = socket.socket(fileno=handles[0])
    listener.setblocking(False)
    return listener
