"""Two gateways, two Tritons, one PostgreSQL and HAProxy: each killed in turn, under calls and
recordings, by the configuration that docs/ hands out. One gateway's clock is five minutes ahead."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from tests.callers import Caller, Uploader, listed
from tests.daemon import PROJECT, Daemon, daemon, free_port, until_ready
from tests.postgres import Postgres, find_programs, server

FAKETIME = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"), None)
AHEAD = {  # the clock of one gateway, by five minutes
    "LD_PRELOAD": str(FAKETIME),
    "FAKETIME": "+300",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_DISABLE_SHM": "1",
}
CONFIGURATION = PROJECT / "docs" / "examples" / "haproxy.cfg"
OVER = {"finished", "failed", "cancelled"}
WITHIN_S = 90.0
CALL_S, SPEED = 16.0, 2.0

pytestmark = [
    pytest.mark.skipif(not shutil.which("haproxy"), reason="needs HAProxy: make build/.machine"),
    pytest.mark.skipif(not FAKETIME, reason="needs libfaketime: make build/.machine"),
    pytest.mark.skipif(find_programs() is None, reason="postgresql is not installed"),
    pytest.mark.timeout(420),
]


@dataclass
class Site:
    """What stands in the machine room."""

    folder: Path
    database: Postgres
    grpc: int = field(default_factory=free_port)  # of HAProxy
    http: int = field(default_factory=free_port)
    tritons: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)  # by port
    gateways: dict[str, Daemon] = field(default_factory=dict)
    ports: dict[str, tuple[int, int]] = field(default_factory=dict)
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def start_triton(self, port: int) -> None:
        self.tritons[port] = subprocess.Popen(
            [sys.executable, "-m", "appliance", "triton"],
            env={
                **os.environ,
                "LINGTING_TRITON__ADDRESS": f"127.0.0.1:{port}",
                "LINGTING_TRITON__INSTANCES": "1",
                "LINGTING_MODELS__DIARIZATION": "",
                "LINGTING_MODELS__EMOTION": "",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill_triton(self, port: int) -> None:
        """As a power cut would."""
        triton = self.tritons[port]
        family = psutil.Process(triton.pid).children(recursive=True)
        triton.kill()
        for child in family:
            with contextlib.suppress(psutil.Error):
                child.kill()
        triton.wait()

    def start_gateway(self, name: str, *, wait: bool = True) -> None:
        ports = self.ports.setdefault(name, (free_port(), free_port()))
        addresses = ",".join(f'"127.0.0.1:{port}"' for port in self.tritons)
        starting = daemon(
            self.folder / name,
            wait=wait,
            ports=ports,
            LINGTING_STORE__URL=self.database.url,
            LINGTING_STORE__KEYS_URL=self.database.url,
            LINGTING_STORE__MASTER_KEY=str(self.folder / "master.key"),
            LINGTING_STORE__AUDIO_FOLDER=str(self.folder / "audio"),
            LINGTING_TRITON__MODE="remote",
            LINGTING_TRITON__ADDRESSES=f"[{addresses}]",
            LINGTING_CPU__WORKERS="0",
            LINGTING_MODELS__DIARIZATION="",
            LINGTING_MODELS__EMOTION="",
            LINGTING_LIMITS__RECORDINGS="2",
            LINGTING_FAILOVER__CANARY_INTERVAL_S="0.5",
            LINGTING_FAILOVER__DWELL_S="1",
            LINGTING_FAILOVER__SUCCESSES_TO_CLOSE="2",
            **(AHEAD if name == "b" else {}),
        )
        self.gateways[name] = self.closing.enter_context(starting)

    def kill_gateway(self, name: str) -> None:
        gateway = self.gateways[name]
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait()

    def balance(self) -> None:
        """HAProxy, as docs/ has it but for the addresses."""
        words = CONFIGURATION.read_text()
        words = words.replace("bind :50051", f"bind 127.0.0.1:{self.grpc}")
        words = words.replace("bind :9000", f"bind 127.0.0.1:{self.http}")
        for name, (grpc, _) in self.ports.items():
            line = re.compile(rf"server {name} [\d.]+:(50051|9000)")

            def own(found: re.Match[str], name: str = name, grpc: int = grpc) -> str:
                port = grpc if found[1] == "50051" else self.ports[name][1]
                return f"server {name} 127.0.0.1:{port} port {self.ports[name][1]}"

            words, count = line.subn(own, words)
            assert count == 2
        path = self.folder / "haproxy.cfg"
        path.write_text(words.replace(" port 9000\n", "\n"))
        running = subprocess.Popen(["haproxy", "-db", "-f", str(path)])
        self.closing.callback(running.wait)
        self.closing.callback(running.terminate)

    def answers(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/v1/health/ready", timeout=2).status_code == 200:
                    return
            time.sleep(0.2)
        raise AssertionError("no gateway answers behind HAProxy")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "master.key").write_bytes(os.urandom(32))
    with server() as database:
        made = Site(tmp_path, database)
        with made.closing:
            for port in (free_port(), free_port()):
                made.start_triton(port)
            for name in ("a", "b"):
                (tmp_path / name).mkdir()
                made.start_gateway(name, wait=False)
            for name in ("a", "b"):
                until_ready(made.gateways[name])
            made.balance()
            made.answers()
            yield made
        for port in made.tritons:
            with contextlib.suppress(psutil.Error):
                made.kill_triton(port)


def test_each_is_killed_in_turn_and_nothing_accepted_is_lost(site: Site) -> None:
    callers = [Caller(f"caller-{n}", f"127.0.0.1:{site.grpc}", CALL_S, SPEED) for n in range(4)]
    uploader = Uploader(url=site.url, seconds=3)
    for each in (*callers, uploader):
        each.start()
    time.sleep(6)
    for name in ("a", "b"):
        other = "b" if name == "a" else "a"
        unharmed = live(site, other)
        site.kill_gateway(name)
        time.sleep(2 + CALL_S / SPEED)
        ends = {call: read(site, call) for call in unharmed}
        assert {end["state"] for end in ends.values()} == {"finished"}
        assert not any(end["cut_short"] for end in ends.values())
        site.start_gateway(name)
        time.sleep(3)
    for port in list(site.tritons):
        codes = [len(caller.codes) for caller in callers]
        site.kill_triton(port)
        time.sleep(5)
        assert [len(caller.codes) for caller in callers] == codes, "no call noticed"
        site.start_triton(port)
        for gateway in site.gateways.values():
            gateway.until_in_use("triton" if port == next(iter(site.tritons)) else "triton-2")
    for each in (*callers, uploader):
        each.stop()
    for each in (*callers, uploader):
        each.join(WITHIN_S)
        assert not each.is_alive()
    check(site, callers, uploader)


def live(site: Site, name: str) -> list[str]:
    """The callers' ids of calls that a gateway hears, once it hears some."""
    gateway, deadline = site.gateways[name], time.monotonic() + WITHIN_S
    me = (gateway.log_path.parent / "store" / "gateway").read_text().strip()
    while True:
        assert time.monotonic() < deadline, f"{name} hears no call"
        calls = [c for c in listed(gateway.url) if c["state"] == "running" and c["live"]]
        if found := [str(c["call_id"]) for c in calls if owner(site, str(c["id"])) == me]:
            return found
        time.sleep(0.1)


