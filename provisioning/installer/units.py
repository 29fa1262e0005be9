"""systemd's side: the units are links through `current`, so that one switch moves them all."""

from __future__ import annotations

import shutil
from pathlib import Path

from installer import layout
from installer.system import link, output_of, run, works
from installer.words import InstallError, Text

SERVICES = ("lingting-gateway", "lingting-triton", "lingting-cpu")
TARGET = "lingting.target"
FIREWALL = "lingting-firewall.service"
RESUME = "lingting-resume.service"
COUNTERS = Path("/run/lingting-firewall")  # written by lingting-firewall-count
START_TIMEOUT_S = 300.0


def source() -> Path:
    return layout.CURRENT / "provisioning" / "systemd"


def names() -> list[str]:
    """Every unit and drop-in folder that a release brings."""
    releases = sorted(layout.RELEASES.glob("*/provisioning/systemd/*"))
    return sorted({path.name for path in releases})


def place() -> None:
    for name in names():
        link(layout.UNITS / name, source() / name)


def enable(*, firewall: bool) -> None:
    run("systemctl", "daemon-reload")
    wanted = [TARGET, RESUME, *([FIREWALL] if firewall else [])]
    for name in wanted:  # `systemctl enable` refuses links, so these are made as it would
        link(layout.UNITS / "multi-user.target.wants" / name, layout.UNITS / name)
    if not firewall:
        works("systemctl", "stop", FIREWALL)
        shutil.rmtree(COUNTERS, ignore_errors=True)
        (layout.UNITS / "multi-user.target.wants" / FIREWALL).unlink(missing_ok=True)
    run("systemctl", "daemon-reload")


def restart() -> None:
    """All of it, models first; raises InstallError with the journal's last words."""
    if (layout.UNITS / "multi-user.target.wants" / FIREWALL).is_symlink():
        load_firewall()
    works(
        "systemctl", "stop", "lingting-gateway.service"
    )  # it drains while the engines still answer
    run("systemctl", "start", "lingting-cpu.socket")
    run("systemctl", "restart", "--no-block", "lingting-cpu.service", "lingting-triton.service")
    restart_gateway()
    run("systemctl", "start", TARGET)


def mind_the_installer() -> None:
    """Have systemd bring what is under way to its end, should the installer die before it does."""
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "--no-block", RESUME)


def load_firewall() -> None:
    """In one transaction, also over rules that are there: at no moment is it open."""
    run("systemctl", "start", FIREWALL, doing=Text("载入防火墙", "load the firewall"))
    run("systemctl", "reload", FIREWALL, doing=Text("载入防火墙", "load the firewall"))


def restart_gateway() -> None:
    """Raises InstallError with the journal's last words."""
    try:
        run(
            *("systemctl", "restart", "lingting-gateway.service"),
            doing=Text("启动网关", "start the gateway"),
            timeout_s=START_TIMEOUT_S,
        )
    except InstallError as error:
        words = output_of(
            "journalctl", "-u", "lingting-gateway", "-n", "8", "-o", "cat", "--no-pager"
        )
        raise InstallError(
            Text(f"{error.cause.zh}\n{words}", f"{error.cause.en}\n{words}"),
            Text("journalctl -u lingting-gateway", "journalctl -u lingting-gateway"),
        ) from error


def stop() -> None:
    works(
        "systemctl",
        "stop",
        TARGET,
        *(f"{name}.service" for name in SERVICES),
        "lingting-cpu.socket",
    )


def serving() -> bool:
    return works("systemctl", "is-active", "--quiet", "lingting-gateway.service")


def any_runs() -> bool:
    """One of ours, be it only on its way up or down."""
    states = (
        output_of("systemctl", "show", "--value", "-p", "ActiveState", f"{name}.service")
        for name in SERVICES
    )
    return any(state not in ("", "inactive", "failed") for state in states)


def restarts() -> dict[str, str]:
    """How often systemd had to restart each service, by its name."""
    shown = ("systemctl", "show", "--value", "-p", "NRestarts")
    return {name: output_of(*shown, f"{name}.service") for name in SERVICES}


def remove() -> None:
    """No unit of ours is left, nor a rule of the firewall."""
    works("systemctl", "stop", FIREWALL)
    shutil.rmtree(COUNTERS, ignore_errors=True)
    for name in (TARGET, RESUME, FIREWALL):
        (layout.UNITS / "multi-user.target.wants" / name).unlink(missing_ok=True)
    for name in names():
        (layout.UNITS / name).unlink(missing_ok=True)
    works("systemctl", "daemon-reload")
