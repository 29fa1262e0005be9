"""What `lingting doctor` says of an installed box: do its services run, is its firewall up?"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from appliance.cli.doctor_kept import Check, State
from appliance.settings import Settings

UNITS = Path("/etc/systemd/system")
TARGET = "lingting.target"
SERVICES = ("lingting-gateway", "lingting-triton", "lingting-cpu")
FIREWALL = "multi-user.target.wants/lingting-firewall.service"
TABLE = ("inet", "lingting")  # of nftables


def services(settings: Settings) -> Check:
    """The gateway makes the box; without one of the engines calls go on on the other."""
    if not (UNITS / TARGET).exists():
        return Check("services", State.ok, "not an installed box")
    stopped = [name for name in SERVICES if not _ends_well("systemctl", "is-active", name)]
    if not stopped:
        return Check("services", State.ok, "all run")
    state = State.fail if SERVICES[0] in stopped else State.warn
    fix = f"systemctl start {TARGET}; if it stops again: journalctl -u {stopped[0]}"
    return Check("services", state, f"not running: {', '.join(stopped)}", fix)


def firewall(settings: Settings) -> Check:
    if not (UNITS / TARGET).exists():
        return Check("firewall", State.ok, "not an installed box")
    if not (UNITS / FIREWALL).exists():
        fix = "firewall = true there, then lingting-install firewall; or guard it otherwise"
        return Check("firewall", State.warn, "off, as install.toml says", fix)
    if os.geteuid() != 0:
        return Check("firewall", State.warn, "only root can look", "run this as root")
    if not _ends_well("nft", "list", "table", *TABLE):
        fix = "lingting-install firewall; what it says against that is to be mended first"
        return Check("firewall", State.fail, "its rules are not loaded: the box is open", fix)
    return Check("firewall", State.ok, "its rules are loaded")


def _ends_well(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
