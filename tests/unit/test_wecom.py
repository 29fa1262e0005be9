"""Alertmanager's notifications, as a chat robot takes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from monitoring import wecom

ALERT = {
    "status": "firing",
    "labels": {"alertname": "LingtingDown", "box": "box-1"},
    "annotations": {"summary": "聆听没有应答"},
}


class Robot(ThreadingHTTPServer):
    """Takes messages, or refuses them in the ways such robots do."""

    answer, status = b'{"errcode":0}', 200

    def __init__(self) -> None:
        self.got: list[dict[str, object]] = []
        robot = self

        class WecomHandler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                robot.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(robot.status)
                self.end_headers()
                self.wfile.write(robot.answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), WecomHandler)


@pytest.fixture
def robot() -> Iterator[Robot]:
    with Robot() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def url(robot: Robot) -> Iterator[str]:
    with wecom.bridge(f"http://127.0.0.1:{robot.server_address[1]}/", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/alert"
        server.shutdown()


def test_alerts_become_a_message(robot: Robot, url: str) -> None:
    resolved = {**ALERT, "status": "resolved"}
    assert httpx.post(url, json={"alerts": [ALERT, resolved]}).status_code == 200
    content = robot.got[0]["markdown"]["content"]  # type: ignore[index]
    assert content.splitlines() == [
        '<font color="warning">告警</font> **聆听没有应答** box-1',
        '<font color="info">恢复</font> **聆听没有应答** box-1',
    ]


def test_a_robot_that_refuses_is_told_to_alertmanager(robot: Robot, url: str) -> None:
    """It tries again after a 5xx."""
    robot.answer = b'{"errcode":45009,"errmsg":"too often"}'
    refused = httpx.post(url, json={"alerts": [ALERT]})
    assert refused.status_code == 502 and "too often" in refused.text
    robot.status = 500
    assert httpx.post(url, json={"alerts": [ALERT]}).status_code == 502


def test_a_long_one_is_cut_and_nonsense_refused(robot: Robot, url: str) -> None:
    assert httpx.post(url, json={"alerts": [ALERT] * 1000}).status_code == 200
    assert len(robot.got[0]["markdown"]["content"].encode()) <= 4096  # type: ignore[index]
    for nonsense in (b"", b"{}", b"[1]", b'{"alerts": [{}]}'):
        assert httpx.post(url, content=nonsense).status_code == 400
