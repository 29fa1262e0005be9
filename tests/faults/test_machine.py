"""What the machine does to a box: its disk fills up, its clock jumps, its Triton lies."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.callers import RAW, Caller, Uploader, alaw
from tests.daemon import QUICK, Daemon, daemon, free_port
from tests.faults import oracle

pytestmark = pytest.mark.timeout(300)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
DAY_S = 86_400
ON_CPU = {**QUICK, "LINGTING_TRITON__MODE": "off"}


@contextlib.contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave_bytes: int) -> Path:
    """A file that takes all but so much of a disk."""
    filler = folder / "filler"
    with filler.open("ab") as file:
        while (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize) > leave_bytes:
            file.write(bytes(min(1 << 20, free - leave_bytes)))
            file.flush()
    return filler


def upload(box: Daemon) -> httpx.Response:
    return httpx.post(
        f"{box.url}/api/v1/recordings",
        files={"file": ("call", alaw(0, 3))},
        data=RAW,
        timeout=30,
    )


def until_more(caller: Caller, calls: int) -> None:
    enough, deadline = len(caller.whole) + calls, time.monotonic() + 60
    while len(caller.whole) < enough:
        assert time.monotonic() < deadline, caller.codes
        time.sleep(0.1)


@needs_root
def test_a_disk_that_fills_up_sheds_recordings_and_keeps_finals(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 96) as disk:
        settings = {"LINGTING_STORE__FOLDER": str(disk / "s"), "LINGTING_STORE__RESERVE_MIB": "24"}
        with daemon(tmp_path, **ON_CPU, **settings) as box:
            caller = Caller("caller", f"127.0.0.1:{box.grpc_port}", seconds=8, speed=4)
            caller.start()
            assert upload(box).status_code == 202
            until_more(caller, 1)
            filler = fill(disk, leave_bytes=16 << 20)
            refused = upload(box)
            assert refused.status_code == 429 and "disk" in refused.text
            until_more(caller, 2)
            assert not caller.codes, "live calls go on"
            filler.unlink()
            assert upload(box).status_code == 202
            until_more(caller, 1)
            caller.stop()
            caller.join(60)
            oracle.wait_until_quiet(box.url, disk / "s")
            assert oracle.check_calls(box.url, [caller])
        oracle.check_at_rest(disk / "s", [caller])


@needs_root
def test_a_disk_without_a_byte_left_tells_finals_all_the_same(tmp_path: Path) -> None:
    """A call that runs is told to its end; new ones are refused until there is room again."""
    with small_disk(tmp_path / "disk", 64) as disk:
        settings = {"LINGTING_STORE__FOLDER": str(disk / "s"), "LINGTING_STORE__RESERVE_MIB": "4"}
        with daemon(tmp_path, **ON_CPU, **settings) as box:
            caller = Caller("caller", f"127.0.0.1:{box.grpc_port}", seconds=40, speed=4)
            caller.start()
            while not caller.told.get("caller-0"):
                time.sleep(0.05)
            caller.stop()  # no further call
            before = len(caller.told["caller-0"])
            filler = fill(disk, leave_bytes=0)
            caller.join(90)
            assert caller.whole == {"caller-0"}, caller.codes
            assert len(caller.told["caller-0"]) > before, "finals came while the disk was full"
            assert httpx.get(f"{box.url}/v1/health/live", timeout=5).status_code == 200
            later = Caller("later", f"127.0.0.1:{box.grpc_port}", seconds=4, speed=4)
            later.start()
            time.sleep(4)
            filler.unlink()
            until_more(later, 2)
            later.stop()
            later.join(60)
            assert set(later.codes) <= {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}, later.codes
            oracle.wait_until_quiet(box.url, disk / "s")
            oracle.check_calls(box.url, [later])
        oracle.check_at_rest(disk / "s", [later])


def faketime(folder: Path) -> tuple[dict[str, str], Path]:
    """Settings of a process whose clock is what a file says; monotonic time runs on."""
    library = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
    clock = folder / "clock"
    clock.write_text("+0\n")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",  # a file read at every look at the clock costs a core
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
    }, clock


def test_a_clock_that_jumps_disturbs_no_call_and_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faked, clock = faketime(tmp_path)
    quickly = {"LINGTING_STORE__KEEP_CALLS_DAYS": "30", "LINGTING_STORE__KEEP_AUDIO_DAYS": "30"}
    with daemon(tmp_path, **ON_CPU, **quickly, **faked) as box:
        caller = Caller("caller", f"127.0.0.1:{box.grpc_port}", seconds=8, speed=4)
        uploader = Uploader(url=box.url, count=12)
        caller.start()
        uploader.start()
        until_more(caller, 1)
        for days in (400, -400, 0):
            clock.write_text(f"{days * DAY_S:+d}\n")
            until_more(caller, 2)
        clock.write_text(f"{400 * DAY_S:+d}\n")
        time.sleep(65)  # retention has looked meanwhile
        caller.stop()
        caller.join(60)
        uploader.join(60)
        assert len(uploader.accepted) == 12
        assert not caller.codes, caller.codes
        oracle.wait_until_quiet(box.url, tmp_path / "store")
        assert oracle.check_calls(box.url, [caller]) > 0
        oracle.check_recordings(box.url, uploader)
        assert "the clock has jumped" in box.log()
    oracle.check_at_rest(tmp_path / "store", [caller])


def test_a_triton_that_lies_is_never_used(tmp_path: Path, tiny_bundle: Path) -> None:
    """It is READY and answers at once, with words of other weights: nonsense."""
    address = f"127.0.0.1:{free_port()}"
    lying = {
        **os.environ,
        "LINGTING_TRITON__ADDRESS": address,
        "LINGTING_MODELS__ASR": str(tiny_bundle),
        "LINGTING_MODELS__DIARIZATION": "",
        "LINGTING_MODELS__EMOTION": "",
    }
    liar = subprocess.Popen(
        [sys.executable, "-m", "appliance", "triton"],
        env=lying,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    remote = {"LINGTING_TRITON__MODE": "remote", "LINGTING_TRITON__ADDRESS": address}
    try:
        with daemon(tmp_path, **{**QUICK, **remote}) as box:
            caller = Caller("caller", f"127.0.0.1:{box.grpc_port}", seconds=8, speed=2)
            caller.start()
            deadline = time.monotonic() + 60
            while "canary" not in httpx.get(f"{box.url}/v1/health/ready", timeout=5).text:
                assert time.monotonic() < deadline, box.get("/v1/health/ready")
                time.sleep(0.2)
            until_more(caller, 2)
            caller.stop()
            caller.join(60)
            assert not caller.codes
            assert box.metric("lingting_finals_total", engine="cpu") > 0
            assert box.metric("lingting_finals_total", engine="triton") == 0
            assert box.metric("lingting_breaker_open", engine="triton") == 1
            oracle.wait_until_quiet(box.url, tmp_path / "store")
            oracle.check_calls(box.url, [caller])
    finally:
        liar.terminate()
        liar.wait(30)
