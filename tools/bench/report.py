"""How a bench tells what it measured: medians, ratios, goals; a table or one flat object."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from appliance.load.probe import Figures
from appliance.messages import DEMO_NOTICE

PEERS = ("naive", "batched", "wyoming", "jieba")


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be at least, or at most."""

    name: str  # key `goal_<name>`
    figure: str
    bound: float
    at_least: bool = False

    def met(self, figures: Figures) -> bool | None:
        """None: the figure was not measured."""
        value = number(figures.get(self.figure))
        if value is None:
            return None
        return value >= self.bound if self.at_least else value <= self.bound

    def sentence(self, figures: Figures) -> str:
        value, met = number(figures.get(self.figure)), self.met(figures)
        wanted = f"{self.figure} {'>=' if self.at_least else '<='} {self.bound:g}"
        if value is None or met is None:
            return f"[dim]– {wanted}: not measured[/]"
        if met:
            return f"[green]✓ {wanted}: {value:g}[/]"
        return f"[red]✗ {wanted}: {value:g}, missed by {abs(value - self.bound):.3g}[/]"


LATENCY = Goal("endpoint_to_final", "endpoint_to_final_p95_s", 1.0)
FIRST_PARTIAL = Goal("first_partial", "first_partial_p95_s", 1.5)
FINALS_ONLY = Goal("finals_only", "endpoint_to_final_p95_s", 2.0)
BOX_MEMORY = Goal("box_memory", "box_pss_mb", 1500)
LEGS, LEGS_FINALS_ONLY = 12, 20  # from which on the goals are asked for
CALLS = {
    "naive": Goal("calls_ratio", "ratio_sustained_calls", 4.0, at_least=True),
    "wyoming": Goal("calls_ratio", "ratio_sustained_calls", 1.5, at_least=True),
}
RECORDINGS = {
    "naive": Goal("recordings_ratio", "ratio_audio_seconds_per_second", 2.0, at_least=True),
    "batched": Goal("recordings_ratio", "ratio_audio_seconds_per_second", 1.5, at_least=True),
}
MEMORY = Goal("idle_memory", "gateway_rss_mb", 300)
READY = Goal("ready", "ready_s", 10)
STEREO = Goal("stereo", "stereo_s", 30)
MONO = Goal("mono", "mono_s", 60)
UPDATE = Goal("page_update", "update_p95_s", 0.3)
METRICS = Goal("metrics", "metrics_p50_s", 0.05)
WATCHING = Goal("watching_cost", "watching_cpu_share", 0.03)
PAGES = Goal("pages_cost", "pages_cpu_cores", 0.15)
FOLLOWING = Goal("following_cost", "following_cpu_share", 0.03)
DERIVED = Goal("derived", "derived_p95_s", 0.02)
SEARCH = Goal("search", "search_p95_ms", 20)
IMPORT = Goal("import", "import_s", 60)
VISIBLE = Goal("visible", "visible_most_ms", 1000)
DIARIZATION = Goal("diarization_cost", "diarization_ratio", 2)


def live_goals(legs: int, *, partials: bool) -> list[Goal]:
    """Of so many legs at once; a few say nothing of a machine."""
    if not partials:
        return [FINALS_ONLY] if legs >= LEGS_FINALS_ONLY else []
    return [LATENCY, FIRST_PARTIAL, BOX_MEMORY] if legs >= LEGS else []


def number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of every figure; counts of failures are the worst of all runs."""
    together: Figures = {}
    for key in runs[0]:
        values = [v for run in runs if (v := number(run[key])) is not None]
        if not values:
            together[key] = None
        elif key in ("refused", "errors"):
            together[key] = max(values)
        else:
            together[key] = values[0] if len(values) == 1 else statistics.median(values)
        if isinstance(together[key], float) and isinstance(runs[0][key], int):
            together[key] = round(number(together[key]) or 0)
    return together


def against(ours: Figures, peers: Figures, ratios: Iterable[str], peer: str = "naive") -> Figures:
    """Both in one object, with ours / the peer's of some figures.

    Where a count of the peer is 0 it is taken for 1: the ratio is at least that.
    """
    both: Figures = {**ours, **{f"{peer}_{key}": value for key, value in peers.items()}}
    for key in ratios:
        mine, theirs = number(ours.get(key)), number(peers.get(key))
        measured = mine is not None and theirs is not None
        both[f"ratio_{key}"] = round((mine or 0) / (theirs or 1), 2) if measured else None
    return both


def about(bundle: Path) -> Figures:
    """Which weights were measured."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return {
        "model": f"{manifest['name']} {manifest['version']}",
        "demo_weights": bool(manifest.get("demo")),
    }


def tell(title: str, figures: Figures, goals: Sequence[Goal], *, as_json: bool) -> None:
    """Print it all on standard output."""
    judged: Figures = {f"goal_{goal.name}": goal.met(figures) for goal in goals}
    console = Console(highlight=False)
    if as_json:
        print(json.dumps({**figures, **judged}, ensure_ascii=False))
        return
    console.print(table(title, figures))
    for goal in goals:
        console.print(goal.sentence(figures))
    console.print("Figures depend on the machine and on what else runs on it.", style="dim")
    if figures.get("demo_weights"):
        console.print(DEMO_NOTICE, style="yellow")


def table(title: str, figures: Mapping[str, object]) -> Table:
    """One row a figure; a column for the peer if there is one."""
    peer = next((p for p in PEERS if any(key.startswith(f"{p}_") for key in figures)), "")
    drawn = Table(title=title, title_justify="left")
    drawn.add_column("")
    drawn.add_column("lingting", justify="right")
    if peer:
        drawn.add_column(peer, justify="right")
    for key, value in figures.items():
        if peer and key.startswith(f"{peer}_"):
            continue
        row = [key, _shown(value)]
        drawn.add_row(*row, *([_shown(figures.get(f"{peer}_{key}"))] if peer else []))
    return drawn


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
