"""Gazetteers from files of divisions and places."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from appliance.assist.address.gazetteer import Gazetteer, Place, level_of
from appliance.errors import SettingsError

PLACES = "places.csv"
DIVISIONS_FILE = "divisions.csv"
SOUNDS = "sounds.csv"  # may be absent


def of_divisions(path: Path) -> Gazetteer:
    """Of a file of divisions alone; raises SettingsError naming what is wrong with it."""
    return Gazetteer(_divisions(path))


def of_city(folder: Path) -> Gazetteer:
    """Of a city's folder: its divisions, its places, what is said alike; raises SettingsError."""
    places = [*_divisions(folder / DIVISIONS_FILE), *_places(folder / PLACES)]
    return Gazetteer(places, local_sounds(folder / SOUNDS))


def local_sounds(path: Path) -> tuple[tuple[str, float], ...]:
    """Initials, finals or syllables that a city's speakers say alike, and what it costs in nats
    to hear one for the other, of a file `one,other,nats`; none where there is no file. Raises
    SettingsError."""
    if not path.exists():
        return ()
    try:
        return tuple(
            (f"{row['one']}-{row['other']}", max(0.0, float(row["nats"])))
            for row in _rows(path, {"one", "other", "nats"})
        )
    except (TypeError, ValueError) as error:
        raise SettingsError("read sounds", f"{path}: {error}", "nats is a number") from error


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
