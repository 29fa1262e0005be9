"""Gazetteers from files of divisions and places."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from appliance.assist.address.gazetteer import Gazetteer, Place, level_of
from appliance.errors import SettingsError

PLACES = "places.csv"
DIVISIONS_FILE = "divisions.csv"


def of_divisions(path: Path) -> Gazetteer:
    """Of a file of divisions alone; raises SettingsError naming what is wrong with it."""
    return Gazetteer(_divisions(path))


def of_city(folder: Path) -> Gazetteer:
    """Of a city's folder: its divisions and its places; raises SettingsError."""
    return Gazetteer([*_divisions(folder / DIVISIONS_FILE), *_places(folder / PLACES)])


def _divisions(path: Path) -> Iterator[Place]:
    for row in _rows(path, {"code", "name"}):
        code = row["code"].ljust(12, "0")
        names = (*_words(row.get("aliases")), *_words(row.get("old_names")))
        yield Place(code, row["name"], level_of(code), (code,), names)


def _places(path: Path) -> Iterator[Place]:
    for number, row in enumerate(_rows(path, {"name", "kind", "divisions"})):
        names = (*_words(row.get("aliases")), *_words(row.get("old_names")))
        yield Place(f"p{number}", row["name"], row["kind"], _words(row["divisions"]), names)


def _rows(path: Path, columns: set[str]) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if missing := columns - set(table.fieldnames or ()):
                raise ValueError(f"columns are missing: {', '.join(sorted(missing))}")
            yield from table
    except (OSError, ValueError, csv.Error) as error:
        raise SettingsError("read places", f"{path}: {error}") from error


def _words(cell: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (cell or "").split(";") if word.strip())
