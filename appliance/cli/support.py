"""`lingting support-bundle`: what helps to find a fault, and nothing that anybody said.

Nothing is scrubbed after the fact: of our own log lines only the text in the source code goes in,
without what was filled into it; of settings only what is no address; no line of any other program.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from appliance.cli.backup import audit_folder
from appliance.cli.doctor import run_checks
from appliance.security import audit
from appliance.settings import Settings, load_settings

UNITS = ("lingting-gateway", "lingting-triton", "lingting-cpu")
LINES = 5000  # of the journal, the newest
PRIVATE = {"url", "keys_url", "endpoints", "allow", "host", "names", "share"}
TIMEOUT_S = 60
console = Console(highlight=False)


def support_bundle(
    output: Annotated[Path, typer.Argument(help="The .tar.gz to write.")],
) -> None:
    """Gather what helps to find a fault. It holds no words, names, numbers or addresses of anybody:
    look into it before you send it on."""
    settings = load_settings()
    with tarfile.open(output, "w:gz") as archive:
        for name, gather in PARTS.items():
            with console.status(name):
                data = gather(settings).encode()
            entry = tarfile.TarInfo(f"lingting-support/{name}")
            entry.size, entry.mtime = len(data), int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    console.print(f"{output}: {', '.join(PARTS)}")


def about(_: Settings) -> str:
    facts = {
        "version": importlib.metadata.version("lingting"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "disks": {place: shutil.disk_usage(place)._asdict() for place in ("/", "/var/lib", "/opt")},
    }
    return json.dumps(facts, indent=2)


def doctor(_: Settings) -> str:
    """States alone: what was found may name hosts and folders."""
    return json.dumps(
        [{"name": each.name, "state": each.state.value} for each in run_checks()], indent=2
    )


def settings_in_force(settings: Settings) -> str:
    def masked(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: masked(inner, key) for key, inner in value.items()}
        return "(set)" if name in PRIVATE and value else value

    return json.dumps(masked(json.loads(settings.model_dump_json())), indent=2)


def units(_: Settings) -> str:
    wanted = "Id,ActiveState,SubState,NRestarts,Result,ExecMainStatus,MemoryCurrent,WatchdogUSec"
    return _output("systemctl", "show", "-p", wanted, *(f"{name}.service" for name in UNITS))


def journal(_: Settings) -> str:
    """Our lines as they stand in the source, systemd's own about our units, nothing else."""
    names = [part for name in UNITS for part in ("-u", name)]
    raw = _output("journalctl", *names, "-o", "json", "-n", str(LINES), "--no-pager")
    return "\n".join(_told(raw.splitlines()))


def _told(lines: list[str]) -> Iterator[str]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        ours, by_systemd = entry.get("TEMPLATE"), entry.get("_PID") == "1"
        if not ours and not by_systemd:
            continue
        at = time.strftime("%F %T", time.localtime(int(entry["__REALTIME_TIMESTAMP"]) / 1e6))
        where = entry.get("LOGGER") or entry.get("UNIT", "systemd")
        yield f"{at} {entry.get('PRIORITY', '')} {where} {ours or entry.get('MESSAGE', '')}"


def audit_state(settings: Settings) -> str:
    folder = audit_folder(settings)
    return json.dumps(asdict(audit.verify(folder)) if folder.is_dir() else {}, indent=2)


def firewall(_: Settings) -> str:
    return _output("nft", "list", "counters", "table", "inet", "lingting")


def releases(_: Settings) -> str:
    return _output("lingting-install", "status", "--json")


def _output(*command: str) -> str:
    """What it prints, or why there is nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {type(error).__name__}\n"
    return done.stdout


PARTS: dict[str, Callable[[Settings], str]] = {
    "about.json": about,
    "doctor.json": doctor,
    "settings.json": settings_in_force,
    "units.txt": units,
    "journal.txt": journal,
    "audit.json": audit_state,
    "firewall.txt": firewall,
    "releases.json": releases,
}
