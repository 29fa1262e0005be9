"""`lingting eval category`: how right the category model is, on labelled texts of your own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from appliance.assist.category.examples import pack_rows
from appliance.assist.category.figures import Figures, figures
from appliance.assist.category.labels import LEVEL, are_codes
from appliance.assist.category.model import CategoryModel
from appliance.assist.category.rows import Labelled, read_rows
from appliance.assist.category.training import MOST_ROWS, fit, train, twins_of
from appliance.assist.city import pack as packs
from appliance.errors import LingtingError, SettingsError
from appliance.settings import load_settings

Say = Callable[[str], None]
DOING = "measure categories"
WHAT = {
    "n": "texts",
    "top1": "the likeliest is right",
    "top3": "one of the three likeliest is",
    "branch": "the likeliest is under the right two digits (as top1 without codes)",
    "macro_f1": "mean of the F1 of all labels",
    "ece": "calibration error of the likeliest",
    "abstain_rate": "nothing is sure",
    "told_right": "of what is sure, on its level, right",
    "messages_per_s": "classified in a second, one thread",
    "train_s": "seconds of one training",
    "median_chars": "characters of the median text",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures, and what it took."""

    figures: Figures
    messages_per_s: float
    train_s: float
    median_chars: float

    def flat(self) -> dict[str, float]:
        took = (round(self.messages_per_s), round(self.train_s, 1), self.median_chars)
        names = ("messages_per_s", "train_s", "median_chars")
        return self.figures.flat() | dict(zip(names, took, strict=True))


def category(
    train_on: Annotated[
        list[Path] | None,
        typer.Option("--train", help="CSV with label and text (or words), may be .gz; several."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="CSV to measure on.")] = None,
    folds: Annotated[
        int, typer.Option(min=0, help="Cross-validate on --data (else on --train) in so many.")
    ] = 0,
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the text; several are joined. Else title, text and words."),
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(help="Without files: measure a pack's own examples.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
) -> None:
    """Category model: right, calibrated, how often it abstains, how fast.

    --train and --data: trained on the one, measured on the other. With --folds every text of
    --data is measured by a model without it and without what says the same matter (kept in its
    fold, or dropped from --train). Without files: each example of the city pack by a model without
    it."""
    console = Console(stderr=True, highlight=False)
    say = console.print if console.is_terminal else _silent
    try:
        files = [(path, read_rows(path, label, text or ())) for path in train_on or ()]
        rows = [row for _, found in files for row in found]
        held = read_rows(data, label, text or ()) if data else []
        if folds == 1:
            raise SettingsError(DOING, "one fold leaves nothing to train on", "--folds 5")
        if folds:
            found = cross_validate(held or rows, rows if held else [], folds, say)
        elif rows and held:
            found = hold_out(rows, held, say)
        elif rows or held:
            raise SettingsError(DOING, "only one file", "give --train and --data, or --folds 5")
        else:
            found = of_pack(pack or load_settings().city.pack, say)
    except LingtingError as error:
        typer.echo(f"eval category: {error}", err=True)
        raise typer.Exit(2) from error
    _show(found, as_json)


def _silent(text: str) -> None:
    """Nobody looks on."""


def _show(found: Measured, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.flat()))
        return
    table = Table("", "", "", box=SIMPLE_HEAD, show_header=False)
    for name, value in found.flat().items():
        told = f"{value:,.4f}" if 0 < value < 1 else f"{value:,g}"
        table.add_row(name, told, WHAT[name])
    Console(highlight=False).print(table)


def hold_out(rows: Sequence[Labelled], held: Sequence[Labelled], say: Say) -> Measured:
    """Trained on `rows`, measured on `held`."""
    trained = {row.text for row in rows}
    both = sum(row.text in trained for row in held)
    if both:
        print(f"eval category: {both} texts of --data are in --train too", file=sys.stderr)
    model, train_s = _trained(rows, say)
    shares, seconds = _classified(model, held)
    return _measured(held, model.judge([r.label for r in held], shares), seconds, train_s)


def cross_validate(
    rows: Sequence[Labelled], more: Sequence[Labelled], folds: int, say: Say
) -> Measured:
    """Each of `rows` measured by a model of the other folds and of `more`.

    Texts of one matter share a fold; those in `more` are not trained on with their fold.
    """
    rows = list({row.text: row for row in rows if row.text}.values())
    everything = [*rows, *more]
    if not folds <= len(rows) <= len(everything) <= 2 * MOST_ROWS:
        cause = f"{len(rows)} texts, {len(more)} more to train on"
        raise SettingsError(DOING, cause, f"give {folds} to {2 * MOST_ROWS}")
    say("looking for texts of one matter")
    twins = twins_of([row.text for row in everything])
    fold = _folds(rows, twins, folds)
    labels = sorted({row.label for row in everything})
    at = {name: place for place, name in enumerate(labels)}
    shares = np.zeros((len(rows), len(labels)), np.float32)
    told: list[tuple[str, float] | None] = [None] * len(rows)
    train_s = seconds = 0.0
    for each in range(folds):
        say(f"fold {each + 1} of {folds}")
        mine = np.flatnonzero(fold == each).tolist()
        barred = {twin for place in mine for twin in (place, *twins.get(place, ()))}
        model, took = _trained([r for n, r in enumerate(everything) if n not in barred], say)
        found, spent = _classified(model, [rows[place] for place in mine])
        shares[np.ix_(mine, [at[name] for name in model.labels])] = found
        for place, answer in zip(mine, model.branches.sure(found, model.sure), strict=True):
            told[place] = answer
        train_s, seconds = train_s + took / folds, seconds + spent
    truth = [row.label for row in rows]
    right = figures(truth, labels, shares, told, LEVEL if are_codes(labels) else None)
    return _measured(rows, right, seconds, train_s)


def _folds(rows: Sequence[Labelled], twins: dict[int, list[int]], folds: int) -> NDArray[np.int64]:
    """Of each row; labels spread evenly, twins together."""
    order = np.random.default_rng(0).permutation(len(rows))
    order = order[np.argsort([rows[place].label for place in order], kind="stable")]
    fold = np.zeros(len(rows), np.int64)
    fold[order] = np.arange(len(rows)) % folds
    for place in range(len(rows)):
        first = min([place, *twins.get(place, ())])
        fold[place] = fold[first]
    return fold


def of_pack(folder: Path, say: Say) -> Measured:
    """Each example of a pack by a model of everything else in it."""
    found = packs.load(folder, sealed=False)
    begun = time.perf_counter()
    trained = fit(list(pack_rows(found.taxonomy)), pack=found.version, progress=say)
    train_s = time.perf_counter() - begun
    right = trained.model.judge([row.label for row in trained.rows], trained.left_out)
    _, seconds = _classified(trained.model, trained.rows)
    return _measured(trained.rows, right, seconds, train_s)


def _trained(rows: Sequence[Labelled], say: Say) -> tuple[CategoryModel, float]:
    begun = time.perf_counter()
    model = train(rows, progress=say)
    return model, time.perf_counter() - begun


def _classified(
    model: CategoryModel, rows: Sequence[Labelled]
) -> tuple[NDArray[np.float32], float]:
    begun = time.perf_counter()
    shares = model.probabilities([row.text for row in rows])
    return shares, time.perf_counter() - begun


def _measured(rows: Sequence[Labelled], right: Figures, seconds: float, train_s: float) -> Measured:
    chars = float(median(len(row.text) for row in rows))
    return Measured(right, len(rows) / max(seconds, 1e-9), train_s, chars)
