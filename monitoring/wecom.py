"""From alertmanager's webhook to a chat robot's, in the shape of 企业微信.

    python -m monitoring.wecom --robot-file /etc/prometheus/robot --port 9099

The file holds the robot's address with its key, which is a secret. It is whatever your network lets
this machine reach; nothing else is spoken to.
"""

from __future__ import annotations

import argparse
import json
import logging
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

log = logging.getLogger("wecom")

MOST_BYTES = 1 << 20  # of one notification
MOST_MARKDOWN_BYTES = 4000  # the robot takes 4096
TIMEOUT_S = 10.0
COLORS = {"firing": "warning", "resolved": "info"}
WORDS = {"firing": "告警", "resolved": "恢复"}


def as_markdown(notification: dict[str, Any]) -> dict[str, Any]:
    """What the robot takes: one line an alert."""
    lines = []
    for alert in notification["alerts"]:
        status = alert["status"]
        labels, told = alert["labels"], alert["annotations"]
        word = f'<font color="{COLORS[status]}">{WORDS[status]}</font>'
        where = labels.get("box", "")
        lines.append(f"{word} **{told.get('summary', labels['alertname'])}** {where}")
    return {"msgtype": "markdown", "markdown": {"content": _cut("\n".join(lines))}}


def _cut(text: str) -> str:
    """To what fits, whole characters."""
    return text.encode()[:MOST_MARKDOWN_BYTES].decode(errors="ignore")


def bridge(robot: str, port: int) -> ThreadingHTTPServer:
    """Not yet serving; on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                size = int(self.headers.get("content-length", 0))
                if size > MOST_BYTES:
                    raise ValueError("too large")
                message = as_markdown(json.loads(self.rfile.read(size)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self._answer(400, f"that is no notification of alertmanager: {error}")
                return
            try:
                _send(robot, message)
            except (OSError, ValueError) as error:  # alertmanager tries again
                log.warning("the robot did not take it: %s", error)
                self._answer(502, f"the robot did not take it: {error}")
                return
            self._answer(200, "told")

        def _answer(self, status: int, words: str) -> None:
            body = words.encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            log.debug(format, *args)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def _send(robot: str, message: dict[str, Any]) -> None:
    """Raises OSError if the robot refuses it, in its status or in its body; ValueError if what it
    says makes no sense."""
    request = urllib.request.Request(
        robot, json.dumps(message).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        told = json.loads(answer.read(MOST_BYTES) or "{}")
    if not isinstance(told, dict):
        raise ValueError(f"an answer of another shape: {told!r}")
    if told.get("errcode", 0):
        raise OSError(f"errcode {told['errcode']}: {told.get('errmsg', '')}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring.wecom", description=__doc__)
    parser.add_argument(
        "--robot-file", type=Path, required=True, help="holds the robot's address, with its key"
    )
    parser.add_argument("--port", type=int, default=9099, help="where alertmanager posts to")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    server = bridge(given.robot_file.read_text(encoding="utf-8").strip(), given.port)
    log.info("alertmanager may post to http://127.0.0.1:%d/alert", server.server_address[1])
    server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
