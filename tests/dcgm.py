"""A stand-in for NVIDIA's dcgm-exporter: its names and units, with figures that move."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GAUGES = {  # name: (first value, step)
    "DCGM_FI_DEV_GPU_UTIL": (40.0, 1.0),  # percent
    "DCGM_FI_DEV_FB_USED": (6000.0, 10.0),  # MiB
    "DCGM_FI_DEV_FB_FREE": (18000.0, -10.0),
    "DCGM_FI_DEV_POWER_USAGE": (180.0, 0.5),  # W
    "DCGM_FI_DEV_GPU_TEMP": (61.0, 0.1),  # °C
    "DCGM_FI_DEV_XID_ERRORS": (0.0, 0.0),
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": (0.3, 0.001),
}


@contextmanager
def dcgm_exporter(cards: int = 2) -> Iterator[tuple[int, dict[str, float]]]:
    """Its port, and values that a test may set instead, by name."""
    scrapes, given = itertools.count(), dict[str, float]()

    class DcgmHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            turn, lines = next(scrapes), list[str]()
            for name, (first, step) in GAUGES.items():
                lines.append(f"# TYPE {name} gauge")
                value = given.get(name, first + step * (turn % 20))
                lines += [
                    f'{name}{{gpu="{card}",UUID="GPU-{card}",modelName="NVIDIA L4"}} {value}'
                    for card in range(cards)
                ]
            body = ("\n".join(lines) + "\n").encode()
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), DcgmHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], given
        server.shutdown()
