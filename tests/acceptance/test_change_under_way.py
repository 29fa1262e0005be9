"""A bundle takes over on a box while calls run: real weights, kills, and the models in services of
their own, Triton's and the CPU's, as on an installed box."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from appliance.models.signing import TrustedKeys, create_key, sign
from appliance.settings.section import PROJECT
from inference.bundles import MANIFEST, seal
from tests.daemon import NATURAL_CALL, as_pcm, daemon, finish, free_port
from tests.room import MachineRoom, machine_room

pytestmark = pytest.mark.timeout(420)

REAL = PROJECT / "bundles" / "whisper-base"
PATIENCE_S = 150.0
CPU = {"LINGTING_CPU__WORKERS": "1"}
HEARD_ALL = ("--share", "1", "--windows", "3", "--no-wait")


@dataclass
class SystemAdmin:
    """Somebody with the system admin's key and a stick, and a hotline that calls all the while."""

    room: MachineRoom
    folder: Path
    key: str
    triton: Service

    def models(self, *words: str, fails: bool = False) -> str:
        flags = self.room.showing("system_admin")
        return self.room.lingting("models", *words, *flags) if not fails else self._failing(words)

    def _failing(self, words: tuple[str, ...]) -> str:
        flags = self.room.showing("system_admin")
        return self.room.lingting("models", *words, *flags, fails=True)

    def stick(self, version: str, **facts: Any) -> str:
        """The real weights by another name, signed; its ref."""
        folder = self.folder / f"stick-{version}"
        shutil.copytree(REAL, folder)
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        kept = {k: v for k, v in told.items() if k not in ("format", "files")}
        seal(folder, **{**kept, "name": "town", "version": version, **facts})
        sign(folder, self.folder / "city.key")
        self.models("import", str(folder))
        return f"town@{version}"

    def client(self, *flags: str) -> subprocess.Popen[str]:
        secure = ("--use-ssl", "--ssl-root-cert", str(self.room.pki / "ca.pem"))
        shown = ("--metadata", "authorization", f"Bearer {self.key}")
        return self.room.box.client(*flags, *secure, *shown)

    def heard_by(self, spoken: Path, model: str = "whisper-1") -> str:
        """Which model answers a recording."""
        trusted = ssl.create_default_context(cafile=str(self.room.pki / "ca.pem"))
        shown = {"authorization": f"Bearer {self.key}"}
        with httpx.Client(verify=trusted, headers=shown, timeout=60) as client:
            url = f"https://127.0.0.1:{self.room.box.http_port}/v1/audio/transcriptions"
            sent = {"file": ("call.wav", spoken.read_bytes())}
            answer = client.post(url, data={"model": model}, files=sent)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-lingting-model"]

    @contextmanager
    def calling(self, spoken: Path) -> Iterator[list[str]]:
        """Recordings one after another; which model answered each."""
        answered: list[str] = []
        over = threading.Event()

        def call() -> None:
            while not over.is_set():
                answered.append(self.heard_by(spoken))
                time.sleep(0.3)

        calls = threading.Thread(target=call)
        calls.start()
        yield answered
        over.set()
        calls.join()

    def until(self, *stages: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (now := json.loads(self.room.box.get("/api/v1/admin/trial")))["stage"] not in stages:
            assert time.monotonic() < deadline and now["stage"] != "back", now
            time.sleep(0.3)


class Service(threading.Thread):
    """`lingting triton` or `lingting cpu`, started again whenever it ends, as systemd would."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        super().__init__(name=name, daemon=True)
        self._environment, self._log = {**os.environ, **environment}, log
        self._over = threading.Event()
        self.may_start = threading.Event()
        self.may_start.set()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        command = [sys.executable, "-m", "appliance", self.name]
        with self._log.open("wb") as log:
            while not self._over.is_set():
                self.process = subprocess.Popen(
                    command, env=self._environment, stdout=log, stderr=subprocess.STDOUT
                )
                self.process.wait()
                self.may_start.wait()

    def server(self) -> psutil.Process:
        """Triton's own process."""
        assert self.process
        family = psutil.Process(self.process.pid).children(recursive=True)
        return next(each for each in family if each.name() == "tritonserver")

    def stop(self) -> None:
        self._over.set()
        self.may_start.set()
        assert self.process
        self.process.terminate()
        self.join(30)


def served(folder: Path) -> dict[str, str]:
    return {
        "LINGTING_MODELS__LIBRARY": str(folder / "library"),
        "LINGTING_MODELS__TRUSTED": str(folder / "trusted"),
        "LINGTING_MODELS__ASR": str(REAL),
        "LINGTING_MODELS__DIARIZATION": "",
        "LINGTING_MODELS__EMOTION": "",
        "LINGTING_FAILOVER__CANARY_INTERVAL_S": "1",
        "LINGTING_FAILOVER__SUCCESSES_TO_CLOSE": "2",
        "LINGTING_FAILOVER__DWELL_S": "1",
    }


def socket_of(folder: Path) -> dict[str, str]:
    return {"LINGTING_CPU__SOCKET": str(folder / "cpu.sock")}


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemAdmin]:
    folder = tmp_path_factory.mktemp("room")
    create_key(folder / "city.key")
    TrustedKeys(folder / "trusted").add(folder / "city.pub", "city")
    address = {"LINGTING_TRITON__ADDRESS": f"127.0.0.1:{free_port()}"}
    services = [
        Service("triton", {**served(folder), **address}, folder / "triton.log"),
        Service("cpu", {**served(folder), **CPU, **socket_of(folder)}, folder / "cpu.log"),
    ]
    for service in services:
        service.start()
    remote = {**served(folder), **address, **CPU, **socket_of(folder)}
    remote["LINGTING_TRITON__MODE"] = "remote"
    try:
        with machine_room(folder, **remote) as room:
            room.box.key = room.key("watcher", "--role", "operator", "--tenant", "*")
            room.box.until_in_use("triton")
            key = room.key("hotline", "--role", "caller", "--tenant", "a")
            yield SystemAdmin(room, folder, key, services[0])
    finally:
        for service in services:
            service.stop()


