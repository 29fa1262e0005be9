"""Labelled texts in CSV files, as cities export them."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import SettingsError

ENCODINGS = ("utf-8-sig", "gb18030")
TEXTS = ("title", "text", "words")  # columns that are read when none are named
DOING = "read labelled texts"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text that is known to be of a category.

    Attributes:
        weight: how much it counts; a correction may count more.
        hint: a name or keyword of its category: learned from, measured never.
    """

    label: str
    text: str
    weight: float = 1.0
    hint: bool = False


def columns_of(path: Path) -> tuple[str, ...]:
    """Names of a CSV file's columns; raises SettingsError."""
    return _table(path)[1]


def _table(path: Path) -> tuple[csv.DictReader[str], tuple[str, ...]]:
    """Its lines, and the names of its columns."""
    lines = csv.DictReader(io.StringIO(_decoded(path)))
    try:
        names = tuple(name.strip() for name in lines.fieldnames or ())
    except csv.Error as error:
        raise SettingsError(DOING, f"{path}:{lines.line_num}: {error}") from error
    lines.fieldnames = names
    return lines, names


def read_rows(
    path: Path, label: str = "label", text: Sequence[str] = (), *, unlabelled: bool = False
) -> list[Labelled]:
    """Rows of a CSV file, plain or .gz, UTF-8 or GB18030; raises SettingsError.

    Empty texts are kept: training counts and drops them.

    Args:
        unlabelled: rows without a label are kept, too; else they are an error.
        label: name of the column with the label.
        text: names of the columns with the text, which are joined; else title, text and words, as
            far as they are there. Words (parted by spaces) are joined without them.
    """
    lines, names = _table(path)
    wanted = list(text) or [name for name in TEXTS if name in names]
    missing = [name for name in (label, *wanted) if name not in names]
    if missing or not wanted:
        cause = f"{path} has no column {', '.join(missing) or 'text'}"
        raise SettingsError(DOING, cause, f"its columns are: {', '.join(names)}; name them")
    try:
        return [_row(path, lines.line_num, row, label, wanted, unlabelled) for row in lines]
    except csv.Error as error:
        raise SettingsError(DOING, f"{path}:{lines.line_num}: {error}") from error


def _row(
    path: Path,
    line: int,
    row: dict[str, str | None],
    label: str,
    wanted: Sequence[str],
    unlabelled: bool,
) -> Labelled:
    name = (row[label] or "").strip()
    if not name and not unlabelled:
        raise SettingsError(DOING, f"{path}:{line}: no {label}", "label it or take the row out")
    cells = [(column, (row[column] or "").strip()) for column in wanted]
    cells = [
        (column, "".join(cell.split()) if column == "words" else cell) for column, cell in cells
    ]
    return Labelled(name, "。".join(cell for _, cell in cells if cell))


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(DOING, f"{path}: {error}") from error
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SettingsError(DOING, f"{path} is neither UTF-8 nor GB18030", "save it as CSV UTF-8")
