"""Real kills: whatever dies, calls go on, no final is lost, nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from appliance.settings.section import PROJECT
from inference.cer import cer
from tests.daemon import DEMO_CALL, QUICK, Daemon, as_pcm, daemon, end, finish, free_port

CALL_S = 32.0
SHARED_MEMORY = Path("/dev/shm")
CALLS = 6  # started two seconds apart, so that one kill meets each at another point
ROUNDING_CER = 0.05
WORK = "--model-repository="  # in the folder that the gateway made
STREAM = ("--separate-channels", "--simulate-realtime", "--word-time-offsets")


@pytest.fixture(scope="module")
def pcm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_pcm(DEMO_CALL, tmp_path_factory.mktemp("audio") / "call.wav", CALL_S)


@pytest.fixture
def environment() -> dict[str, str]:
    return dict(QUICK)


def is_final(line: dict) -> bool:
    """With words: an empty one only takes back a partial."""
    return line["event"] == "result" and line["is_final"] and bool(line["text"].strip())


def finals(lines: list[dict]) -> Counter[int]:
    """Finals per channel; one lost or published twice changes the count."""
    return Counter(x["channel"] for x in lines if is_final(x))


def said(lines: list[dict]) -> dict[int, str]:
    """All finals of each channel, joined."""
    texts: dict[int, str] = {}
    for x in lines:
        if is_final(x):
            texts[x["channel"]] = texts.get(x["channel"], "") + x["text"]
    return texts


def assert_same(lines: list[dict], undisturbed: list[dict]) -> None:
    """As many finals, and the same words but for what another batch rounds differently."""
    assert lines[-1]["event"] == "end", lines[-1]
    assert finals(lines) == finals(undisturbed)
    for channel, text in said(undisturbed).items():
        assert cer(text, said(lines)[channel]) <= ROUNDING_CER


def gone(processes: list[psutil.Process], within_s: float = 5.0) -> list[psutil.Process]:
    """Those still alive after a while; zombies do not count, this machine may have no reaper."""
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def backend_folders() -> set[Path]:
    return set(Path("/tmp").glob("python_env_*"))


def start_calls(box: Daemon, pcm: Path) -> list[subprocess.Popen[str]]:
    clients = []
    for _ in range(CALLS):
        clients.append(box.client("stream", "--file", str(pcm), *STREAM))
        time.sleep(2)
    return clients


def test_triton_killed_and_stopped_again_and_again_loses_no_final(
    tmp_path: Path, pcm: Path, environment: dict[str, str]
) -> None:
    with daemon(tmp_path, **environment) as box:
        box.until_in_use("triton")
        undisturbed = box.run_client("stream", "--file", str(pcm), *STREAM[:1])
        assert min(finals(undisturbed)[1], finals(undisturbed)[2]) >= 2
        clients = start_calls(box, pcm)
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL):
            victim = box.triton()
            victim.send_signal(number)
            box.until_in_use("triton", used=False)
            if number == signal.SIGSTOP:
                victim.send_signal(signal.SIGCONT)
            box.until_in_use("triton")
        for client in clients:
            assert_same(finish(client), undisturbed)
        assert box.metric("lingting_triton_restarts_total") >= 2
        assert box.metric("lingting_finals_total", engine="cpu") > 0
        assert box.metric("lingting_finals_total", engine="triton") > 0


def test_a_killed_worker_is_replaced_and_loses_nothing(
    tmp_path: Path, pcm: Path, environment: dict[str, str]
) -> None:
    with daemon(tmp_path, **environment, LINGTING_TRITON__MODE="off") as box:
        undisturbed = box.run_client("stream", "--file", str(pcm), *STREAM[:1])
        assert min(finals(undisturbed)[1], finals(undisturbed)[2]) >= 2
        client = box.client("stream", "--file", str(pcm), *STREAM)
        for _ in range(3):
            time.sleep(7)
            for worker in box.find("inference.worker"):
                worker.kill()
        assert_same(finish(client), undisturbed)


def test_sigterm_lets_the_utterance_finish_and_leaves_nothing(
    tmp_path: Path, pcm: Path, environment: dict[str, str]
) -> None:
    with daemon(tmp_path, **environment, LINGTING_LIMITS__DRAIN_S="3") as box:
        client = box.client("stream", "--file", str(pcm), *STREAM)
        time.sleep(18)  # at half speed, as the stock client plays stereo: the citizen is speaking
        family = box.family()
        begun = time.monotonic()
        assert end(box.process) == 0
        assert time.monotonic() - begun < 15
        lines = finish(client)
        assert finals(lines)[2] == 1, "the sentence begun before the signal must be published"
        assert lines[-1]["event"] == "error" and lines[-1]["code"] == "UNAVAILABLE"
        assert gone(family) == []


def test_kill_minus_nine_of_the_gateway_leaves_no_orphan(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    before = backend_folders()
    with daemon(tmp_path, **environment) as box:
        box.until_in_use("triton")
        family = box.family()
        assert len(family) >= 3  # Triton, its stub, a worker
        regions = f"lingting-{box.process.pid}-*"
        assert list(SHARED_MEMORY.glob(regions))
        (work,) = (a.removeprefix(WORK) for a in box.triton().cmdline() if a.startswith(WORK))
        assert Path(work).is_dir()
        box.process.kill()
        box.process.wait()
        assert gone(family) == []
        assert not list(SHARED_MEMORY.glob(regions)), "shared memory would pile up"
        assert not Path(work).exists() and backend_folders() <= before, "/tmp would fill up"


def test_without_triton_it_starts_on_the_cpu_and_says_so(
    tmp_path: Path, pcm: Path, environment: dict[str, str]
) -> None:
    with daemon(tmp_path, **environment, LINGTING_TRITON_BIN="/nowhere/tritonserver") as box:
        assert "calls are served on the CPU" in box.log()
        assert "/nowhere/tritonserver" in box.log()
        assert finals(box.run_client("stream", "--file", str(pcm), *STREAM[:1]))
        assert '"engine"' in box.get("/v1/health/ready")


def test_a_corrupt_bundle_is_refused_with_the_file_named(tmp_path: Path, tiny_bundle: Path) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    raw = bytearray((bundle / "model.bin").read_bytes())
    raw[1000] ^= 0xFF
    (bundle / "model.bin").write_bytes(raw)
    with daemon(tmp_path, wait=False, LINGTING_MODELS__ASR=str(bundle)) as box:
        assert box.process.wait(60) == 3
        assert "model.bin" in box.log()


def test_a_port_in_use_is_said(tmp_path: Path, environment: dict[str, str]) -> None:
    with daemon(tmp_path, **environment, LINGTING_TRITON__MODE="off") as box:
        second = {**environment, "LINGTING_TRITON__MODE": "off"}
        taken = {**second, "LINGTING_GRPC__PORT": str(box.grpc_port)}
        with daemon(tmp_path, wait=False, **taken) as other:
            assert other.process.wait(60) == 3
            assert str(box.grpc_port) in other.log()


def test_nothing_needs_the_network(tmp_path: Path, tiny_bundle: Path) -> None:
    """In a network namespace with nothing but loopback."""
    inside = 'ip link set lo up 2>/dev/null; exec "$@"'
    command = [
        "unshare", "--user", "--map-root-user", "--net", "sh", "-c", inside, "sh",
        sys.executable, "-m", "appliance", "transcribe", str(DEMO_CALL), "--format", "json",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LINGTING_MODELS__ASR": str(tiny_bundle)},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert '"demo": true' in done.stdout


def run_triton(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "appliance", "triton"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_triton_that_runs_elsewhere_may_go_and_come_back(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    elsewhere = {**environment, "LINGTING_TRITON__ADDRESS": f"127.0.0.1:{free_port()}"}
    triton = run_triton(elsewhere)
    try:
        with daemon(tmp_path, **{**elsewhere, "LINGTING_TRITON__MODE": "remote"}) as box:
            box.until_in_use("triton")
            assert not box.find("tritonserver"), "the gateway must not start its own"
            family = psutil.Process(triton.pid).children(recursive=True)
            triton.terminate()
            assert triton.wait(30) == 0
            assert gone(family) == []
            box.until_in_use("triton", used=False)
            triton = run_triton(elsewhere)
            box.until_in_use("triton")
    finally:
        triton.kill()
        triton.wait()


def test_why_triton_cannot_start_stays_known(tmp_path: Path, environment: dict[str, str]) -> None:
    with daemon(tmp_path, **environment, LINGTING_TRITON__BINARY="/nope") as box:
        time.sleep(3)
        assert "no tritonserver at /nope" in box.get("/v1/health/ready")
        assert "AssertionError" not in box.log()


def test_a_compute_type_that_cannot_be_is_said_at_once(tmp_path: Path) -> None:
    wrong = {"LINGTING_TRITON__MODE": "off", "LINGTING_CPU__COMPUTE_TYPE": "foo"}
    with daemon(tmp_path, wait=False, **wrong) as box:
        assert box.process.wait(30) == 3
        assert "foo" in box.log() and box.log().count("lingting: ") == 1
