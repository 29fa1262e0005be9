"""`lingting city`: make, check, show, compare, train, test and seal city packs."""

from __future__ import annotations

import csv
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from appliance.assist.city import diff as differences
from appliance.assist.city import new as making
from appliance.assist.city import pack as packs
from appliance.assist.city import schema, seal
from appliance.assist.city.divisions import DivisionLevel
from appliance.assist.city.known import Models, models_of
from appliance.assist.city.pack import CityPack
from appliance.assist.city.reader import PackError
from appliance.assist.orders import cases
from appliance.assist.orders.filler import Filler
from appliance.cli.admin_client import AdminClient, Authority, Certificate, KeyFile, Server
from appliance.cli.city_train import train_pack
from appliance.errors import LingtingError
from appliance.settings import load_settings
from appliance.settings.section import PROJECT

app = typer.Typer(
    help="City packs: all that is a city's own, as a folder of data.", no_args_is_help=True
)
console = Console(highlight=False)
TEMPLATE = PROJECT / "provisioning" / "city_packs" / "template"
CHINA = PROJECT / "provisioning" / "divisions" / "china_2022.csv"
Folder = Annotated[Path | None, typer.Argument(help="Pack folder; else the one in the settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _stop(error: LingtingError) -> typer.Exit:
    typer.echo(f"city: {error}", err=True)
    return typer.Exit(1)


def _folder(given: Path | None) -> Path:
    return given or load_settings().city.pack


def _loaded(given: Path | None, *, sealed: bool = True) -> CityPack:
    try:
        return packs.load(_folder(given), sealed=sealed)
    except LingtingError as error:
        raise _stop(error) from error


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Where the pack is made; must not exist.")],
    division: Annotated[str, typer.Option(help="The city's division code, e.g. 1403 or 140300.")],
    area_code: Annotated[str, typer.Option(help="Its telephone area code, e.g. 0353.")] = "",
    villages: Annotated[
        Path | None, typer.Option(help="CSV `code,name` with its villages and communities.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="What all cities have alike; else what comes with the box.")
    ] = None,
    china: Annotated[
        Path | None, typer.Option(help="Divisions down to towns; else what comes with the box.")
    ] = None,
) -> None:
    """Make a pack for a city: divisions, units, categories, catalogue, tiers; then edit it."""
    try:
        below = making.villages_of(villages) if villages else ()
        name = folder.resolve().name
        making.make(
            *(template or TEMPLATE, china or CHINA, division, folder),
            name=name,
            area_code=area_code,
            villages=below,
        )
        pack = packs.load(folder, sealed=False)
        seal.write(folder)
    except LingtingError as error:
        raise _stop(error) from error
    console.print(f"{pack.identity.title}: {folder}")
    _counts(pack)
    console.print(
        "Next: replace what is marked sample in units.csv, add places.csv (streets, compounds, "
        f"landmarks), then\n  lingting city validate {folder}\n  lingting city seal {folder}"
    )


@app.command()
def validate(folder: Folder = None, as_json: AsJson = False) -> None:
    """Say all that is wrong in a pack, by file and line."""
    where = _folder(folder)
    try:
        pack = packs.load(where, sealed=False)
    except PackError as error:
        _tell_problems(error, as_json=as_json)
        raise typer.Exit(1) from error
    loose = [f"{file}: {what}" for file, what in seal.broken(where)]
    if as_json:
        typer.echo(json.dumps({"ok": True, "version": pack.version, "unsealed": loose}))
        return
    console.print(f"{pack.identity.title} {pack.version}: good")
    _counts(pack)
    if warning := pack.calendar.warning(datetime.now(UTC)):
        console.print(f"[yellow]warning[/yellow] {warning}")
    for each in loose:
        console.print(f"[yellow]not sealed[/yellow] {each}")


def _tell_problems(error: PackError, *, as_json: bool) -> None:
    if as_json:
        told = [{"file": p.file, "line": p.line, "what": p.what} for p in error.problems]
        typer.echo(json.dumps({"ok": False, "problems": told}, ensure_ascii=False))
        return
    for problem in error.problems:
        typer.echo(str(problem))
    typer.echo(f"{len(error.problems)} problems", err=True)


@app.command("seal")
def seal_(folder: Folder = None) -> None:
    """Say that a pack may be used as it is now; a running box that uses it takes it at once."""
    pack = _loaded(folder, sealed=False)
    seal.write(pack.folder)
    console.print(f"sealed: {pack.version}")


@app.command()
def show(
    folder: Folder = None,
    what: Annotated[
        str, typer.Option(help="summary, categories, units, divisions or tiers.")
    ] = "summary",
    as_json: AsJson = False,
) -> None:
    """What is in a pack."""
    pack = _loaded(folder, sealed=False)
    if as_json:
        typer.echo(json.dumps(_summary(pack), ensure_ascii=False))
        return
    views = {
        "summary": _counts,
        "categories": _show_categories,
        "units": _show_units,
        "divisions": _show_divisions,
        "tiers": _show_tiers,
    }
    if what not in views:
        raise typer.BadParameter(f"there are {', '.join(views)}", param_hint="--what")
    console.print(f"{pack.identity.title} {pack.version}")
    views[what](pack)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="Pack folder.")],
    new: Annotated[Path, typer.Argument(help="Pack folder.")],
) -> None:
    """What has changed from one pack to another, row by row."""
    lines = list(differences.diff(old, new))
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo("nothing has changed", err=True)


