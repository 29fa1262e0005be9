"""Write the tables of settings.md, metrics.md and cli.md from the code; `--check` only compares.

Each table stands between `<!-- table: NAME -->` and `<!-- end -->`; all other text is by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from appliance.cli.app import app
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.section import PROJECT

DOCS = Path(__file__).resolve().parent
TABLE = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def settings() -> Iterator[tuple[str, str, str, str]]:
    """(TOML path, environment name, default, meaning) of every setting."""
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        assert isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, setting in kind.model_fields.items():
            variable = f"LINGTING_{section}__{name}".upper()
            default = _value(setting.get_default(call_default_factory=True))
            yield f"{section}.{name}", variable, default, setting.description or ""


def _value(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Path) and value.is_relative_to(PROJECT):
        return f"`{value.relative_to(PROJECT)}` beside the code"
    return f"`{value}`"


def settings_table(section: str) -> Iterator[str]:
    yield "| key | environment | default | meaning |"
    yield "|---|---|---|---|"
    for path, variable, default, meaning in settings():
        if path.startswith(f"{section}."):
            yield _row(f"`{path}`", f"`{variable}`", default, meaning)


def metrics() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """(name, kind, labels, meaning) of every metric, by its exposed name."""
    for metric in vars(Metrics()).values():
        if hasattr(metric, "describe"):
            (family,) = metric.describe()
            total = "_total" if family.type == "counter" else ""
            yield family.name + total, family.type, metric._labelnames, family.documentation


def metrics_table(_: str) -> Iterator[str]:
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for name, kind, labels, meaning in metrics():
        yield _row(f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), meaning)


def commands() -> Iterator[tuple[str, Any]]:
    """(full name, command) of every command, groups before what they hold."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        if not getattr(command, "commands", {}) or list(parameters(command)):
            yield name, command
        for inner, found in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {inner}", found)

    yield from walk("lingting", typer.main.get_command(app))


def parameters(command: Any) -> Iterator[tuple[str, str, str]]:
    """(how it is written, default, meaning) of every argument and option."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            written = parameter.metavar or parameter.name.upper()
        else:
            written = ", ".join(parameter.opts) + _taken(parameter)
        shown = "required" if parameter.required else _default(parameter.default)
        yield written, shown, parameter.help or ""


def _taken(parameter: Any) -> str:
    """What follows the option: nothing, one of some words, or a value of a kind."""
    kind = parameter.type_descriptor.annotation
    if parameter.is_flag:
        return ""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " " + "|".join(str(choice.value) for choice in kind)
    names = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}
    return " " + names.get(kind, "TEXT")


def _default(default: Any) -> str:
    if default in (None, "", False, ()):
        return ""
    return f"`{getattr(default, 'value', default)}`"


def commands_table(_: str) -> Iterator[str]:
    for name, command in commands():
        yield f"### {name}"
        yield ""
        yield from (line.strip() for line in (command.help or "").strip().splitlines())
        yield ""
        rows = list(parameters(command))
        if rows:
            yield "| argument or option | default | meaning |"
            yield "|---|---|---|"
            yield from (_row(f"`{written}`", default, text) for written, default, text in rows)
            yield ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


TABLES = {
    **{f"settings.{name}": settings_table for name in Settings.model_fields},
    "metrics": metrics_table,
    "commands": commands_table,
}


def rendered(text: str) -> str:
    """A page with every table as the code has it."""

    def table(match: re.Match[str]) -> str:
        name = match[2]
        lines = TABLES[name](name.removeprefix("settings."))
        return match[1] + "\n".join(lines).rstrip() + "\n" + match[4]

    return TABLE.sub(table, text)


def main() -> int:
    stale = []
    for page in sorted(DOCS.glob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = rendered(old)
        if new != old:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(new, encoding="utf-8")
    if stale:
        print("stale:" if "--check" in sys.argv else "written:", ", ".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
