"""From a medium to a box that serves, and back, on a clean Debian 12 with a real systemd.

The tests of this module are one story on one machine, in their order.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from installer.steps import STEPS

from provisioning.vm.container import Container, Result, container
from tests.daemon import CLIENTS, DEMO_CALL, NATURAL_CALL
from tests.machine import BASE, BUILD, HEAD, INPUTS, MEDIA, MIGRATION, medium
from tests.netns import namespace

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a machine of its own takes root"),
    pytest.mark.timeout(900),
]
OLD, NEW = "0.1.0", "0.2.0"
BOX, CALLER, STRANGER = "192.0.2.1", "192.0.2.2", "192.0.2.66"  # documentation addresses
ANSWERS = f"""
callers = ["{CALLER}/32"]
admins = ["{CALLER}/32"]
platforms = ["{CALLER}/32"]
names = ["box", "localhost", "{BOX}", "127.0.0.1"]
"""
QUIET = ("--yes", "--hold", "2")
MIGRATES = ("appliance/store/migrations/versions/main_9001_later.py", MIGRATION)
# A release that runs by itself and fails as a service.
BREAKS = ("appliance/cli/supervised.py", 'raise SystemExit("this release is broken")\n')
DONE, FAILED, NOT_FIT, ANOTHER, TAKEN_BACK = 0, 1, 3, 4, 5
ADMINS = "/root/lingting-admins"


@pytest.fixture(scope="module")
def box() -> Iterator[Container]:
    for needed in (BASE, INPUTS / "apt"):
        assert needed.exists(), f"{needed} is missing: make build/.machine"
    (BUILD / "media").mkdir(parents=True, exist_ok=True)
    medium(OLD)
    with namespace("caller"), container(BASE, {BUILD / "media": MEDIA}) as made:
        made.plug_in("caller", f"{BOX}/24", f"{CALLER}/24")
        (made.root / "root" / "answers.toml").write_text(ANSWERS)
        yield made


def install(box: Container, folder: str, *flags: str, verb: str = "install") -> Result:
    answers = ("--answers", "/root/answers.toml") if verb == "install" else ()
    return box.run(f"{folder}/install", "--lang", "en", verb, *QUIET, *answers, *flags)


def status(box: Container) -> dict[str, object]:
    told = box.run("lingting-install", "status", "--json")
    assert told.code == 0, told.output
    return dict(json.loads(told.output))


def serves(box: Container, version: str) -> None:
    """A call is heard, by that release."""
    heard = box.run("lingting", "canary")
    assert heard.code == 0, heard.output + box.run("journalctl", "-n", "30", "-o", "cat").output
    assert status(box)["current"] == version
    assert f"/releases/{version}/" in processes(box, "lingting serve")[0].cmdline()[0]


def processes(box: Container, part: str) -> list[psutil.Process]:
    """Those of the machine whose command line holds `part`, as the host sees them."""
    found = []
    for process in psutil.Process(box.leader).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if part in " ".join(process.cmdline()):
                found.append(process)
    return found


def as_admin(box: Container, role: str, *words: str) -> str:
    mine = f"{ADMINS}/{role}/{role}"
    shown = ("--key-file", f"{mine}.token", "--certificate", f"{mine}.pem")
    done = box.run("lingting", *words, *shown, "--authority", "/etc/lingting/pki/ca.pem")
    assert done.code == 0, done.output
    return done.output.strip()


def tree(box: Container) -> str:
    """Every file that is not the running system's own."""
    where = ["/etc", "/opt", "/usr", "/root", "/var/lib"]
    skip = "( -path /var/lib/systemd -o -path /var/lib/private ) -prune -o"
    listed = box.run("find", *where, "-xdev", *skip.split(), "-type", "f", "-printf", "%p %s %T@\n")
    return "\n".join(sorted(listed.output.splitlines()))


# --- before anything is installed


def test_preflight_changes_nothing(box: Container) -> None:
    before = tree(box)
    assert box.run("which", "python3").code != 0  # it borrows the medium's
    told = box.run(f"{MEDIA}/{OLD}/install", "--lang", "en", "preflight")
    assert told.code == DONE, told.output
    assert "Debian GNU/Linux 12" in told.output and "signed for trial by" in told.output
    for_programs = box.run(f"{MEDIA}/{OLD}/install", "preflight", "--json")
    checks = {each["name"]: each for each in json.loads(for_programs.output)["checks"]}
    assert checks["gpu"]["state"] == "ok" and checks["medium"]["state"] == "warn"
    assert tree(box) == before


