"""`lingting capacity`: how many live calls this machine carries at the latency goal."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from appliance.cli.canary import own_settings
from appliance.engine import capacity_file
from appliance.engine.capacity_file import Capacity
from appliance.errors import EngineUnavailable
from appliance.load import live as bench_live
from appliance.load.host import Host
from appliance.load.live import FAULTS, Load, is_disturbed
from appliance.load.probe import Figures
from appliance.load.search import Search, player_of
from appliance.models.serving import serving_settings
from appliance.settings import Settings

LEGS = 2  # of a call
console = Console(stderr=True, highlight=False)


def capacity(
    within: Annotated[
        float, typer.Option(min=0.05, help="The goal: endpoint to final, p95, s.")
    ] = 1.0,
    most: Annotated[int, typer.Option(min=1, help="Most calls that are tried.")] = 256,
    engine: Annotated[
        list[str] | None,
        typer.Option(help="triton or cpu; may be repeated. Without it: all there are."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=5, help="Length of a trial's calls, s. Without it: 20 to 80, fewer calls longer."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell; admission goes on as before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure with calls in real time, engine by engine, and write down what admission uses.

    Some ten minutes in which the machine is busy: in a quiet hour. The box takes the figures at its
    next start.
    """
    settings = serving_settings()
    names = engine or (["cpu"] if settings.triton.mode == "off" else ["triton", "cpu"])
    found, path = dict[str, Capacity](), settings.capacity_file
    for name in names:
        found[name] = _measure(settings, name, within, Search(most, within, seconds))
        if not dry_run:  # at once: the next engine may not be measurable
            capacity_file.write(path, name, found[name])
    if as_json:
        typer.echo(json.dumps({name: asdict(each) for name, each in found.items()}, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("引擎 engine", "通话 calls", "路 legs", "定稿 final p95", "模型 model"):
        table.add_column(column)
    for name, each in found.items():
        p95 = f"{each.final_p95_s:.2f} s"
        table.add_row(name, str(each.legs // LEGS), str(each.legs), p95, each.model)
    Console(highlight=False).print(table)
    for name, each in found.items():
        if each.legs == most * LEGS:
            words = f"{name} 止于 --most，并非极限 ends at --most; the machine carries more"
            console.print(f"[yellow]{words}[/]")
    if dry_run:
        typer.echo("未写入 nothing was written (--dry-run)")
    else:
        typer.echo(f"{path}: 设备下次启动时采用 the box takes them at its next start")


def _measure(settings: Settings, engine: str, within_s: float, search: Search) -> Capacity:
    """Raises EngineUnavailable if that engine does not come up, or carries no call."""
    host = Host(engine, unlimited=True, environment=_own(settings, engine))
    with console.status(f"{engine} …") as status, host, bench_live.recording() as audio:

        def say(step: str) -> None:
            status.update(f"{engine}: {step} …")
            if not console.is_terminal:
                console.print(f"{engine}: {step}")

        best, figures = search.run(player_of(host, audio, Load(0, LEGS, 0.0)), say)
        if not host.proven:
            cause = f"{engine} is not ready"
            raise EngineUnavailable("measure an engine", cause, "run `lingting doctor`")
        if not best:
            raise _why_none(engine, figures, within_s)
        card = _card(host)
    return Capacity(
        legs=best * LEGS,
        within_s=within_s,
        final_p95_s=float(figures["endpoint_to_final_p95_s"] or 0.0),
        model=card["lingting"]["model"],
        device=card["lingting"]["device"],
        cores=os.cpu_count() or 1,
        measured_at=time.time(),
    )


def _why_none(engine: str, figures: Figures, within_s: float) -> EngineUnavailable:
    doing = "measure an engine"
    if is_disturbed(figures):
        cause = "this machine is too busy to play one call in real time"
        return EngineUnavailable(doing, cause, "measure when nothing else runs here")
    late = figures.get("endpoint_to_final_p95_s")
    faults = ", ".join(f"{figures[key]} {key}" for key in FAULTS if figures.get(key))
    cause = f"{engine} does not serve one call within {within_s} s (p95 {late} s)"
    return EngineUnavailable(
        doing, f"{cause}; {faults}" if faults else cause, "a faster machine, or --within"
    )


def _own(settings: Settings, engine: str) -> dict[str, str]:
    """Of a box of its own, on loopback without keys: the one that serves is not touched."""
    triton = settings.triton
    own = {**own_settings(settings), "LINGTING_TRITON__MODE": "off"}
    if engine == "triton":
        own |= {"LINGTING_TRITON__MODE": triton.mode, "LINGTING_TRITON__KIND": triton.kind}
        if triton.mode == "remote":
            own["LINGTING_TRITON__ADDRESS"] = triton.address
    return own


def _card(host: Host) -> dict[str, Any]:
    """Of the speech model that was measured."""
    box = host.box()
    return dict(httpx.get(f"{box.url}/v1/models", timeout=10).json()["data"][0])
