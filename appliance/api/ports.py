"""Ports of the doors: refused with one readable line, before minutes are spent on models."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from appliance.errors import SettingsError
from appliance.settings.doors import DoorSettings

BACKLOG = 512


def listen(host: str, port: int, backlog: int = BACKLOG) -> socket.socket:
    """A listening socket; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=backlog)
    # Connections inherit it: a small answer must not wait for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def listen_locally(path: Path) -> socket.socket:
    """A Unix socket for the owner of the process alone; raises SettingsError."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError as error:
        cause = f"{path}: {error.strerror or error}"
        raise SettingsError("open the local doors", cause, "correct local.folder") from error
    return listener


def check_free(kind: str, door: DoorSettings, port: int) -> None:
    """Raises SettingsError, with who to look for, if `door` ("grpc", "http") cannot listen."""
    try:
        listen(door.host, port).close()
    except OSError as error:
        raise cannot_listen(kind, door.host, port, error) from error


def cannot_listen(kind: str, host: str, port: int, error: Exception) -> SettingsError:
    if isinstance(error, socket.gaierror):
        why, taken = "there is no such host", False
    elif isinstance(error, OSError) and error.errno:
        why, taken = os.strerror(error.errno), error.errno == errno.EADDRINUSE
    else:  # gRPC does not say
        why, taken = "it is taken", True
    advice = who_holds(kind, port) if taken else f"correct {kind}.host or set {kind}.port"
    return SettingsError(f"open the {kind} door", f"cannot listen on {host}:{port}: {why}", advice)


def who_holds(kind: str, port: int) -> str:
    return f"see who: ss -ltnp 'sport = :{port}'; stop it, or set {kind}.port"