def owner(site: Site, call: str) -> str:
    engine = create_engine(site.database.url)
    with engine.connect() as connection:
        asked = text("SELECT gateway FROM calls WHERE id = :call")
        found = str(connection.execute(asked, {"call": call}).scalar())
    engine.dispose()
    return found


def read(site: Site, call: str) -> dict[str, Any]:
    deadline = time.monotonic() + WITHIN_S
    found: dict[str, Any] = {}
    while found.get("state") not in OVER:
        assert time.monotonic() < deadline, found
        answer = httpx.get(f"{site.url}/api/v1/calls/{call}", timeout=30)
        found = answer.json() if answer.status_code == 200 else {}
        time.sleep(0.3)
    return found


def check(site: Site, callers: list[Caller], uploader: Uploader) -> None:
    """All that was accepted has come to one end; all that was told is kept."""
    deadline = time.monotonic() + WITHIN_S
    while {str(call["state"]) for call in listed(site.url)} - OVER:
        assert time.monotonic() < deadline, Counter(c["state"] for c in listed(site.url))
        time.sleep(0.5)
    calls = list(listed(site.url))
    recordings = [call for call in calls if not call["live"]]
    assert len(recordings) >= 10
    assert set(uploader.accepted.values()) <= {call["id"] for call in recordings}
    assert len(recordings) - len(uploader.accepted) <= 1, "none twice; one may have had no answer"
    assert Counter(call["state"] for call in recordings) == {"finished": len(recordings)}
    names = Counter(str(call["call_id"]) for call in calls)
    told = {name: finals for caller in callers for name, finals in caller.told.items()}
    assert len(told) >= 8
    for name, finals in told.items():
        if names[name] > 1:  # called again after a stream that broke off at once
            continue
        kept = Counter((said["leg"], said["text"]) for said in read(site, name)["utterances"])
        assert not Counter((final.leg, final.text) for final in finals) - kept, name
    engine = create_engine(site.database.url)
    with engine.connect() as connection:
        twice = "SELECT call_id, kind FROM jobs GROUP BY call_id, kind HAVING count(*) > 1"
        assert not connection.execute(text(twice)).all()
    left = "SELECT count(*) FROM jobs WHERE state <> 'done'"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(text(left)):  # what follows the calls may still be at work
            assert time.monotonic() < deadline
            time.sleep(0.5)
    engine.dispose()
