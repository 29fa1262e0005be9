"""`lingting models try|trial|lead|abort`: another speech bundle takes over while calls run."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.cli.models import Ref
from appliance.models.rollout import OVER, RolloutPolicy, RolloutStage

ROUTE = "/api/v1/admin/trial"
POLL_S = 1.0
DEFAULT = RolloutPolicy()
MEANING = {
    RolloutStage.NONE: "nothing is tried",
    RolloutStage.LOADING: "it is loaded beside the one that serves",
    RolloutStage.CANARY: "it hears its canary",
    RolloutStage.SHADOW: "it hears a share of the real windows, too",
    RolloutStage.READY: "it has heard enough alike: lingting models lead, or abort",
    RolloutStage.LEADING: "calls that begin now are its; it is watched",
    RolloutStage.SETTLING: "the old one's calls end",
    RolloutStage.DONE: "it serves",
    RolloutStage.BACK: "the old one serves",
}
Wait = Annotated[bool, typer.Option(help="Watch until it is ready, over, or Ctrl-C.")]
console = Console(highlight=False)


def try_bundle(
    ref: Ref,
    share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Of the windows, heard twice.")
    ] = DEFAULT.share,
    windows: Annotated[
        int, typer.Option(min=1, help="Heard twice before it may lead, and as many after.")
    ] = DEFAULT.windows,
    least_agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Of the characters, heard alike.")
    ] = DEFAULT.least_agreement,
    most_cost: Annotated[
        float, typer.Option(min=0.01, help="Times the work of the one that serves.")
    ] = DEFAULT.most_cost,
    automatic: Annotated[bool, typer.Option(help="Lead as soon as it may.")] = False,
    wait: Wait = True,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Load a speech bundle beside the one that serves; both hear, one answers.

    Ctrl-C ends the watching, not the trial. Exit code 1: it went back, the reason is told.
    """
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    wanted = {"ref": ref, "share": share, "windows": windows, "automatic": automatic}
    wanted |= {"least_agreement": least_agreement, "most_cost": most_cost}
    told = box.ask("POST", ROUTE, wanted)
    _end(_watched(box, told, automatic=automatic) if wait else told)


def trial(
    wait: Wait = False,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """How the trial under way gets on, or how the last one ended."""
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    told = box.ask("GET", ROUTE)
    _end(_watched(box, told, automatic=False) if wait else told)


def lead(
    wait: Wait = True,
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Let the bundle that is tried hear the calls that begin from now on.

    The old one goes on hearing a share of them, and takes over again by itself if the two do not
    agree or the new one is too slow. When its last call has ended it is let go of.
    """
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    told = box.ask("POST", f"{ROUTE}/lead")
    _end(_watched(box, told, automatic=True) if wait else told)


def abort(
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """Back to the old bundle; calls under way end as they began."""
    box = AdminClient(server, key_file, certificate, authority, patient=True)
    _show(box.ask("POST", f"{ROUTE}/abort"))


def _watched(box: AdminClient, told: dict[str, Any], *, automatic: bool) -> dict[str, Any]:
    """Until it is over, or waits for somebody to decide."""
    ends = [*OVER] if automatic else [*OVER, RolloutStage.READY]
    try:
        with Live(_line(told), console=console, transient=True) as live:
            while told["stage"] not in ends:
                time.sleep(POLL_S)
                told = box.ask("GET", ROUTE)
                live.update(_line(told))
    except KeyboardInterrupt:
        console.print("it goes on: lingting models trial")
    return told


def _line(told: dict[str, Any]) -> str:
    stage = RolloutStage(told["stage"])
    heard = f"; {told['windows']} windows heard by both, {told['agreement']:.0%} alike, "
    heard += f"{told['cost']:.2f} times the work"
    calls = f"; {told['old_calls']} calls of the old one" if told["old_calls"] else ""
    counted = heard if told["windows"] else ""
    why = f"; {told['reason']}" if stage is RolloutStage.SETTLING and told["reason"] else ""
    return f"{told['ref']} {stage}: {MEANING[stage]}{counted}{calls}{why}"


def _show(told: dict[str, Any]) -> None:
    console.print(_line(told).strip())
    if told["reason"]:
        console.print(f"why: {told['reason']}")


def _end(told: dict[str, Any]) -> None:
    _show(told)
    if told["stage"] == RolloutStage.BACK:
        raise typer.Exit(1)