def damaged(kind: str) -> str:
    """A copy of the medium with one fault; where a machine sees it."""
    good, bad = BUILD / "media" / OLD, BUILD / "media" / kind
    shutil.rmtree(bad, ignore_errors=True)
    subprocess.run(["cp", "-al", str(good), str(bad)], check=True)
    wheel = next(bad.glob("wheels/cpu/uvicorn-*.whl"))
    if kind == "altered":
        data = bytearray(wheel.read_bytes())
        data[100] ^= 1
        wheel.unlink()
        wheel.write_bytes(data)
    elif kind == "half-copied":
        wheel.unlink()
    elif kind == "stranger":
        (bad / "packages" / "extra.deb").write_bytes(b"x")
    elif kind == "unsigned":
        (bad / "SHA256SUMS.sig").unlink()
    elif kind == "resigned":
        sums = bad / "SHA256SUMS"
        text = sums.read_text().replace("0", "1", 1)
        sums.unlink()
        sums.write_text(text)
    elif kind == "not-a-medium":
        (bad / "medium.json").unlink()
    return f"{MEDIA}/{kind}"


WORDS = {
    "altered": "damaged or altered: wheels/cpu/uvicorn",
    "half-copied": "incomplete: wheels/cpu/uvicorn",
    "stranger": "no part of it: packages/extra.deb",
    "unsigned": "not signed: SHA256SUMS.sig is missing",
    "resigned": "not by a trusted key",
    "not-a-medium": "is no medium of Lingting",
}


@pytest.mark.parametrize("kind", WORDS)
def test_a_bad_medium_is_refused(box: Container, kind: str) -> None:
    before = tree(box)
    told = install(box, damaged(kind))
    assert told.code in (FAILED, NOT_FIT)
    assert WORDS[kind] in told.output
    assert tree(box) == before


def test_a_taken_port_is_named(box: Container) -> None:
    holder = "systemd-run --unit=holder systemd-socket-activate -l 9000 sleep 600"
    assert box.run(*holder.split()).code == 0
    try:
        told = install(box, f"{MEDIA}/{OLD}")
        assert told.code == NOT_FIT
        assert "taken: 9000 (HTTP)" in told.output
    finally:
        box.run("systemctl", "stop", "holder")


def test_a_wrong_clock_is_refused(box: Container) -> None:
    library = next(Path("/usr/lib").rglob("libfaketime.so.1"))
    shutil.copy(library, box.root / "root" / "libfaketime.so.1")
    past = {"LD_PRELOAD": "/root/libfaketime.so.1", "FAKETIME": "@2019-05-01 00:00:00"}
    told = box.run(f"{MEDIA}/{OLD}/install", "--lang", "en", "preflight", env=past)
    assert told.code == NOT_FIT
    assert re.search(r"FAIL\s+clock\s+2019-05-01", told.output)


def test_answers_that_make_no_sense_are_refused(box: Container) -> None:
    (box.root / "root" / "wrong.toml").write_text('callers = ["everywhere"]\n')
    told = install(box, f"{MEDIA}/{OLD}", "--answers", "/root/wrong.toml")
    assert told.code == FAILED
    assert "wrong.toml" in told.output and "everywhere" in told.output


# --- the first installation


@pytest.mark.parametrize("number", range(2))
def test_killed_at_any_moment_of_its_first_installation(
    box: Container, number: int, rng: random.Random
) -> None:
    """From nothing: what was there is taken away, by the medium's own program."""
    if number:
        gone = (f"{MEDIA}/{OLD}/install", "uninstall", "--delete-data", "--yes")
        assert box.run(*gone).code == DONE
    killed(box, f"{MEDIA}/{OLD}", rng.uniform(5, 30))


@pytest.mark.parametrize("moment", ["unpack", "environment", "keys", "start", "admins"])
def test_killed_in_its_first_installation_it_can_be_run_again(box: Container, moment: str) -> None:
    """Right after a step; the next run of the command goes on from there."""
    told = install(box, f"{MEDIA}/{OLD}", "--die-at", f"{moment}:after")
    assert told.code in (-9, 137), told.output
    settle(box)


def killed(box: Container, folder: str, after_s: float, verb: str = "install") -> None:
    """The installer, so many seconds after it began; returns when the box has settled."""
    answers = ("--answers", "/root/answers.toml") if verb == "install" else ()
    print(f"killed {after_s:.1f} s into the {verb}")
    with in_background(box, f"{folder}/install", "--lang", "en", verb, *QUIET, *answers):
        time.sleep(after_s)
    settle(box)


