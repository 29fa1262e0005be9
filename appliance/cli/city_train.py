"""Trains a city's models on its own orders, beside those in use, and compares the two of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from appliance.assist.category.comparison import Comparison, compare
from appliance.assist.category.rows import Labelled, columns_of, read_rows
from appliance.assist.category.training import fit
from appliance.assist.city import known, seal
from appliance.assist.city.divisions import LEVELS, DivisionLevel
from appliance.assist.city.pack import CityPack
from appliance.assist.city.units import Unit
from appliance.errors import SettingsError
from appliance.settings import load_settings

LEAST_ROWS = 50
SHOWN = ("top1", "top3", "macro_f1", "ece", "abstain_rate", "told_right")
DOING = "train on a city's orders"
# What is learned, by the column that tells it.
COLUMNS = {known.CATEGORY: "label", "main": "main", "helpers": "helpers", "tier": "tier"}
CHINESE = {known.CATEGORY: "事项分类", "main": "主办单位", "helpers": "协办单位", "tier": "时限"}


def train_pack(
    pack: CityPack, data: Sequence[Path], console: Console, *, force: bool = False
) -> tuple[str, ...]:
    """Take the models that are better than those in use; which were taken.

    Raises:
        SettingsError: nothing to train on, or labels that the pack does not have.
    """
    named = {path: columns_of(path) for path in data}
    told = [what for what, column in COLUMNS.items() if any(column in n for n in named.values())]
    rows = {what: list(_rows(pack, what, named)) for what in told}
    if max(map(len, rows.values()), default=0) < LEAST_ROWS:
        most = max(map(len, rows.values()), default=0)
        hint = f"give --data with {LEAST_ROWS} or more orders: a text, a label"
        raise SettingsError(DOING, f"{most} rows are too few", hint)
    before = known.models_of(pack, load_settings().city.cache)
    taken = tuple(
        what
        for what, its in rows.items()
        if len(its) >= LEAST_ROWS and _train(pack, what, its, before, console, force=force)
    )
    if taken:
        seal.write(pack.folder)
        console.print(
            "已换上并封存 taken and sealed: " + ", ".join(CHINESE[what] for what in taken)
        )
    return taken


def _train(
    pack: CityPack,
    what: str,
    rows: Sequence[Labelled],
    before: known.Models,
    console: Console,
    *,
    force: bool,
) -> bool:
    with console.status(f"{CHINESE[what]}：训练 {len(rows)} 条 training"):
        new = fit([*known.LEARNED[what](pack), *rows], pack=pack.version)
    old = getattr(before, what)
    found = compare(old, new) if old else None
    if found:
        _show(what, found, console)
    if found and not (found.better or force):
        told = "不比原来的好，不换。 No better than before: not taken; --force takes it."
        console.print(f"{CHINESE[what]}：{told}")
        return False
    new.model.save(known.own_model(pack, what))
    return True


def _rows(pack: CityPack, what: str, named: Mapping[Path, Sequence[str]]) -> Iterable[Labelled]:
    """Of all files that have the column; codes in the place of names."""
    column = COLUMNS[what]
    for path, columns in named.items():
        if column in columns:
            rows = read_rows(path, column, unlabelled=what != known.CATEGORY)
            yield from _coded(pack, what, rows, path)


def _coded(pack: CityPack, what: str, rows: Sequence[Labelled], path: Path) -> list[Labelled]:
    """Raises SettingsError naming labels that are unknown."""
    codes = _codes(pack, what)
    found, unknown = [], dict[str, int]()
    for number, row in enumerate(rows, 2):
        if what == "helpers":
            labels = [label.strip() for label in row.label.split(";") if label.strip()]
        else:
            labels = [row.label] if row.label else []
        unknown |= {label: number for label in labels if label not in codes}
        code = ";".join(sorted({codes[label] for label in labels if label in codes}))
        if code or what == "helpers":
            found.append(replace(row, label=code or known.NOBODY))
    if unknown:
        told = ", ".join(f"{name!r} (line {line})" for name, line in list(unknown.items())[:10])
        hint = f"the column {COLUMNS[what]} holds codes or names of the pack"
        raise SettingsError(DOING, f"{path}: {len(unknown)} unknown labels: {told}", hint)
    return found


def _codes(pack: CityPack, what: str) -> dict[str, str]:
    """Labels by all that may stand for them in a city's table."""
    if what == known.CATEGORY:
        names = {name: each.code for each in pack.taxonomy for name in (each.name, *each.aliases)}
        return names | {each.code: each.code for each in pack.taxonomy}
    if what == "tier":
        return {name: tier.code for tier in pack.tiers for name in (tier.name, tier.code)}
    units = [unit for unit in pack.units if unit.function]
    if what == "helpers":
        found = {name: unit.function for unit in units for name in (unit.code, unit.name)}
        return found | {unit.function: unit.function for unit in units}
    found = {name: _lead(unit) for unit in units for name in (unit.code, unit.name)}
    return found | {unit.function: _lead(unit) for unit in sorted(units, key=_depth)}


def _lead(unit: Unit) -> str:
    city = unit.level is DivisionLevel.CITY
    return f"{unit.function}{known.AT}{DivisionLevel.CITY if city else DivisionLevel.COUNTY}"


def _depth(unit: Unit) -> int:
    """A function that counties have is theirs, where only it is named."""
    return LEVELS.index(unit.level)


def _show(what: str, found: Comparison, console: Console) -> None:
    """On what the old one has not seen; the new one as if it had not seen it either."""
    if not (found.old and found.new):
        console.print(
            f"{CHINESE[what]}：原来没见过的只有 {found.fresh} 条，按各自的交叉验证比较 top-1, "
            "cross-validated, for few texts are new to the old model: "
            f"{found.before:.3f} -> {found.after:.3f}"
        )
        return
    table = Table(f"{CHINESE[what]} 没见过的 unseen", "原来 before", "现在 after", box=None)
    table.title = f"{found.fresh} 条 texts"
    for name in SHOWN:
        was, now = getattr(found.old, name), getattr(found.new, name)
        table.add_row(name, f"{was:.3f}", f"{now:.3f}")
    console.print(table)
