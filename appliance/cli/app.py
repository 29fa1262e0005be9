"""The `lingting` command."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli import (
    access,
    adapt,
    audit,
    backup,
    beside,
    city,
    engines,
    models,
    pki,
    serve,
    store,
)
from appliance.cli.adapt_draft import draft
from appliance.cli.adapt_emotion import emotion
from appliance.cli.canary import canary
from appliance.cli.capacity import capacity
from appliance.cli.doctor import doctor
from appliance.cli.lexicon import lexicon
from appliance.cli.replay import replay
from appliance.cli.support import support_bundle
from appliance.cli.transcribe import transcribe
from appliance.cli.trials import abort, lead, trial, try_bundle

app = typer.Typer(
    name="lingting",
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


app.command()(serve.serve)
app.command()(engines.triton)
app.command()(engines.cpu)
app.command()(transcribe)
app.command()(doctor)
app.command()(canary)
app.command()(capacity)
app.command()(support_bundle)
app.command()(lexicon)
app.command()(replay)
adapt.app.command()(draft)
adapt.app.command()(emotion)
app.add_typer(adapt.app, name="adapt")
app.add_typer(access.app, name="access")
app.add_typer(pki.app, name="pki")
app.add_typer(audit.app, name="audit")
app.add_typer(city.app, name="city")
models.app.command("try")(try_bundle)
for _command in (trial, lead, abort, beside.serve, beside.unserve):
    models.app.command()(_command)
app.add_typer(models.app, name="models")
app.add_typer(backup.app, name="backup")
app.add_typer(store.app, name="store")


def _add_tools() -> None:
    """For those who develop: they come with a checkout, not with an installed box."""
    try:
        commands = {
            name: importlib.import_module(f"tools.{folder}.command")
            for name, folder in (("bench", "bench"), ("demo", "demo"), ("eval", "evaluation"))
        }
    except ModuleNotFoundError as missing:
        if missing.name == "tools":
            return
        raise
    app.add_typer(commands["bench"].app, name="bench")
    app.add_typer(commands["eval"].app, name="eval")
    app.command()(commands["demo"].demo)


_add_tools()