@contextlib.contextmanager
def in_background(box: Container, *command: str) -> Iterator[None]:
    """A program that is killed at the end, with whatever it has begun; it must live until then."""
    unit = ("systemd-run", "--quiet", "--unit=installer", "--collect")
    assert box.run(*unit, *command).code == 0
    yield
    assert box.run("systemctl", "is-active", "installer").code == 0, "it has ended already"
    box.run("systemctl", "kill", "--signal=KILL", "installer")
    wait_until(lambda: box.run("systemctl", "is-active", "installer").code != 0)
    box.run("systemctl", "reset-failed", "installer")


def settle(box: Container) -> None:
    """Until systemd has brought to its end what a killed installer had begun."""

    def over() -> bool:
        shown = box.run("systemctl", "show", "--value", "-p", "ActiveState", "lingting-resume")
        return shown.output.strip() in ("", "inactive")

    wait_until(over, 180)


def test_one_command_makes_a_box_that_serves(box: Container) -> None:
    told = install(box, f"{MEDIA}/{OLD}")
    assert told.code == DONE, told.output
    assert f"Lingting {OLD} serves" in told.output
    serves(box, OLD)
    for name in ("gateway", "triton", "cpu"):
        assert box.run("systemctl", "is-active", f"lingting-{name}").code == 0, name
    assert box.run("lingting", "doctor").code == 0
    told = box.run("journalctl", "-u", "lingting-gateway", "-o", "cat")
    assert told.output and "learning the city pack" not in told.output  # the medium brings it


