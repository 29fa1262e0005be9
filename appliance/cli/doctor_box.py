"""What `lingting doctor` says of an installed box: do its services run, is its firewall up?"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from appliance.cli.doctor_check import Check, CheckState
from appliance.cli.words import Bilingual
from appliance.settings import Settings

UNITS = Path("/etc/systemd/system")
TARGET = "lingting.target"
SERVICES = ("lingting-gateway", "lingting-triton", "lingting-cpu")
FIREWALL = "multi-user.target.wants/lingting-firewall.service"
TABLE = ("inet", "lingting")  # of nftables
NOT_INSTALLED = Bilingual("not an installed box", "不是安装好的设备")


def services(settings: Settings) -> Check:
    """The gateway makes the box; without one of the engines calls go on on the other."""
    if not (UNITS / TARGET).exists():
        return Check("services", CheckState.ok, NOT_INSTALLED)
    stopped = [name for name in SERVICES if not _ends_well("systemctl", "is-active", name)]
    if not stopped:
        return Check("services", CheckState.ok, Bilingual("all run", "都在运行"))
    state = CheckState.fail if SERVICES[0] in stopped else CheckState.warn
    fix = Bilingual(
        f"systemctl start {TARGET}; if it stops again: journalctl -u {stopped[0]}",
        f"systemctl start {TARGET}；若再停止，看 journalctl -u {stopped[0]}",
    )
    names = ", ".join(stopped)
    return Check("services", state, Bilingual(f"not running: {names}", f"没有运行：{names}"), fix)


def firewall(settings: Settings) -> Check:
    if not (UNITS / TARGET).exists():
        return Check("firewall", CheckState.ok, NOT_INSTALLED)
    if not (UNITS / FIREWALL).exists():
        fix = Bilingual(
            "firewall = true there, then lingting-install firewall; or guard it otherwise",
            "在其中设 firewall = true 后运行 lingting-install firewall；或另行防护",
        )
        found = Bilingual("off, as install.toml says", "按 install.toml 停用")
        return Check("firewall", CheckState.warn, found, fix)
    if os.geteuid() != 0:
        found = Bilingual("only root can look", "只有 root 能查看")
        return Check(
            "firewall", CheckState.warn, found, Bilingual("run this as root", "以 root 运行")
        )
    if not _ends_well("nft", "list", "table", *TABLE):
        fix = Bilingual(
            "lingting-install firewall; mend what it names",
            "运行 lingting-install firewall，并改正它指出的问题",
        )
        found = Bilingual(
            "its rules are not loaded: the box is open", "规则没有载入：任何网络都能连到本机"
        )
        return Check("firewall", CheckState.fail, found, fix)
    return Check("firewall", CheckState.ok, Bilingual("its rules are loaded", "规则已载入"))


def _ends_well(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
