"""`lingting eval`: how accurate the models of this box are, on fixed data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from appliance.settings import load_settings

app = typer.Typer(help="Measure how accurate the models are, on fixed held-out data.")


@app.callback()
def _group() -> None:
    """Keeps `asr` a sub-command while it is the only one."""


@app.command()
def asr(
    bundle: Annotated[
        Path | None, typer.Option(help="Model folder; else the one in the settings.")
    ] = None,
    beam: Annotated[int, typer.Option(min=1, max=16, help="Beam size.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print what was misheard.")] = False,
) -> None:
    """Character error rates on unseen sentences, voices, 8 kHz A-law and free speech; digits of
    phone numbers; text invented for noise. All synthetic speech.

    Needs espeak-ng and the dev profile (`make .venv/.dev`)."""
    folder = bundle or load_settings().models.asr
    flags = [*(["--json"] if as_json else []), *(["--show"] if show else [])]
    command = [sys.executable, "-m", "inference.asr.evaluate", "--bundle", str(folder)]
    raise typer.Exit(subprocess.run([*command, "--beam", str(beam), *flags]).returncode)
