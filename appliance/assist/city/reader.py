"""Reads a pack's files into checked rows; what is wrong is gathered, by file and line."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr, ValidationError

from appliance.errors import SettingsError

MOST_TOLD = 20  # problems in one error


@dataclass(frozen=True, slots=True, order=True)
class PackProblem:
    """Something wrong in a pack."""

    file: str
    line: int  # 0: the file as a whole
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


class PackError(SettingsError):
    """A pack that cannot be used, with all that is wrong in it."""

    def __init__(self, folder: Path, problems: Iterable[PackProblem]) -> None:
        self.problems = tuple(sorted(problems))
        told = "; ".join(map(str, self.problems[:MOST_TOLD]))
        more = len(self.problems) - MOST_TOLD
        super().__init__(
            f"read the city pack {folder}",
            told + (f"; and {more} more" if more > 0 else ""),
            f"`lingting city validate {folder}` lists all; correct them and seal the pack again",
        )


class PackRow(BaseModel):
    """A line of a table; knows where it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _line: int = PrivateAttr(0)

    @property
    def line(self) -> int:
        return self._line


def _listed(value: Any) -> Any:
    """`a;b;c` in a cell; a list in TOML."""
    if isinstance(value, str):
        return tuple(part for each in re.split("[;；]", value) if (part := each.strip()))
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]
R = TypeVar("R", bound=PackRow)


class PackReader:
    """Of one folder. Problems are gathered, not raised, so that all are told at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[PackProblem] = []

    def problem(self, file: str, line: int, what: str) -> None:
        self.problems.append(PackProblem(file, line, what))

    def rows(self, file: str, model: type[R], *, optional: bool = False) -> list[R]:
        """Of a CSV file with a header line."""
        text = self._text(file, optional=optional)
        if not text:
            return []
        lines = csv.DictReader(io.StringIO(text), strict=True)
        found: list[R] = []
        try:
            unknown = [name for name in lines.fieldnames or () if name not in model.model_fields]
            if unknown:
                self.problem(file, 1, f"there is no column {', '.join(unknown)}")
                return []
            for cells in lines:
                given = {name: cell.strip() for name, cell in cells.items() if name and cell}
                if None in cells:
                    self.problem(file, lines.line_num, "more cells than the header has columns")
                elif row := self._row(file, lines.line_num, model, given):
                    found.append(row)
        except csv.Error as error:
            self.problem(file, lines.line_num, str(error))
        return found

    def tables(self, file: str, name: str, model: type[R], *, optional: bool = False) -> list[R]:
        """Of a TOML file's [[name]]."""
        text = self._text(file, optional=optional)
        parsed = self._toml(file, text)
        starts = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() == f"[[{name}]]"]
        tables = parsed.pop(name, [])
        for key in parsed:
            self.problem(file, 0, f"there is no {key}; only [[{name}]]")
        if not isinstance(tables, list):
            self.problem(file, 0, f"{name} is no list of tables")
            return []
        placed = zip(tables, [*starts, *[0] * len(tables)], strict=False)
        rows = (self._row(file, line, model, table) for table, line in placed)
        return [row for row in rows if row]

    def table(self, file: str, model: type[R], *, optional: bool = False) -> R | None:
        """A whole TOML file."""
        text = self._text(file, optional=optional)
        return self._row(file, 0, model, self._toml(file, text)) if text else None

    def _row(self, file: str, line: int, model: type[R], given: Any) -> R | None:
        try:
            row = model.model_validate(given)
        except ValidationError as error:
            for each in error.errors():
                where = ".".join(map(str, each["loc"]))
                self.problem(file, line, f"{where}: {each['msg']}".removeprefix(": "))
            return None
        row._line = line
        return row

    def _toml(self, file: str, text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text)
        except ValueError as error:
            at = re.search(r"line (\d+)", str(error))
            self.problem(file, int(at[1]) if at else 0, str(error))
        except RecursionError:
            self.problem(file, 0, "lists or tables stand in each other too deep")
        return {}

    def _text(self, file: str, *, optional: bool = False) -> str:
        path = self.folder / file
        if path.exists() and not path.is_file():
            self.problem(file, 0, "it is no file")
            return ""
        try:
            return path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            if not optional:
                self.problem(file, 0, "the file is missing")
        except (OSError, UnicodeDecodeError) as error:
            self.problem(file, 0, f"it cannot be read: {error}")
        return ""
