"""The `lingting` command."""

from __future__ import annotations

import typer

from appliance.cli import bench, demo, evaluate, serve
from appliance.cli.doctor import doctor
from appliance.cli.transcribe import transcribe

app = typer.Typer(
    name="lingting",
    help="聆听 Lingting: hears a hotline's calls and says what was said, on this machine alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(serve.triton)
app.command()(demo.demo)
app.command()(transcribe)
app.command()(doctor)
app.add_typer(bench.app, name="bench")
app.add_typer(evaluate.app, name="eval")
