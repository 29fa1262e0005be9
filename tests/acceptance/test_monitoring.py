"""The rules, alerts and dashboards of monitoring/, by a real Prometheus that watches a real box.

Prometheus scrapes every second here, and alerts do not wait; all else is as shipped.
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

import httpx
import pytest
import yaml

from monitoring import dashboards
from tests.architecture.repository import ROOT
from tests.callers import Caller, Uploader
from tests.daemon import QUICK, Daemon, daemon, free_port
from tests.dcgm import dcgm_exporter

MONITORING = ROOT / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yml"))
WATCHED_S = 45.0  # before anything is asked for
NAMES = re.compile(r"\b(?:lingting|DCGM|nv)_\w+|\b(?:gpu|engine|triton|call|system|box|slo):[\w:]+")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not shutil.which("promtool"), reason="needs Prometheus: make build/.monitoring"
    ),
]


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_sound() -> None:
    run("promtool", "check", "rules", *map(str, RULES))
    run("promtool", "test", "rules", *map(str, (MONITORING / "rule_tests").glob("*.yml")))
    run("promtool", "check", "config", "--syntax-only", str(MONITORING / "prometheus.yml"))
    run("amtool", "check-config", str(MONITORING / "alertmanager.yml"))


def alerts() -> list[dict[str, object]]:
    groups = [g for path in RULES for g in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_every_alert_says_what_it_means_to_whom() -> None:
    assert len(alerts()) > 25
    for alert in alerts():
        told = alert["annotations"]
        assert isinstance(told, dict) and told["summary"] and told["summary_en"], alert["alert"]
        assert alert["labels"]["severity"] in ("page", "ticket", "none")  # type: ignore[index]
        assert re.search(r"[一-鿿]", told["summary"])


def test_dashboards_are_what_the_code_says() -> None:
    run("python3", "-m", "monitoring.dashboards", "--check")


# --- a real Prometheus


@dataclass
class Prometheus:
    url: str

    def query(self, text: str) -> list[dict[str, object]]:
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

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.got += [(a["labels"]["alertname"], a["status"]) for a in body["alerts"]]
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
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


def shipped(folder: Path, targets: dict[str, int], alertmanager: int) -> Path:
    """monitoring/ as it is, but for addresses, pace and patience."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [
        f"127.0.0.1:{alertmanager}"
    ]
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] = [f"127.0.0.1:{targets[job['job_name']]}"]
        for of_tls in ("scheme", "authorization", "tls_config"):
            job.pop(of_tls, None)
    (folder / "rules").mkdir()
    for path in RULES:
        text = re.sub(r"(?m)^(\s+for:) .*$", r"\1 0s", path.read_text())
        (folder / "rules" / path.name).write_text(text)
    target = folder / "prometheus.yml"
    target.write_text(yaml.safe_dump(config))
    return target


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
class Watched:
    box: Daemon
    prometheus: Prometheus
    inbox: Inbox
    cards: dict[str, float]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A box with Triton under load, and everything that watches it."""
    folder = tmp_path_factory.mktemp("watched")
    metrics, prometheus, manager = free_port(), free_port(), free_port()
    environment = {**QUICK, "LINGTING_TRITON__METRICS_PORT": str(metrics)}
    environment["LINGTING_LIMITS__LIVE_LEGS"] = "4"  # so that some are refused
    with contextlib.ExitStack() as stack:
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
        stack.enter_context(
            program(
                folder / "prometheus.log",
                "prometheus",
                f"--config.file={shipped(folder, targets, manager)}",
                *(f"--web.listen-address=127.0.0.1:{prometheus}",),
                f"--storage.tsdb.path={folder / 'tsdb'}",
            )
        )
        uploader = Uploader(url=box.url)
        callers = [Caller(f"c{n}", f"127.0.0.1:{box.grpc_port}", speed=2) for n in range(3)]
        for thread in (uploader, *callers):
            thread.start()
        time.sleep(WATCHED_S)
        yield Watched(box, Prometheus(f"http://127.0.0.1:{prometheus}"), received, cards)
        for thread in (uploader, *callers):
            thread.stop()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_every_rule_can_be_worked_out(watched: Watched) -> None:
    rules = watched.prometheus.rules()
    assert len(rules) > 60
    wrong = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}
    assert not wrong


@pytest.mark.parametrize("query", list(dashboards.queries()), ids=lambda q: f"{q[0]} {q[1]}")
def test_every_panel_has_data(watched: Watched, query: tuple[str, str, str]) -> None:
    assert watched.prometheus.query(query[2]), query[2]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_what_an_alert_looks_at_is_there(watched: Watched, alert: dict[str, str]) -> None:
    """Alerts are silent in good times, so each thing that its expression names is asked for."""
    for name in NAMES.findall(alert["expr"]):
        name = OVER.get(name, name)
        if name in QUIET:
            assert f"# TYPE {name} " in watched.box.get("/metrics"), name
        else:
            assert watched.prometheus.query(f'{{__name__="{name}"}}'), name


# Counters that exist from the first event on, and facts that a box without TLS does not have. What
# becomes of them is in monitoring/rule_tests.
QUIET = {"lingting_firewall_denied_packets_total", "lingting_certificate_expiry_timestamp_seconds"}
QUIET |= {"lingting_calls_failed_total", "lingting_breaker_opened_total"}
QUIET |= {"lingting_canary_calls_total"}
OVER = {"box:certificate:days": "lingting_certificate_expiry_timestamp_seconds"}


def test_a_lost_triton_is_told_and_its_return_too(watched: Watched) -> None:
    lost = ("LingtingTritonNotUsed", "firing")
    assert lost[0] not in watched.prometheus.firing()
    watched.box.triton().suspend()
    until(lambda: lost[0] in watched.prometheus.firing())
    until(lambda: lost in watched.inbox.got)
    assert watched.prometheus.query("engine:cpu_share:ratio")
    watched.box.until_in_use("triton")
    until(lambda: lost[0] not in watched.prometheus.firing())
    until(lambda: (lost[0], "resolved") in watched.inbox.got)


def test_a_gpu_that_fails_is_told(watched: Watched) -> None:
    assert "LingtingGpuXid" not in watched.prometheus.firing()
    watched.cards["DCGM_FI_DEV_XID_ERRORS"] = 79
    until(lambda: "LingtingGpuXid" in watched.prometheus.firing())
    watched.cards.clear()
    until(lambda: "LingtingGpuXid" not in watched.prometheus.firing())


def test_refusals_wake_somebody(watched: Watched) -> None:
    """Three callers of two legs each, where four fit."""
    until(lambda: ("LingtingRefuses", "firing") in watched.inbox.got)
    assert ("LingtingWatchdog", "firing") in watched.inbox.got


def test_a_box_that_is_gone_is_told(watched: Watched) -> None:
    watched.box.process.terminate()
    until(lambda: ("LingtingDown", "firing") in watched.inbox.got)
