"""The services as shipped: sandboxed, supervised, and wired to what the installer makes."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from installer import firewall, layout
from installer.answers import Answers

from tests.architecture.repository import ROOT

UNITS = ROOT / "provisioning" / "systemd"
SERVICES = ("gateway", "triton", "cpu")
WORST_EXPOSURE = 20  # tenths, as --threshold has it
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze: make build/.machine"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with nothing but our units."""
    folder = tmp_path_factory.mktemp("root")
    shutil.copytree(UNITS, folder / "etc" / "systemd" / "system")
    return folder


@needs_systemd
@pytest.mark.parametrize("name", sorted(path.stem for path in UNITS.glob("*.service")))
def test_exposure_is_low(root: Path, name: str) -> None:
    done = subprocess.run(
        [
            *("systemd-analyze", "security", f"--root={root}", "--offline=yes", "--no-pager"),
            *(f"--threshold={WORST_EXPOSURE}", f"{name}.service"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(UNITS / f"lingting-{name}.service")
    return parser


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_supervised(name: str) -> None:
    service = unit(name)["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) <= 60
    assert service["Restart"] == "always"
    assert unit(name)["Unit"]["StartLimitIntervalSec"] == "0"  # it never gives up
    assert service["Slice"] == "lingting-live.slice"
    assert int(service["MemoryMax"].removesuffix("%")) < 100 and service["MemorySwapMax"] == "0"
    assert (UNITS / f"lingting-{name}.service.d" / "sandbox.conf").exists()


@pytest.mark.parametrize("name", ["triton", "cpu"])
def test_models_reach_no_network_and_no_calls(name: str) -> None:
    service = unit(name)["Service"]
    assert service["IPAddressDeny"] == "any"
    assert "/var/lib/lingting" in service["InaccessiblePaths"]
    assert service["User"] != unit("gateway")["Service"]["User"]


def test_live_work_goes_before_what_can_wait() -> None:
    weights = [
        int(re.search(r"CPUWeight=(\d+)", (UNITS / f"lingting-{name}.slice").read_text())[1])
        for name in ("live", "batch")
    ]
    assert weights[0] >= 10 * weights[1]


def test_units_run_what_the_installer_links() -> None:
    for name in SERVICES:
        command = unit(name)["Service"]["ExecStart"].split()[0]
        assert command == str(layout.CURRENT / "venv" / "bin" / "lingting")


def rules(**answers: object) -> str:
    return firewall.render(Answers(**{"callers": ["192.0.2.0/24"], **answers}))


def test_the_firewall_drops_by_default() -> None:
    text = rules()
    assert text.count("policy drop;") == 3
    assert "ip saddr { 192.0.2.0/24 } tcp dport { 50051, 50052, 9000 } counter accept" in text
    assert "dport 443" not in text and "dport 22" not in text


def test_the_firewall_knows_both_families() -> None:
    text = rules(callers=["192.0.2.0/24", "2001:db8::/64"], platforms=["198.51.100.7/32"])
    assert "ip6 saddr { 2001:db8::/64 }" in text
    assert "ip daddr { 198.51.100.7/32 } tcp dport { 443 } counter accept" in text


@pytest.mark.skipif(not shutil.which("nft"), reason="needs nft: make build/.machine")
def test_nft_takes_the_firewall(tmp_path: Path) -> None:
    path = tmp_path / "firewall.nft"
    path.write_text(
        rules(
            admins=["192.0.2.9/32"],
            platforms=["198.51.100.7/32", "2001:db8::7/128"],
            time_servers=["192.0.2.5/32"],
        )
    )
    check = ["unshare", "--net", "nft", "--check", "--file", str(path)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