@app.command("schema")
def schema_() -> None:
    """JSON Schema of every file of a pack."""
    typer.echo(json.dumps(schema.schemas(), ensure_ascii=False, indent=1))


def _summary(pack: CityPack) -> dict[str, object]:
    return {
        "name": pack.identity.name,
        "title": pack.identity.title,
        "version": pack.version,
        "counties": len(pack.divisions.of_level(DivisionLevel.COUNTY)),
        "towns": len(pack.divisions.of_level(DivisionLevel.TOWN)),
        "villages": len(pack.divisions.of_level(DivisionLevel.VILLAGE)),
        "places": len(pack.places),
        "categories": len(pack.taxonomy.leaves),
        "examples": len(pack.taxonomy.examples),
        "units": len(pack.units),
        "rules": len(pack.rules),
        "tiers": [tier.code for tier in pack.tiers],
        "refusals": len(pack.refusals),
        "emergencies": len(pack.emergencies),
        "holidays": sorted(pack.calendar.years),
        "samples": sum(each.sample for each in (*pack.units, *pack.places)),
    }


def _counts(pack: CityPack) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _summary(pack).items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(name, shown)
    console.print(table)


def _show_categories(pack: CityPack) -> None:
    trees = {"": Tree(pack.identity.title)}
    for each in pack.taxonomy:
        above = trees.get(each.parent, trees[""])
        trees[each.code] = above.add(f"{each.code} {each.name}")
    console.print(trees[""])


def _show_units(pack: CityPack) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("code", "name", "level", "function", "divisions"):
        table.add_column(column)
    for unit in pack.units:
        where = "、".join(pack.divisions.name(code) for code in unit.divisions)
        table.add_row(unit.code, unit.name, unit.level, unit.function, where)
    console.print(table)


def _show_divisions(pack: CityPack) -> None:
    for division in pack.divisions:
        console.print(f"{division.code} {division.name}")


def _show_tiers(pack: CityPack) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("code", "name", "limit", "time", "why"):
        table.add_column(column)
    for tier in pack.tiers:
        table.add_row(tier.code, tier.name, f"{tier.limit:g} {tier.unit}", tier.time, tier.why)
    console.print(table)