def call(box: Container, *flags: str, port: int = 50051, source: str = "caller") -> list[dict]:
    """The stock Riva program, from another host."""
    authority = box.root / "etc" / "lingting" / "pki" / "ca.pem"
    command = ["ip", "netns", "exec", source, sys.executable, str(CLIENTS / "offline.py")]
    command += ["--server", f"{BOX}:{port}", "--use-ssl", "--ssl-root-cert", str(authority)]
    command += ["--file", str(NATURAL_CALL), "--separate-channels", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def key(box: Container) -> str:
    made = as_admin(
        *(box, "security_admin", "access", "create", "hotline-a"),
        *("--role", "caller", "--tenant", "a", "--days", "365"),
    )
    return made.splitlines()[0]


def test_a_hotline_system_calls_from_its_network(box: Container, key: str) -> None:
    lines = call(box, "--metadata", "authorization", f"Bearer {key}")
    assert "热力公司" in "".join(str(line.get("text", "")) for line in lines)
    assert call(box)[-1]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("engine", ["cpu", "triton"])
def test_capacity_is_measured_where_it_is_used(box: Container, engine: str) -> None:
    """Beside the box that serves; which admits by it from its next start on."""
    # Not how fast it is: another test runs beside it.
    trial = ("--engine", engine, "--most", "1", "--seconds", "5", "--within", "30")
    told = box.run("lingting", "capacity", *trial)
    assert told.code == 0, told.output
    serves(box, OLD)
    carries = f"{engine} carries some 2 live legs"  # one call of two
    since = box.run("date", "+%s").output.strip()
    box.run("systemctl", "restart", "lingting-gateway")
    log = ("journalctl", "-u", "lingting-gateway", "-o", "cat", "--since", f"@{since}")
    wait_until(lambda: carries in box.run(*log).output)
    kept = list((box.root / "var/lib/lingting").rglob("capacity.json"))
    assert len(kept) == 1
    kept[0].unlink()
    box.run("systemctl", "restart", "lingting-gateway")
    wait_until(lambda: box.run("lingting", "canary").code == 0)


def connects(source: str, address: str, port: int) -> str:
    """How a TCP connection from the caller's host ends: "open", "refused" or "dropped"."""
    program = (
        "import socket,sys;s=socket.socket();s.settimeout(2);s.bind((sys.argv[1],0));"
        "s.connect((sys.argv[2],int(sys.argv[3])))"
    )
    done = subprocess.run(
        [
            "ip",
            "netns",
            "exec",
            "caller",
            sys.executable,
            "-c",
            program,
            source,
            address,
            str(port),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return "open"
    return "refused" if "refused" in done.stderr else "dropped"


def denied(box: Container, direction: str) -> int:
    """Packets that the firewall has dropped."""
    told = box.run("nft", "list", "counter", "inet", "lingting", f"{direction}-denied").output
    return int(re.search(r"packets (\d+)", told)[1])  # type: ignore[index]


def test_only_listed_ports_are_open_to_listed_networks(box: Container) -> None:
    subprocess.run(f"ip -n caller address add {STRANGER}/24 dev c{box.leader}".split(), check=True)
    before = denied(box, "ingress")
    for port in (50051, 50052, 9000):
        assert connects(CALLER, BOX, port) == "open"
        assert connects(STRANGER, BOX, port) == "dropped"
    for port in (8000, 8001, 8002, 111):
        assert connects(CALLER, BOX, port) == "dropped"
    assert connects(CALLER, BOX, 22) == "refused"  # let through; no ssh server runs here
    assert denied(box, "ingress") > before


def test_nothing_goes_out_but_to_listed_platforms(box: Container) -> None:
    before = denied(box, "egress")
    probe = "exec 3<>/dev/tcp/{}/{}"

    def goes_out(address: str, port: int) -> str:
        done = box.run("timeout", "2", "bash", "-c", probe.format(address, port))
        return "refused" if "refused" in done.output else "dropped"

    assert goes_out(CALLER, 443) == "refused"  # it got there; nobody listens
    assert goes_out(CALLER, 80) == "dropped"
    assert goes_out(STRANGER, 443) == "dropped"
    assert denied(box, "egress") > before
    counters = ("cat", "/run/lingting-firewall/counters.json")  # for the gateway, by a timer
    wait_until(lambda: "egress-denied" in box.run(*counters).output)


def test_every_service_is_sandboxed(box: Container) -> None:
    for name in ("gateway", "triton", "cpu"):
        unit = f"lingting-{name}.service"
        judged = box.run("systemd-analyze", "security", "--threshold=20", "--no-pager", unit)
        assert judged.code == 0, judged.output[-400:]
    worker = processes(box, "inference.worker")[0]
    devices = Path(f"/proc/{worker.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]  # no network at all
    assert box.run("runuser", "-u", "lingting-models", "ls", "/var/lib/lingting").code != 0


def test_keys_are_sealed_to_the_machine(box: Container) -> None:
    sealed = (box.root / "etc/lingting/credentials/master-key.cred").read_bytes()
    place = "/etc/lingting/credentials/master-key.cred"
    told = box.run("systemd-creds", "decrypt", "--name=master-key", place, "/dev/null")
    assert told.code == 0, told.output
    assert b"BEGIN" not in sealed and len(sealed) > 32
    keys = list((box.root / "etc/lingting").rglob("*.key"))
    assert [path.name for path in keys] == ["ca.key"]
    assert keys[0].stat().st_mode & 0o077 == 0


# --- what an administrator changes


def test_the_firewall_follows_the_answers(box: Container) -> None:
    answers = box.root / "etc/lingting/install.toml"
    before = answers.read_text()
    try:
        answers.write_text(before.replace(f'"{CALLER}/32"', f'"{CALLER}/32", "{STRANGER}/32"', 1))
        told = box.run("lingting-install", "--lang", "en", "firewall")
        assert told.code == DONE, told.output
        assert connects(STRANGER, BOX, 9000) == "open"
        answers.write_text(before.replace(CALLER, "everybody"))
        told = box.run("lingting-install", "--lang", "en", "firewall")
        assert told.code == FAILED and "everybody" in told.output
        assert connects(STRANGER, BOX, 9000) == "open"
    finally:
        answers.write_text(before)
        assert box.run("lingting-install", "firewall").code == DONE
    assert connects(STRANGER, BOX, 9000) == "dropped"


def test_the_doctor_says_what_is_not_up(box: Container) -> None:
    box.run("nft", "delete", "table", "inet", "lingting")
    box.run("systemctl", "stop", "lingting-triton")
    found = {each["name"]: each for each in doctor(box)}
    assert found["firewall"]["state"] == "fail" and "lingting-install" in found["firewall"]["fix"]
    assert found["services"]["found"] == "not running: lingting-triton"
    assert box.run("systemctl", "start", "lingting-triton").code == 0
    assert box.run("lingting-install", "firewall").code == DONE
    found = {each["name"]: each for each in doctor(box)}
    assert (found["firewall"]["state"], found["services"]["state"]) == ("ok", "ok")


def doctor(box: Container) -> list[dict[str, str]]:
    return list(json.loads(box.run("lingting", "doctor", "--json").output)["checks"])


def test_an_expired_certificate_is_told_and_renewed(box: Container, key: str) -> None:
    """Made by a clock of three years ago; the audit log does not mind that clock."""
    past = {"LD_PRELOAD": "/root/libfaketime.so.1", "FAKETIME": "-1100d"}
    assert box.run("lingting-install", "certificate", env=past).code == DONE
    flags = ("--metadata", "authorization", f"Bearer {key}")
    assert call(box, *flags)[-1]["code"] == "UNAVAILABLE"
    found = box.run("lingting", "doctor", "--lang", "en")
    assert found.code == 1 and "the certificate expired" in found.output
    looked = box.run(f"{MEDIA}/{OLD}/install", "--lang", "en", "preflight").output
    assert re.search(r"warn\s+certificate\s+expired", looked)
    told = box.run("lingting-install", "--lang", "en", "certificate")
    assert told.code == DONE, told.output
    assert call(box, *flags)[0]["event"] == "result"
    assert box.run("lingting", "doctor").code == 0
    whole = box.run("runuser", "-u", "lingting", "--", "lingting", "audit", "verify")
    assert whole.code == 0, whole.output


def test_a_gpu_that_comes_later_is_told(box: Container) -> None:
    """A card that answers nvidia-smi; this medium has nothing for it, so the CPU stays."""
    smi = box.root / "usr/local/bin/nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA L4, 23034, 550.90.07'\n")
    smi.chmod(0o755)
    try:
        told = box.run("lingting-install", "--lang", "en", "gpu", "--medium", f"{MEDIA}/{OLD}")
        assert told.code == DONE, told.output
        assert "1 x NVIDIA L4" in told.output and "has nothing for GPUs: CPU mode" in told.output
        found = box.run("lingting", "doctor", "--json").output
        assert "CUDA's libraries are missing" in found
    finally:
        smi.unlink()
    facts = (box.root / "opt/lingting/current").readlink() / "machine.env"
    assert "LINGTING_TRITON__KIND=cpu" in box.run("cat", str(facts)).output
    serves(box, OLD)


# --- when things die


def quick_watchdog(box: Container) -> None:
    for name in ("gateway", "triton", "cpu"):
        box.run("mkdir", "-p", f"/run/systemd/system/lingting-{name}.service.d")
        box.run(
            *("sh", "-c"),
            f"printf '[Service]\\nWatchdogSec=5\\n' > "
            f"/run/systemd/system/lingting-{name}.service.d/quick.conf",
        )
    box.run("systemctl", "daemon-reload")
    for name in ("cpu", "triton", "gateway"):
        assert box.run("systemctl", "restart", f"lingting-{name}").code == 0


def main_pid(box: Container, name: str) -> str:
    return box.run(
        "systemctl", "show", "--value", "-p", "MainPID", f"lingting-{name}"
    ).output.strip()


def wait_until(what: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.mark.parametrize("name", ["gateway", "triton", "cpu"])
@pytest.mark.parametrize("how", ["KILL", "STOP"])
def test_what_is_killed_or_stands_still_comes_back(box: Container, name: str, how: str) -> None:
    if how == "STOP" and name == "gateway":
        quick_watchdog(box)
    before = main_pid(box, name)
    assert box.run("sh", "-c", f"kill -{how} {before}").code == 0
    wait_until(lambda: main_pid(box, name) not in ("0", before))
    wait_until(lambda: box.run("systemctl", "is-active", f"lingting-{name}").code == 0)
    wait_until(lambda: box.run("lingting", "canary").code == 0)


def test_a_triton_that_stands_still_is_replaced(box: Container) -> None:
    """The server itself, not the process that systemd looks at."""
    server = next(p for p in processes(box, "tritonserver") if p.name() == "tritonserver")
    before = main_pid(box, "triton")
    server.suspend()
    assert box.run("lingting", "canary").code == 0  # the CPU answers meanwhile
    wait_until(lambda: main_pid(box, "triton") not in ("0", before), 90)
    wait_until(lambda: box.run("systemctl", "is-active", "lingting-triton").code == 0)


# --- what the administrator takes out of it


def passphrase(box: Container) -> str:
    (box.root / "root" / "passphrase").write_text("correct horse battery\n")
    return "/root/passphrase"


def test_a_backup_is_made_tried_and_put_back(box: Container, key: str) -> None:
    """On the same machine: a call made after the backup is gone again, all before it is there."""
    flags = ("--passphrase-file", passphrase(box))
    told = box.run("lingting-install", "--lang", "en", "backup", "/root/box.backup", *flags)
    assert told.code == DONE, told.output
    shutil.copy(box.root / "etc/lingting/pki/ca.pem", box.root / "root/authority-then.pem")
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"
    wrong = box.root / "root" / "wrong"
    wrong.write_text("not the passphrase\n")
    refused = box.run(
        *("lingting-install", "--lang", "en", "restore", "--yes", "/root/box.backup"),
        *("--passphrase-file", "/root/wrong"),
    )
    assert refused.code == FAILED and "passphrase" in refused.output
    serves(box, OLD)
    told = box.run(
        "lingting-install", "--lang", "en", "restore", "--yes", "/root/box.backup", *flags
    )
    assert told.code == DONE, told.output
    assert "calls can be read" in told.output
    serves(box, OLD)
    tests = (box.root / "var/lib/lingting/restore-tests.jsonl").read_text().splitlines()
    assert [json.loads(line)["ok"] for line in tests] == [False, True]
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"


PLANTED = ("王小明", "13812345678", "140202199001011234", "mingming", "wang@corp.example")


def test_a_killed_restore_is_undone_at_once(box: Container, key: str) -> None:
    """And the same command may be given again: no key is lost by either."""
    under_way = box.root / "var/lib/lingting-install/restoring.json"
    put_back = ("lingting-install", "restore", "--yes", "/root/box.backup")
    put_back += ("--passphrase-file", passphrase(box))
    with in_background(box, *put_back):
        wait_until(under_way.exists)
        time.sleep(1)
    settle(box)
    assert not under_way.exists()
    serves(box, OLD)
    told = box.run(*put_back)
    assert told.code == DONE, told.output
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"
    assert list((box.root / "var/lib/lingting").glob("store.before-*/keys/master-key.cred"))


def test_a_restore_cut_off_is_undone_at_boot(box: Container, key: str) -> None:
    """The power goes while the store is half exchanged."""
    store = box.root / "var/lib/lingting/store"
    before = store.with_name("store.before-cut")
    state = box.root / "var/lib/lingting-install"
    (state / "restoring.json").write_text(
        json.dumps({"before": f"/var/lib/lingting/{before.name}"})
    )
    box.run("systemctl", "stop", "lingting.target", "lingting-gateway")
    box.run("mv", "/var/lib/lingting/store", f"/var/lib/lingting/{before.name}")
    box.cut()
    box.boot()
    box.plug_in("caller", f"{BOX}/24", f"{CALLER}/24")
    wait_until(lambda: not (state / "restoring.json").exists(), 120)
    serves(box, OLD)
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"


def test_a_support_bundle_holds_nothing_of_anybody(box: Container, key: str) -> None:
    """Names and numbers come in by every way a caller has; a call's words are in the store."""
    name = f"{PLANTED[3]}.{PLANTED[1]}.{PLANTED[2]}"
    metadata = ("--metadata", "authorization", f"Bearer {key}", "--metadata", "x-call-id", name)
    lines = call(box, *metadata)
    words = {str(line["text"]) for line in lines if line.get("text")}
    assert words
    curl = ["ip", "netns", "exec", "caller", "curl", "--silent", "--insecure"]
    curl += ["-H", f"authorization: Bearer {key}", "-H", f"x-request-id: {PLANTED[1]}"]
    curl += ["-F", f"file=@{DEMO_CALL};filename={PLANTED[0]}-{PLANTED[1]}.wav"]
    curl += [
        "-F",
        f"prompt={PLANTED[0]} {PLANTED[4]}",
        f"https://{BOX}:9000/v1/audio/transcriptions",
    ]
    assert subprocess.run(curl, capture_output=True).returncode == 0
    subprocess.run(
        [*curl[:6], f"https://{BOX}:9000/{PLANTED[1]}?{PLANTED[3]}"], capture_output=True
    )
    journal = box.run("journalctl", "-u", "lingting-gateway", "--no-pager").output
    assert PLANTED[1] in journal  # it did come in; the journal stays on the box
    told = box.run("lingting-install", "support-bundle", "/root/support.tar.gz")
    assert told.code == DONE, told.output
    with tarfile.open(box.root / "root" / "support.tar.gz") as bundle:
        parts = {m.name: bundle.extractfile(m).read().decode() for m in bundle.getmembers()}
    assert "call %s is over" in parts["lingting-support/journal.txt"]
    assert all(parts.values()), [name for name, text in parts.items() if not text]
    everything = "\n".join(parts.values())
    for planted in (*PLANTED, *words, key, CALLER, BOX):
        assert planted not in everything, planted


# --- upgrade, and back


@pytest.fixture(scope="module")
def newer(box: Container) -> str:
    return medium(NEW, MIGRATES)


def test_two_installers_at_once_are_refused(box: Container, newer: str) -> None:
    holding = box.start("flock", "/var/lib/lingting-install/lock", "sleep", "20")
    time.sleep(0.5)
    told = install(box, newer, verb="upgrade")
    for process in processes(box, "sleep 20"):
        process.kill()
    holding.wait()
    assert told.code == ANOTHER
    assert "another installer is running" in told.output


@pytest.mark.parametrize("step", [step.name for step in STEPS])
def test_killed_at_any_step_the_box_still_serves(box: Container, newer: str, step: str) -> None:
    told = install(box, newer, "--die-at", step, verb="upgrade")
    assert told.code in (-9, 137), told.output
    settle(box)
    assert box.run("lingting", "canary").code == 0


@pytest.mark.parametrize("number", range(3))
def test_killed_at_any_moment_the_box_still_serves(
    box: Container, newer: str, number: int, rng: random.Random
) -> None:
    """Within a step, wherever that is; what the installer has begun dies with it."""
    killed(box, newer, rng.uniform(4, 20), verb="upgrade")
    assert box.run("lingting", "canary").code == 0


def test_a_power_cut_before_the_switch_changes_nothing(box: Container, newer: str) -> None:
    assert box.run("lingting-install", "rollback").code == DONE  # from what the kills left
    serves(box, OLD)
    told = install(box, newer, "--die-at", "rehearse", verb="upgrade")
    assert told.code in (-9, 137)
    box.cut()
    box.boot()
    box.plug_in("caller", f"{BOX}/24", f"{CALLER}/24")
    wait_until(lambda: box.run("lingting", "canary").code == 0, 120)
    serves(box, OLD)


def test_a_power_cut_after_the_switch_is_finished_at_boot(box: Container, newer: str) -> None:
    told = install(box, newer, "--die-at", "hold", verb="upgrade")
    assert told.code in (-9, 137)
    box.cut()
    box.boot()
    box.plug_in("caller", f"{BOX}/24", f"{CALLER}/24")
    wait_until(lambda: status(box)["phase"] == "committed", 120)
    serves(box, NEW)


def test_the_upgrade_keeps_calls_and_keys(box: Container, newer: str, key: str) -> None:
    told = install(box, newer, verb="upgrade")
    assert told.code == DONE, told.output
    serves(box, NEW)
    shown = box.run("runuser", "-u", "lingting", "lingting", "store", "revisions")
    assert "main: main_9001" in shown.output
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"


def test_an_older_medium_is_refused(box: Container) -> None:
    told = install(box, f"{MEDIA}/{OLD}")
    assert told.code == NOT_FIT
    assert "newer than the medium's" in told.output and "rollback" in told.output


def test_an_older_release_says_why_it_cannot_read_newer_data(box: Container) -> None:
    older = f"/opt/lingting/releases/{OLD}/venv/bin/lingting"
    told = box.run("runuser", "-u", "lingting", "--", older, "store", "rehearse")
    assert told.code != 0
    assert "main_9001, which this release does not know" in told.output
    assert "rollback" in told.output


def test_rollback_keeps_what_was_said_meanwhile(box: Container, key: str) -> None:
    told = box.run("lingting-install", "rollback")
    assert told.code == DONE, told.output
    serves(box, OLD)
    shown = box.run("runuser", "-u", "lingting", "lingting", "store", "revisions")
    assert f"main: {HEAD}" in shown.output
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"


def test_a_release_that_does_not_start_is_taken_back(box: Container) -> None:
    supervised = Path("appliance/cli/supervised.py").read_text(encoding="utf-8")
    broken = supervised.replace(
        "    def ready(self, status: str) -> None:\n",
        "    def ready(self, status: str) -> None:\n"
        "        if self._there:\n            raise SystemExit('this release is broken')\n",
    )
    assert broken != supervised
    folder = medium("0.3.0", ("appliance/cli/supervised.py", broken))
    told = install(box, folder, verb="upgrade")
    assert told.code == TAKEN_BACK, told.output
    assert f"{OLD} serves" in told.output
    serves(box, OLD)


def test_a_release_that_fails_its_rehearsal_touches_nothing(box: Container) -> None:
    pids = [main_pid(box, name) for name in ("gateway", "triton", "cpu")]
    wrong = (
        "appliance/store/migrations/versions/main_9002_wrong.py",
        MIGRATION.replace('op.add_column("calls"', 'op.add_column("no_such_table"').replace(
            "main_9001", "main_9002"
        ),
    )
    told = install(box, medium("0.4.0", wrong), verb="upgrade")
    assert told.code == FAILED, told.output
    assert "what serves was not touched" in told.output
    assert pids == [main_pid(box, name) for name in ("gateway", "triton", "cpu")]
    serves(box, OLD)


def test_a_release_with_a_corrupt_bundle_touches_nothing(box: Container) -> None:
    """Its medium is whole and signed; the weights on it are not what their manifest says."""
    name = "bundles/emotion-words/config.json"
    altered = Path(name).read_text(encoding="utf-8").replace("{", "{ ", 1)
    told = install(box, medium("0.5.0", (name, altered)), verb="upgrade")
    assert told.code == FAILED, told.output
    assert "config.json" in told.output and "what serves was not touched" in told.output
    serves(box, OLD)


def test_a_disk_that_fills_up_in_the_middle_touches_nothing(box: Container, newer: str) -> None:
    place = f"/opt/lingting/releases/{NEW}"
    box.run(
        "sh", "-c", f"rm -rf {place} && mkdir {place} && mount -t tmpfs -o size=60m none {place}"
    )
    try:
        told = install(box, newer, verb="upgrade")
        assert told.code == FAILED
        assert "No space left on device" in told.output or "space" in told.output.lower()
        serves(box, OLD)
    finally:
        box.run("umount", place)


def test_every_act_is_in_the_audit_log(box: Container) -> None:
    shown = as_admin(box, "audit_admin", "audit", "show", "--size", "1000")
    for act in (
        f"release.install {OLD}",
        f"release.upgrade {NEW}",
        "release.rollback",
        "box.start",
    ):
        assert act in shown, act
    assert "release.upgrade 0.3.0 failed" in shown
    assert box.run("runuser", "-u", "lingting", "lingting", "audit", "verify").code == 0


# --- the end


def test_uninstalled_with_its_data_kept_it_can_come_back(box: Container, key: str) -> None:
    told = box.run("lingting-install", "--lang", "en", "uninstall", "--keep-data")
    assert told.code == DONE, told.output
    assert not (box.root / "opt/lingting").exists()
    assert "lingting" not in box.run("systemctl", "list-unit-files", "--no-pager").output
    assert "lingting" not in box.run("nft", "list", "tables").output
    assert (box.root / "var/lib/lingting/store/lingting.db").exists()
    assert install(box, f"{MEDIA}/{OLD}").code == DONE
    serves(box, OLD)
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"


def test_uninstalled_with_its_data_nothing_is_left(box: Container) -> None:
    told = box.run("lingting-install", "--lang", "en", "uninstall", "--delete-data", "--yes")
    assert told.code == DONE, told.output
    left = box.run("find", "/etc", "/opt", "/usr/local", "/var/lib", "/root", "-name", "*lingting*")
    assert not left.output.strip(), left.output
    assert "lingting" not in box.run("getent", "passwd").output


def test_a_backup_makes_a_new_machine_the_old_one(box: Container, key: str) -> None:
    """Installed anew, with other keys and another authority; then the backup is put back."""
    (box.root / "root" / "answers.toml").write_text(ANSWERS)
    assert install(box, f"{MEDIA}/{OLD}").code == DONE
    authority = box.root / "etc/lingting/pki/ca.pem"
    then = (box.root / "root/authority-then.pem").read_bytes()
    assert authority.read_bytes() != then
    flags = ("--passphrase-file", passphrase(box))
    told = box.run(
        "lingting-install", "--lang", "en", "restore", "--yes", "/root/box.backup", *flags
    )
    assert told.code == DONE, told.output
    assert authority.read_bytes() == then, "callers go on trusting what they trusted"
    assert call(box, "--metadata", "authorization", f"Bearer {key}")[0]["event"] == "result"
    whole = box.run("runuser", "-u", "lingting", "--", "lingting", "audit", "verify")
    assert whole.code == 0, whole.output
    beside = next((box.root / "var/lib/lingting").glob("audit.restored-*"))
    told = box.run("lingting", "audit", "verify", f"/var/lib/lingting/{beside.name}")
    assert told.code == 0, told.output
