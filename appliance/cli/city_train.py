"""Trains a city's category model on its own orders, beside the one in use, and compares the two."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from appliance.assist.category.figures import Figures
from appliance.assist.category.model import CategoryModel
from appliance.assist.category.rows import Labelled, read_rows
from appliance.assist.category.training import train
from appliance.assist.city import known, seal
from appliance.assist.city.pack import CityPack
from appliance.assist.city.taxonomy import Taxonomy
from appliance.errors import SettingsError
from appliance.settings import load_settings

TESTED = 5  # one row in so many is for the comparison
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
    learned, tested = _split(rows)
    with console.status(f"训练 {len(learned)} 条 training"):
        new = train([*known.examples(pack), *learned], pack=pack.version)
    old = known.model_of(pack, load_settings().city.cache)
    before, after = _measure(old, tested), _measure(new, tested)
    console.print(_table(before, after))
    better = after.macro_f1 > before.macro_f1 and after.top1 >= before.top1
    if not (better or force):
        console.print("不比原来的好，不换。 No better than before: not taken; --force takes it.")
        return False
    with console.status("用全部数据训练 training on all of it"):
        whole = train([*known.examples(pack), *rows], pack=pack.version)
    whole.save(pack.folder / known.MODEL)
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


def _split(rows: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """By text, so that the same text is never on both sides."""
    tested = [row for row in rows if zlib.crc32(row.text.encode()) % TESTED == 0]
    learned = [row for row in rows if zlib.crc32(row.text.encode()) % TESTED]
    return learned, tested


def _measure(model: CategoryModel, rows: Sequence[Labelled]) -> Figures:
    return model.measure([row.label for row in rows], [row.text for row in rows])


def _table(before: Figures, after: Figures) -> Table:
    table = Table(
        "留出的 held out", "原来 before", "现在 after", title=f"{after.n} 条 texts", box=None
    )
    for name in SHOWN:
        table.add_row(name, f"{getattr(before, name):.3f}", f"{getattr(after, name):.3f}")
    return table
