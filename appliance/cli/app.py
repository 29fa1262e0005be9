"""The `lingting` command."""

from __future__ import annotations

import typer

from appliance.cli import demo, serve

app = typer.Typer(
    name="lingting",
    help="聆听 Lingting: hears a hotline's calls and says what was said. Runs on this machine alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(serve.triton)
app.command()(demo.demo)
