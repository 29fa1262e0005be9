"""`lingting eval warnings`: what early warning finds, in your own messages or a made-up year."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from appliance.assist.city import pack as packs
from appliance.assist.city.divisions import DivisionLevel
from appliance.assist.city.tiers import CHINA
from appliance.assist.warnings.book import WarningBook
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.matters import Matter, matters
from appliance.assist.warnings.year import Event, synthetic_year
from appliance.errors import LingtingError, SettingsError
from appliance.settings import load_settings

DOING = "measure early warning"
LARGE = 20  # contacts of an event that has to be found
IN_TIME_S = 1800.0  # after its fifth contact
SHOWN = 10
WEEK_S = 604_800.0
WHAT = {
    "n": "contacts",
    "events": "injected",
    "events_20": "of 20 contacts and more",
    "recall_20": "of those, found within 30 minutes of the fifth contact",
    "delay_p50_s": "after the fifth contact",
    "delay_p95_s": "after the fifth contact",
    "false_per_week": "warnings of nothing that was injected",
    "replay_s": "all contacts taken, s",
}


def warnings(
    data: Annotated[
        Path | None,
        typer.Option(help="CSV with id, time, title, text (and user), may be .gz; else a year."),
    ] = None,
    days: Annotated[int, typer.Option(min=40, help="Of the synthetic year.")] = 365,
    events: Annotated[int, typer.Option(min=1, help="Injected into it.")] = 60,
    seed: Annotated[int, typer.Option(help="That it is drawn by.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One flat object; of --data one object a line.")
    ] = False,
) -> None:
    """Early warning: matters that many tell of, first times and messages; or, without --data, how
    many of a synthetic year's events are found, how soon, and how often there is nothing."""
    try:
        if data:
            _show_matters(matters(_messages(data)), as_json)
        else:
            _show(of_year(days, events, seed), as_json)
    except (LingtingError, OSError, ValueError, KeyError) as error:
        typer.echo(f"eval warnings: {error}", err=True)
        raise typer.Exit(2) from error


def _messages(path: Path) -> list[Contact]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"id", "time", "title", "text"} <= rows[0].keys():
        raise SettingsError(DOING, f"{path} has no columns id, time, title, text", "name them so")
    return [_message(row) for row in rows]


def _message(row: dict[str, str]) -> Contact:
    moment = datetime.fromisoformat(row["time"])
    at = (moment if moment.tzinfo else moment.replace(tzinfo=CHINA)).timestamp()
    title = row["title"].strip()
    return Contact(
        row["id"], at, voice=row.get("user", ""), text=f"{title}。{title}。{row['text']}"
    )


def _show_matters(found: Sequence[Matter], as_json: bool) -> None:
    if as_json:
        for rank, each in enumerate(found, 1):
            told = {
                "rank": rank,
                "title": each.title,
                "heat": round(each.heat, 1),
                "voices": each.voices,
                "first": _moment(each.begun_at),
                "last": _moment(each.contacts[-1].at),
                "ids": [contact.id for contact in each.contacts],
            }
            print(json.dumps(told, ensure_ascii=False))
        return
    table = Table("rank", "matter", "voices", "first", "last", box=SIMPLE_HEAD)
    for rank, each in enumerate(found[:SHOWN], 1):
        times = _moment(each.begun_at)[:10], _moment(each.contacts[-1].at)[:10]
        table.add_row(str(rank), Text(each.title), str(each.voices), *times)
    Console(highlight=False).print(table)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, CHINA).isoformat(timespec="seconds")


def of_year(days: int, events: int, seed: int) -> dict[str, float]:
    """Figures of a synthetic year in the city of the settings."""
    pack = packs.load(load_settings().city.pack)
    categories = [each.code for each in pack.taxonomy.leaves]
    places = [each.code for each in pack.divisions.of_level(DivisionLevel.VILLAGE)]
    contacts, injected = synthetic_year(categories, places, events=events, days=days, seed=seed)
    owner = {name: number for number, each in enumerate(injected) for name in each.ids}
    book, found, false = WarningBook(), dict[int, float](), set[str]()
    begun = time.perf_counter()
    console = Console(stderr=True)
    for contact in track(contacts, "contacts", console=console, transient=True):
        for warning in book.take(contact):
            ids = [owner[name] for name in warning.contacts if name in owner]
            most, count = Counter(ids).most_common(1)[0] if ids else (-1, 0)
            if count >= 3:
                found.setdefault(most, contact.at)
                false.discard(warning.id)
            elif not ids:
                false.add(warning.id)
    replay_s = time.perf_counter() - begun
    weeks = (contacts[-1].at - contacts[0].at) / WEEK_S
    return _figures(injected, found, len(contacts), len(false) / weeks, replay_s)


def _figures(
    injected: Sequence[Event],
    found: dict[int, float],
    n: int,
    false_per_week: float,
    replay_s: float,
) -> dict[str, float]:
    large = [number for number, each in enumerate(injected) if len(each.ids) >= LARGE]
    delays = [max(0.0, found[at] - injected[at].fifth_at) for at in large if at in found]
    in_time = sum(delay <= IN_TIME_S for delay in delays)
    return {
        "n": n,
        "events": len(injected),
        "events_20": len(large),
        "recall_20": round(in_time / max(len(large), 1), 4),
        "delay_p50_s": round(float(np.median(delays)), 1) if delays else -1,
        "delay_p95_s": round(float(np.percentile(delays, 95)), 1) if delays else -1,
        "false_per_week": round(false_per_week, 3),
        "replay_s": round(replay_s, 1),
    }


def _show(found: dict[str, float], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    table = Table("", "", "", box=SIMPLE_HEAD, show_header=False)
    for name, value in found.items():
        table.add_row(name, f"{value:,g}", WHAT[name])
    Console(highlight=False).print(table)