def test_one_with_a_wrong_canary_goes_back_and_says_why(admin: SystemAdmin, tmp_path: Path) -> None:
    spoken = as_pcm(NATURAL_CALL, tmp_path / "call.wav", 8)
    ref = admin.stick("1", canary={"audio": "canary.wav", "text": "完全是另外一句话没有人说过"})
    told = admin.models("try", ref, "--share", "1", "--windows", "3", fails=True)
    assert "its canary failed" in told
    assert admin.heard_by(spoken) == "whisper-base 2"


def test_some_calls_have_a_bundle_of_their_own(admin: SystemAdmin, tmp_path: Path) -> None:
    spoken = as_pcm(NATURAL_CALL, tmp_path / "call.wav", 8)
    ref = admin.stick("2")
    assert ref in admin.models("serve", ref)
    assert admin.heard_by(spoken) == "whisper-base 2"
    assert admin.heard_by(spoken, "town") == "town 2"
    admin.triton.may_start.clear()
    admin.triton.server().kill()  # started anew it serves both
    admin.room.box.until_in_use("triton", used=False)
    assert admin.heard_by(spoken, "town") == "town 2"  # by the CPU
    deadline = time.monotonic() + PATIENCE_S
    while "triton is started anew" not in admin.room.box.log():  # given up, not only waited for
        assert time.monotonic() < deadline
        time.sleep(0.2)
    admin.triton.may_start.set()
    admin.room.box.until_in_use("triton")
    deadline = time.monotonic() + PATIENCE_S
    while admin.heard_by(spoken, "town") != "town 2":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "active bundle" in admin.models("unserve", ref)
    assert admin.heard_by(spoken) == "whisper-base 2"


def test_it_takes_over_under_calls_and_is_there_after_a_kill(
    admin: SystemAdmin, tmp_path: Path
) -> None:
    """The last one: the box is no more."""
    spoken = as_pcm(NATURAL_CALL, tmp_path / "call.wav", 8)
    live = as_pcm(NATURAL_CALL, tmp_path / "live.wav", 30)
    ref = admin.stick("3")
    with admin.calling(spoken) as answered:
        admin.models("try", ref, *HEARD_ALL)
        admin.until("ready")
        assert "alike" in admin.models("trial")
        assert set(answered) == {"whisper-base 2"}
        flags = ("--separate-channels", "--simulate-realtime")
        call = admin.client("stream", "--file", str(live), *flags)
        time.sleep(3)
        admin.models("lead", "--no-wait")
        admin.until("settling", "done")
        assert call.poll() is None, "the call should still run"
        assert answered[-1] == "town 3" or admin.heard_by(spoken) == "town 3"
        lines = finish(call)
        assert any(line.get("is_final") for line in lines)
        admin.until("done")
    listed = json.loads(admin.models("list", "--json"))
    assert listed["slots"]["asr"]["active"] == ref
    admin.room.box.process.kill()
    admin.room.box.process.wait()
    alone = {**served(admin.folder), "LINGTING_TRITON__MODE": "off"}
    with daemon(admin.folder, **alone) as again:
        assert json.loads(again.get("/v1/models"))["data"][0]["id"] == "town"