@app.command()
def test(
    folder: Folder = None,
    show: Annotated[int, typer.Option(help="So many misses of each kind.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Run a pack's own cases: units, tiers, dangers, refusals, addresses."""
    pack = _loaded(folder, sealed=False)
    if not cases.has_any(pack.folder):
        typer.echo(
            f"{pack.folder / 'cases'} 里没有案例 has no cases: dispatch.csv, addresses.csv; "
            "写法见 how to write them: provisioning/city_packs/datong/cases",
            err=True,
        )
        raise typer.Exit(1)
    score = cases.run(Filler(pack, _learned(pack)))
    told = {name: {"n": each.n, "right": each.share} for name, each in score.tallies.items()}
    if as_json:
        typer.echo(json.dumps({**told, "helpers_f1": score.helpers.f1}))
    else:
        _show_score(score, show)
    least = pack.identity.least
    low = [name for name, wanted in least.items() if score.of(name).share < wanted]
    for name in low:
        low_told = f"{name}: {score.of(name).share:.1%}, 本包要求 wanted {least[name]:.1%}"
        typer.echo(low_told, err=True)
    if low:
        raise typer.Exit(1)


def _show_score(score: cases.CaseScore, show: int) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("measured", "cases", "right", "silent", "wrong", "wrong and sure"):
        table.add_column(column, justify="right" if column != "measured" else "left")
    for name, each in score.tallies.items():
        counts = (each.n, f"{each.share:.1%}", each.silent, each.wrong, each.confident_wrong)
        table.add_row(name, *map(str, counts))
    table.add_row("helpers (F1)", "", f"{score.helpers.f1:.1%}")
    console.print(table)
    for name, each in score.tallies.items():
        for miss in each.misses[:show]:
            console.print(f"[dim]{name}: {miss}[/dim]")


def _learned(pack: CityPack) -> Models:
    cache = load_settings().city.cache
    with console.status(f"学习 learning {pack.version}"):
        return models_of(pack, cache)


@app.command()
def learn(folder: Folder = None) -> None:
    """Learn what a pack's examples teach; a box that takes it into use then has it at once."""
    pack = _loaded(folder)
    begun = time.monotonic()
    _learned(pack)
    console.print(f"{pack.version}: {time.monotonic() - begun:.0f} s")


@app.command()
def train(
    data: Annotated[
        list[Path],
        typer.Option(
            help="CSV of orders, UTF-8 or GB18030: text; label (category, code or name) and, if "
            "known, tier, main and helpers (units)."
        ),
    ],
    folder: Folder = None,
    force: Annotated[
        bool, typer.Option("--force", help="Take it even if it is no better.")
    ] = False,
) -> None:
    """Train on a city's own orders: categories and, where they tell them, units and tiers.

    Each model is taken if it is better than the one before."""
    try:
        train_pack(_loaded(folder, sealed=False), data, console, force=force)
    except LingtingError as error:
        raise _stop(error) from error


@app.command()
def corrections(
    out: Annotated[Path, typer.Argument(help="CSV to write, for `lingting city train --data`.")],
    server: Server = "",
    key_file: KeyFile = None,
    certificate: Certificate = None,
    authority: Authority = None,
) -> None:
    """What agents have corrected of categories on this box, as labelled texts. For dispatchers."""
    client = AdminClient(server, key_file, certificate, authority)
    found = client.ask("GET", "/api/v1/orders/corrections")["rows"]
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("label", "text", "tier", "main", "helpers"))
        writer.writeheader()
        writer.writerows(found)
    console.print(f"{len(found)} corrected orders: {out}")


@app.command()
def use(
    folder: Annotated[Path, typer.Argument(help="Sealed pack folder.")],
    link: Annotated[
        Path | None,
        typer.Option(help="The link that the box has as its pack; else its setting."),
    ] = None,
) -> None:
    """Let the box use another pack: point the link of its settings there; no restart."""
    pack, target = _loaded(folder), link or load_settings().city.pack
    if target.exists() and not target.is_symlink():
        typer.echo(
            f"city: {target} is a folder, not a link; set [city] pack to a link, or seal that "
            "folder anew",
            err=True,
        )
        raise typer.Exit(2)
    draft = target.with_name(f".{target.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(pack.folder.resolve())
    draft.replace(target)
    console.print(f"{target} -> {pack.folder}: {pack.version}; taken within seconds")
