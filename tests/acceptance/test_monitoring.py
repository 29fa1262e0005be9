"""The rules, alerts and dashboards of monitoring/, by a real Prometheus that watches a real box.

What each alert does in its fault is in test_rules.py. Prometheus scrapes every second here, and
alerts do not wait; all else is as shipped.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from monitoring import dashboards
from tests.alerts import RULES, alerts
from tests.architecture.repository import ROOT
from tests.callers import Caller, Uploader
from tests.collector import collector
from tests.daemon import QUICK, Daemon, daemon, free_port
from tests.dcgm import dcgm_exporter
from tests.room import machine_room

MONITORING = ROOT / "monitoring"
WATCHED_S = 45.0  # before anything is asked for
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not shutil.which("promtool"), reason="needs Prometheus: make build/.monitoring"
    ),
]


# --- a real Prometheus


@dataclass
class Prometheus:
    url: str

    def ready(self) -> bool:
        with contextlib.suppress(httpx.ConnectError):
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        return False

    def query(self, text: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": text}).json()
        assert answer["status"] == "success", f"{text}: {answer}"
        return list(answer["data"]["result"])

    def firing(self) -> set[str]:
        found = httpx.get(f"{self.url}/api/v1/alerts").json()["data"]["alerts"]
        return {each["labels"]["alertname"] for each in found if each["state"] == "firing"}

    def rules(self) -> list[dict[str, str]]:
        groups = httpx.get(f"{self.url}/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@dataclass
class Inbox:
    """What alertmanager has sent to the webhook: (name, status), in order."""

    port: int = 0
    got: list[tuple[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def inbox() -> Iterator[Inbox]:
    made = Inbox()

    class InboxHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.got += [(a["labels"]["alertname"], a["status"]) for a in body["alerts"]]
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), InboxHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.port = server.server_address[1]
        yield made
        server.shutdown()


@contextlib.contextmanager
def program(log: Path, *command: str) -> Iterator[None]:
    with log.open("w") as file:
        running = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            yield
        finally:
            running.terminate()
            running.wait(20)


def shipped(folder: Path, targets: dict[str, int], alertmanager: int = 0) -> Path:
    """monitoring/ as it is, but for addresses, pace, patience and TLS."""
    config = paced(yaml.safe_load((MONITORING / "prometheus.yml").read_text()), targets)
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [
        f"127.0.0.1:{alertmanager}"
    ]
    for job in config["scrape_configs"]:
        for of_tls in ("scheme", "authorization", "tls_config"):
            job.pop(of_tls, None)
    (folder / "rules").mkdir()
    for path in RULES:
        text = re.sub(r"(?m)^(\s+(?:for|interval):) .*$", r"\1 1s", path.read_text())
        (folder / "rules" / path.name).write_text(text)
    return written(folder, config)


def paced(config: dict[str, Any], targets: dict[str, int]) -> dict[str, Any]:
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] = [f"127.0.0.1:{targets[job['job_name']]}"]
    return config


def written(folder: Path, config: dict[str, Any]) -> Path:
    target = folder / "prometheus.yml"
    target.write_text(yaml.safe_dump(config))
    return target


@contextlib.contextmanager
def prometheus(folder: Path, config: Path) -> Iterator[Prometheus]:
    port = free_port()
    command = (
        *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"),
    )
    with program(folder / "prometheus.log", *command):
        running = Prometheus(f"http://127.0.0.1:{port}")
        until(running.ready)
        yield running


def routes(folder: Path, port: int) -> Path:
    """alertmanager.yml with every receiver at our inbox, and without waiting."""
    config = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())
    hook = [{"url": f"http://127.0.0.1:{port}/", "send_resolved": True}]
    names = [each["name"] for each in config["receivers"]]
    config["receivers"] = [{"name": name, "webhook_configs": hook} for name in names]
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    target = folder / "alertmanager.yml"
    target.write_text(yaml.safe_dump(config))
    return target


@dataclass
class WatchedBox:
    box: Daemon
    prometheus: Prometheus
    inbox: Inbox
    cards: dict[str, float]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedBox]:
    """A box with Triton under load, and everything that watches it."""
    folder = tmp_path_factory.mktemp("watched")
    metrics, manager = free_port(), free_port()
    environment = {**QUICK, "LINGTING_TRITON__METRICS_PORT": str(metrics)}
    environment["LINGTING_LIMITS__LIVE_LEGS"] = "4"  # so that some are refused
    with contextlib.ExitStack() as stack:
        spans = stack.enter_context(collector())
        environment |= {"LINGTING_TRACES__COLLECTOR": spans.address, "LINGTING_TRACES__SHARE": "1"}
        box = stack.enter_context(daemon(folder, **environment))
        box.until_in_use("triton")
        dcgm, cards = stack.enter_context(dcgm_exporter())
        received = stack.enter_context(inbox())
        targets = {"lingting": box.http_port, "triton": metrics, "dcgm": dcgm}
        stack.enter_context(
            program(
                folder / "alertmanager.log",
                "prometheus-alertmanager",
                *(f"--config.file={routes(folder, received.port)}", "--cluster.listen-address="),
                *(f"--web.listen-address=127.0.0.1:{manager}", f"--storage.path={folder / 'am'}"),
            )
        )
        watching = stack.enter_context(prometheus(folder, shipped(folder, targets, manager)))
        uploader = Uploader(url=box.url)
        callers = [Caller(f"c{n}", f"127.0.0.1:{box.grpc_port}", speed=2) for n in range(3)]
        for thread in (uploader, *callers):
            thread.start()
        time.sleep(WATCHED_S)
        yield WatchedBox(box, watching, received, cards)
        for thread in (uploader, *callers):
            thread.stop()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_every_rule_can_be_worked_out(watched: WatchedBox) -> None:
    rules = watched.prometheus.rules()
    assert len(rules) > 60
    wrong = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}
    assert not wrong


@pytest.mark.parametrize("query", list(dashboards.queries()), ids=lambda q: f"{q[0]} {q[1]}")
def test_every_panel_has_data(watched: WatchedBox, query: tuple[str, str, str]) -> None:
    if "certificate" not in query[2]:  # a box without TLS has none; see the last test
        assert watched.prometheus.query(query[2]), query[2]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_what_an_alert_asks_is_answered(watched: WatchedBox, alert: dict[str, str]) -> None:
    """Each comparison by its result, so that data come in good times too.

    How it answers in its fault is in test_rules.py; certificates are asked for in the last test.
    """
    answered = re.sub(r" (>=|<=|==|>|<) (?!bool)", r" \1 bool ", alert["expr"])
    if "certificate" not in answered:
        assert watched.prometheus.query(answered), answered


def test_slow_finals_lead_to_their_traces(watched: WatchedBox) -> None:
    asked = {
        "query": "lingting_endpoint_to_final_seconds_bucket",
        "start": str(time.time() - 600),
        "end": str(time.time()),
    }
    url = f"{watched.prometheus.url}/api/v1/query_exemplars"
    found = httpx.get(url, params=asked).json()["data"]
    told = [each["labels"]["trace_id"] for series in found for each in series["exemplars"]]
    assert told and all(re.fullmatch(r"[0-9a-f]{32}", trace) for trace in told)


def test_two_more_may_look_every_second(watched: WatchedBox, tmp_path: Path) -> None:
    job = {
        "job_name": "lingting",
        "static_configs": [{"targets": [watched.box.url.removeprefix("http://")]}],
    }
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    with contextlib.ExitStack() as stack:
        others = []
        for name in ("second", "third"):
            (tmp_path / name).mkdir()
            place = tmp_path / name
            others.append(stack.enter_context(prometheus(place, written(place, config))))
        time.sleep(15)
        for each in (watched.prometheus, *others):
            (seen,) = each.query('avg_over_time(up{job="lingting"}[10s])')
            assert seen["value"][1] == "1"
            (seen,) = each.query("count_over_time(lingting_live_legs[10s])")
            assert int(seen["value"][1]) >= 8


def test_a_lost_triton_is_told_and_its_return_too(watched: WatchedBox) -> None:
    lost = ("LingtingTritonNotUsed", "firing")
    assert lost[0] not in watched.prometheus.firing()
    watched.box.triton().kill()
    until(lambda: lost[0] in watched.prometheus.firing())
    until(lambda: lost in watched.inbox.got)
    assert watched.prometheus.query("engine:cpu_share:ratio")
    watched.box.until_in_use("triton")
    until(lambda: lost[0] not in watched.prometheus.firing())
    until(lambda: (lost[0], "resolved") in watched.inbox.got)


def test_a_gpu_that_fails_is_told(watched: WatchedBox) -> None:
    assert "LingtingGpuXid" not in watched.prometheus.firing()
    watched.cards["DCGM_FI_DEV_XID_ERRORS"] = 79
    until(lambda: "LingtingGpuXid" in watched.prometheus.firing())


def test_refusals_wake_somebody(watched: WatchedBox) -> None:
    """Three callers of two legs each, where four fit."""
    until(lambda: ("LingtingRefuses", "firing") in watched.inbox.got)
    assert ("LingtingWatchdog", "firing") in watched.inbox.got


def test_a_box_that_is_gone_is_told(watched: WatchedBox) -> None:
    watched.box.process.terminate()
    until(lambda: ("LingtingDown", "firing") in watched.inbox.got)


def test_a_box_that_asks_for_keys_is_scraped_as_shipped(tmp_path: Path) -> None:
    """Over TLS, by the box's authority, with a key of the role that docs/monitoring.md names."""
    with machine_room(tmp_path) as room:
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["scrape_configs"] = config["scrape_configs"][:1]
        config["rule_files"] = [str(path) for path in RULES]
        (job,) = paced(config, {"lingting": room.box.http_port})["scrape_configs"]
        token = tmp_path / "lingting.token"
        job["authorization"]["credentials_file"] = str(token)
        job["tls_config"]["ca_file"] = str(room.pki / "ca.pem")
        token.write_text("lt_wrong")
        with prometheus(tmp_path, written(tmp_path, config)) as watching:
            until(lambda: [s["value"][1] for s in watching.query("up")] == ["0"])
            token.write_text(room.key("prometheus", "--role", "operator", "--tenant", "*"))
            until(lambda: [s["value"][1] for s in watching.query("up")] == ["1"])
            until(lambda: len(watching.query("box:certificate:days > 300")) == 2)
            asked = [query for *_, query in dashboards.queries() if "certificate" in query]
            asked += [a["expr"].replace("< ", "< bool ") for a in alerts() if "certif" in a["expr"]]
            assert len(asked) == 3
            assert all(watching.query(query) for query in asked)
