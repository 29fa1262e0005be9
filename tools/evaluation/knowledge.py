"""`lingting eval knowledge`: how often the right entry is found, on documents of your own."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import psutil
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from appliance.assist.knowledge.library import LOOKED_AT, Library, library
from appliance.assist.text.index import query_of
from appliance.errors import LingtingError, SettingsError
from appliance.store.knowledge import EntryState, KnowledgeEntry

DOING = "measure the knowledge base"
TODAY = date(2026, 1, 1)  # whatever day: these entries always hold
MIB = 1 << 20
WHAT = {
    "n": "questions",
    "documents": "entries",
    "r1": "the right one is first",
    "r3": "it is among the first three",
    "mrr": f"mean of one over its rank, 0 behind {LOOKED_AT}",
    "ms_p50": "of one search, ms",
    "ms_p95": "of one search, ms",
    "built_s": "all of them indexed, s",
    "rss_mb": "memory that the index takes, MiB",
}


def knowledge(
    documents: Annotated[Path, typer.Option(help="JSON lines with docid and text, may be .gz.")],
    questions: Annotated[
        Path, typer.Option(help="CSV with question and docid, may be .gz; others are left out.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
) -> None:
    """Knowledge: the search that proposes entries, on documents and questions of your own."""
    try:
        entries = _documents(documents)
        rows = _questions(questions, {each.id for each in entries})
    except (LingtingError, OSError, ValueError, KeyError) as error:
        typer.echo(f"eval knowledge: {error}", err=True)
        raise typer.Exit(2) from error
    found = measured(entries, rows)
    if as_json:
        print(json.dumps(found))
        return
    table = Table("", "", "", box=SIMPLE_HEAD, show_header=False)
    for name, value in found.items():
        table.add_row(name, f"{value:,g}", WHAT[name])
    Console(highlight=False).print(table)


def measured(
    entries: Sequence[KnowledgeEntry], rows: Sequence[tuple[str, str]]
) -> dict[str, float]:
    """Figures for questions, each with the id of the entry that answers it."""
    before, begun = psutil.Process().memory_info().rss, time.perf_counter()
    made = library(entries)
    built_s = time.perf_counter() - begun
    rss = psutil.Process().memory_info().rss - before
    ranks, took = [], []
    for question, docid in track(rows, "questions", console=Console(stderr=True), transient=True):
        begun = time.perf_counter()
        ranks.append(_rank(made, question, docid))
        took.append(time.perf_counter() - begun)
    at, ms = np.array(ranks, float), np.array(took) * 1000
    return {
        "n": len(rows),
        "documents": len(entries),
        "r1": round(float((at == 1).mean()), 4),
        "r3": round(float(((at > 0) & (at <= 3)).mean()), 4),
        "mrr": round(float(np.where(at > 0, 1 / np.maximum(at, 1), 0).mean()), 4),
        "ms_p50": round(float(np.median(ms)), 2),
        "ms_p95": round(float(np.percentile(ms, 95)), 2),
        "built_s": round(built_s, 2),
        "rss_mb": round(rss / MIB, 1),
    }


def _rank(made: Library, question: str, docid: str) -> int:
    """0: it was not found."""
    found = made.search(query_of([(question, 1.0)]), day=TODAY, most=LOOKED_AT)
    ids = [each.entry.id for each in found]
    return ids.index(docid) + 1 if docid in ids else 0


def _documents(path: Path) -> list[KnowledgeEntry]:
    with _opened(path) as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file if line.strip()]
    if not rows:
        raise SettingsError(DOING, f"{path} holds no document", "a JSON object a line")
    return [
        KnowledgeEntry(
            str(row["docid"]),
            tuple(filter(None, [row.get("question", "")])),
            row["text"],
            state=EntryState.LIVE,
            sequence=at,
        )
        for at, row in enumerate(rows, 1)
    ]


def _questions(path: Path, known: set[str]) -> list[tuple[str, str]]:
    with _opened(path) as file:
        rows = [(row["question"], row["docid"]) for row in csv.DictReader(file)]
    found = [row for row in rows if row[1] in known]
    if not found:
        hint = "columns question and docid; docid is one of the documents'"
        raise SettingsError(DOING, f"{path} asks for none of the documents", hint)
    return found


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig") as file:
            yield file
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
