"""`lingting eval orders`: the city pack's own cases, spoken and written, as the box fills them."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from appliance.assist.city import pack as packs
from appliance.assist.city.known import models_of
from appliance.assist.orders import cases
from appliance.assist.orders.cases import AT, SURE, CaseScore
from appliance.assist.orders.draft import OrderField
from appliance.assist.orders.filler import CallContext, Filler
from appliance.assist.slots.value import Said
from appliance.errors import LingtingError
from appliance.messages import LegRole
from appliance.settings import load_settings
from appliance.settings.section import PROJECT

DIALOGUES = PROJECT / "tests" / "orders" / "dialogues.toml"
ROLES = {"A": LegRole.AGENT, "C": LegRole.CITIZEN, "U": LegRole.UNKNOWN}


def orders(
    pack: Annotated[Path | None, typer.Option(help="Pack folder; else the settings'.")] = None,
    show: Annotated[int, typer.Option(help="So many misses of each kind.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one flat object.")] = False,
) -> None:
    """Dispatch, addresses, phones, names and matters of the shipped cases.

    By those held back, which nobody tuned on; beside them, and in JSON under names with `_all`, by
    all of them.
    """
    try:
        filler = _filler(pack)
    except LingtingError as error:
        typer.echo(f"eval orders: {error}", err=True)
        raise typer.Exit(2) from error
    held, _ = _judged(filler, held=True)
    every, score = _judged(filler, held=False)
    if as_json:
        print(json.dumps(held | {f"{name}_all": value for name, value in every.items()}))
        return
    _show(held, every)
    for name, tally in score.tallies.items() if show else ():
        for miss in tally.misses[:show]:
            print(f"{name}: {miss}")


def _judged(filler: Filler, *, held: bool) -> tuple[dict[str, float], CaseScore]:
    begun = time.perf_counter()
    score = cases.run(filler, held=held)
    dialogues = list(_dialogues(held=held))
    for dialogue in dialogues:
        _dialogue(filler, dialogue, score)
    n = score.of("emergency").n + score.of("community").n + len(dialogues)
    return _figures(score, n, time.perf_counter() - begun), score


def _filler(folder: Path | None) -> Filler:
    city = load_settings().city
    found = packs.load(folder or city.pack, sealed=False)
    return Filler(found, models_of(found, city.cache))


def _dialogues(*, held: bool) -> Iterator[dict[str, Any]]:
    if not DIALOGUES.exists():
        return
    parsed = tomllib.loads(DIALOGUES.read_text(encoding="utf-8"))
    for dialogue in parsed["dialogue"]:
        if not held or dialogue.get("held"):
            yield dialogue


def _said(turns: str) -> list[Said]:
    """A line an utterance: `A:` agent, `C:` citizen, `U:` nobody knows who."""
    found = []
    for n, line in enumerate(filter(None, turns.splitlines())):
        who, text = line.split(":", 1)
        found.append(Said(f"{n}", ROLES[who], text, n * 4000, n * 4000 + 3500))
    return found


def _dialogue(filler: Filler, dialogue: Mapping[str, Any], score: CaseScore) -> None:
    at = datetime.fromisoformat(dialogue["at"]) if "at" in dialogue else AT
    drafts = filler.fill(_said(dialogue["turns"]), CallContext(at, dialogue.get("caller", "")))
    about, fields = dialogue["id"], drafts[0].fields
    for name, slot in (("phone", OrderField.PHONE), ("name", OrderField.NAME)):
        value = fields.get(slot)
        given, sure = (value.text, value.confidence) if value else ("", 0.0)
        if expected := dialogue.get(name):
            kind = f"{name}_read_back" if dialogue.get("readback") and name == "phone" else name
            score.of(kind).add(expected, given, sure, about)
        elif given and sure >= SURE and not dialogue.get("caller"):
            score.of(f"{name}_invented").add("", given, sure, about)
    if not dialogue.get("danger"):
        alarmed = "told" if any(draft.danger for draft in drafts) else "calm"
        score.of("no_false_alarm").add("calm", alarmed, 1.0, about)
    wanted = str(dialogue.get("matters", 1))
    kind = "two_matters" if wanted != "1" else "one_matter"
    score.of(kind).add(wanted, str(len(drafts)), 0.0, about)


def _figures(score: CaseScore, n: int, seconds: float) -> dict[str, float]:
    places = score.of("community")
    told: dict[str, float] = {
        "n": n,
        "community_recall": places.share,
        "confident_wrong": round(places.confident_wrong / max(1, places.n), 4),
        "phone_right": score.of("phone_read_back").share,
        "phone_confident_wrong": sum(
            tally.confident_wrong
            for name, tally in score.tallies.items()
            if name.startswith("phone")
        ),
        "helpers_f1": score.helpers.f1,
    }
    told |= {
        name: tally.share
        for name, tally in score.tallies.items()
        if name not in ("community", "phone_read_back") and not name.endswith("_invented")
    }
    told["ms_each"] = round(seconds / max(1, n) * 1000, 2)
    return told


def _show(held: Mapping[str, float], every: Mapping[str, float]) -> None:
    table = Table("measured", "held back", "all", box=None)
    for name, value in every.items():
        table.add_row(name, f"{held.get(name, 0.0):g}", f"{value:g}")
    Console().print(table)
