"""A wire between a client and the box that a test can cut: TCP, forwarded byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

BYTES = 65536


class Wire:
    """Listens on `port`; connections go to `target` until they are cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._is_cut = False
        threading.Thread(target=self._take, daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks, and new ones are hung up on."""
        self._is_cut = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_cut:
                    client.close()
                    continue
                box = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [client, box]
                for source, sink in ((client, box), (box, client)):
                    threading.Thread(target=_forward, args=(source, sink), daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(BYTES):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire(target: int) -> Iterator[Wire]:
    made = Wire(target)
    try:
        yield made
    finally:
        made.close()
