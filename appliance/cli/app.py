"""The `lingting` command. What a command needs is imported when it is called, not before: most of
them would else wait for seconds for what others are made of."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

Named = Callable[[], typer.Typer]


def _group(module: str) -> Named:
    """The group that a module makes."""
    return lambda: import_module(module).app


def _command(module: str, name: str = "") -> Named:
    """A function of a module, named as it is unless by another name."""

    def make() -> typer.Typer:
        found = getattr(import_module(module), name or module.rpartition(".")[2])
        made = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        made.command()(found)
        return made

    return make


def _adapt() -> typer.Typer:
    from appliance.cli import adapt
    from appliance.cli.adapt_draft import draft
    from appliance.cli.adapt_emotion import emotion

    adapt.app.command()(draft)
    adapt.app.command()(emotion)
    return adapt.app


def _models() -> typer.Typer:
    from appliance.cli import beside, models
    from appliance.cli.trials import abort, lead, trial, try_bundle

    models.app.command("try")(try_bundle)
    for command in (trial, lead, abort, beside.serve, beside.unserve):
        models.app.command()(command)
    return models.app


COMMANDS: dict[str, Named] = {
    "serve": _command("appliance.cli.serve"),
    "triton": _command("appliance.cli.engines", "triton"),
    "cpu": _command("appliance.cli.engines", "cpu"),
    "transcribe": _command("appliance.cli.transcribe"),
    "doctor": _command("appliance.cli.doctor"),
    "canary": _command("appliance.cli.canary"),
    "capacity": _command("appliance.cli.capacity"),
    "support-bundle": _command("appliance.cli.support", "support_bundle"),
    "lexicon": _command("appliance.cli.lexicon"),
    "replay": _command("appliance.cli.replay"),
    "adapt": _adapt,
    "access": _group("appliance.cli.access"),
    "kb": _group("appliance.cli.kb"),
    "pki": _group("appliance.cli.pki"),
    "audit": _group("appliance.cli.audit"),
    "city": _group("appliance.cli.city"),
    "quality": _group("appliance.cli.quality"),
    "models": _models,
    "backup": _group("appliance.cli.backup"),
    "store": _group("appliance.cli.store"),
}
# For those who develop: they come with a checkout, not with an installed box.
TOOLS: dict[str, Named] = {
    "bench": _group("tools.bench.command"),
    "eval": _group("tools.evaluation.command"),
    "demo": _command("tools.demo.command", "demo"),
}


class Commands(Mapping[str, Any]):
    """All commands by name, each made when it is asked for."""

    def __init__(self) -> None:
        here = importlib.util.find_spec("tools") is not None
        self._named = COMMANDS | (TOOLS if here else {})

    def __getitem__(self, name: str) -> Any:
        return _made(name, self._named[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


@cache
def _made(name: str, make: Named) -> Any:
    made = typer.main.get_command(make())
    made.name = name
    return made


class LazyGroup(TyperGroup):
    """Knows its commands by name alone."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands()  # type: ignore[assignment]  # it is only read


app = typer.Typer(
    name="lingting",
    cls=LazyGroup,
    help="聆听 Lingting: hears a hotline's calls and says what was said, on this machine alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lingting {importlib.metadata.version('lingting')}")
        raise typer.Exit


@app.callback()
def lingting(
    config: Annotated[
        Path | None,
        typer.Option(help="TOML settings; else LINGTING_CONFIG, else /etc/lingting/lingting.toml."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if config:
        # By the environment, so that children of this process read the same file.
        os.environ["LINGTING_CONFIG"] = str(config.resolve())
