"""`lingting quality`: the rules that agents' calls are scored by."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from appliance.assist.city import pack as packs
from appliance.assist.city.pack import CityPack
from appliance.assist.quality.cases import Judged, judged
from appliance.errors import SettingsError
from appliance.settings import load_settings

app = typer.Typer(help="Quality inspection: a city's rules for its agents.", no_args_is_help=True)
console = Console(highlight=False)
Folder = Annotated[Path | None, typer.Argument(help="Pack folder; else the one in the settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _loaded(folder: Path | None) -> CityPack:
    pack = packs.load(folder or load_settings().city.pack, sealed=False)
    if not pack.quality:
        hint = "docs/quality.md tells how rules are written"
        raise SettingsError("read quality rules", f"{pack.folder} has no quality.toml", hint)
    return pack


@app.command()
def rules(folder: Folder = None) -> None:
    """List a pack's rules."""
    table = Table("id", "规则", "组", "扣分", "")
    for rule in _loaded(folder).quality:
        marks = " ".join(filter(None, (rule.severity, "live" if rule.live else "")))
        table.add_row(rule.id, rule.name, rule.group, f"{rule.points:g}", marks)
    console.print(table)


@app.command()
def test(folder: Folder = None, as_json: AsJson = False) -> None:
    """Run a pack's own dialogues: where a rule is violated, and where it is kept."""
    pack = _loaded(folder)
    found = judged(pack.quality, pack.quality_cases)
    wrong = [each for each in found if not each.is_right]
    bare = {rule.id for rule in pack.quality} - {case.rule for case in pack.quality_cases}
    if as_json:
        told = {"n": len(found), "right": len(found) - len(wrong), "rules": len(pack.quality)}
        typer.echo(json.dumps({**told, "without_cases": sorted(bare)}))
    else:
        _show(found)
        for each in wrong:
            wanted = "violated" if each.is_fault else "kept"
            line = f"{each.rule}: {each.finding.value}, wanted {wanted}: {each.text}"
            console.print(Text(line, style="dim"))
        for name in sorted(bare):
            console.print(f"{name} has no case")
    if wrong or bare:
        raise typer.Exit(1)


def _show(found: list[Judged]) -> None:
    by_rule: defaultdict[str, list[Judged]] = defaultdict(list)
    for each in found:
        by_rule[each.rule].append(each)
    table = Table("rule", "dialogues", "right")
    for name, some in by_rule.items():
        right = sum(each.is_right for each in some)
        table.add_row(name, str(len(some)), str(right), style="" if right == len(some) else "red")
    table.add_row("", str(len(found)), str(sum(each.is_right for each in found)))
    console.print(table)
