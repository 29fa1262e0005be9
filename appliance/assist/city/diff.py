"""What has changed from one pack to another, as somebody who approves it wants to read it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from appliance.assist.city import seal

KEYS = {
    "divisions.csv": "code",
    "categories.csv": "code",
    "units.csv": "code",
    "places.csv": "name",
}


def diff(old: Path, new: Path) -> Iterator[str]:
    """A line for each file, and for each row of a table with codes."""
    before, after = seal.sums(old), seal.sums(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"+ {name}"
        elif name not in after:
            yield f"- {name}"
        elif before[name] != after[name]:
            yield f"~ {name}"
            yield from _rows(old / name, new / name)


def _rows(old: Path, new: Path) -> Iterator[str]:
    if old.suffix != ".csv":
        return
    before, after = _read(old), _read(new)
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was is None:
            yield f"    + {key}"
        elif now is None:
            yield f"    - {key}"
        elif was != now:
            fields = [f"{n}: {was.get(n)} -> {v}" for n, v in now.items() if was.get(n) != v]
            yield f"    ~ {key}: {'; '.join(fields)}"


def _read(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    key = KEYS.get(path.name)
    return {row[key] if key else " | ".join(map(str, row.values())): row for row in rows}
