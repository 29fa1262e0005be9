"""Trains a city's category model on its own orders, beside the one in use, and compares the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from appliance.assist.category.comparison import Comparison, compare
from appliance.assist.category.examples import pack_rows
from appliance.assist.category.rows import Labelled, read_rows
from appliance.assist.category.training import fit
from appliance.assist.city import known, seal
from appliance.assist.city.pack import CityPack
from appliance.assist.city.taxonomy import Taxonomy
from appliance.errors import SettingsError
from appliance.settings import load_settings

LEAST_ROWS = 50
SHOWN = ("top1", "top3", "macro_f1", "ece", "abstain_rate", "told_right")
DOING = "train the category model"


def train_pack(
    pack: CityPack, data: Sequence[Path], console: Console, *, force: bool = False
) -> bool:
    """Take a model that is better than the one in use; whether it was taken.

    Raises:
        SettingsError: nothing to train on, or labels that the pack does not have.
    """
    rows = [row for path in data for row in coded(read_rows(path), pack.taxonomy, path)]
    if len(rows) < LEAST_ROWS:
        cause = f"{len(rows)} rows are too few"
        raise SettingsError(DOING, cause, f"give --data with {LEAST_ROWS} or more orders")
    old = known.models_of(pack, load_settings().city.cache).category
    with console.status(f"训练 {len(rows)} 条 training"):
        new = fit([*pack_rows(pack.taxonomy), *rows], pack=pack.version)
    found = compare(old, new)
    _show(found, console)
    if not (found.better or force):
        console.print("不比原来的好，不换。 No better than before: not taken; --force takes it.")
        return False
    new.model.save(pack.folder / known.MODEL)
    seal.write(pack.folder)
    console.print(f"已换上并封存 taken and sealed: {pack.folder / known.MODEL}")
    return True


def coded(rows: Sequence[Labelled], taxonomy: Taxonomy, path: Path) -> list[Labelled]:
    """With codes in the place of names; raises SettingsError naming labels that are neither."""
    by_name = {name: each.code for each in taxonomy for name in (each.name, *each.aliases)}
    found, unknown = [], dict[str, int]()
    for number, row in enumerate(rows, 2):
        code = row.label if row.label in taxonomy else by_name.get(row.label, "")
        if code:
            found.append(replace(row, label=code))
        else:
            unknown.setdefault(row.label, number)
    if unknown:
        told = ", ".join(f"{name!r} (line {line})" for name, line in list(unknown.items())[:10])
        hint = "labels are codes or names of categories.csv"
        raise SettingsError(DOING, f"{path}: {len(unknown)} unknown labels: {told}", hint)
    return found


def _show(found: Comparison, console: Console) -> None:
    """On what the old one has not seen; the new one as if it had not seen it either."""
    if not (found.old and found.new):
        console.print(
            f"原来没见过的只有 {found.fresh} 条，按各自的交叉验证比较 top-1, cross-validated, for "
            f"few texts are new to the old model: {found.before:.3f} -> {found.after:.3f}"
        )
        return
    table = Table("没见过的 unseen", "原来 before", "现在 after", box=None)
    table.title = f"{found.fresh} 条 texts"
    for name in SHOWN:
        was, now = getattr(found.old, name), getattr(found.new, name)
        table.add_row(name, f"{was:.3f}", f"{now:.3f}")
    console.print(table)
