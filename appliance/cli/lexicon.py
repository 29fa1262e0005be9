"""`lingting lexicon`: what a city pack's words say of moods; for who writes one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from appliance.call.lexicon import EMOTIONS, LexiconEvidence, load_lexicon
from appliance.errors import SettingsError
from appliance.settings import load_settings


def lexicon(
    texts: Annotated[
        list[str] | None, typer.Argument(help="Sentences; none: lines of standard input.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(help="City pack folder; else the one in the settings.")
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One list a sentence: the weight of each of the seven moods."),
    ] = False,
) -> None:
    """Show which words of a sentence carry a mood, and how strongly."""
    try:
        reader = load_lexicon(pack or load_settings().city.pack)
    except SettingsError as error:
        typer.echo(f"lexicon: {error}", err=True)
        raise typer.Exit(2) from error
    for text in texts or (line.rstrip("\n") for line in sys.stdin):
        evidence = reader.read(text)
        if as_json:
            print(json.dumps(evidence.scores))
        else:
            _show(text, evidence)


def _show(text: str, evidence: LexiconEvidence) -> None:
    table = Table("word", "emotion", "weight", title=text, title_justify="left")
    for found in evidence.found:
        table.add_row(found.word, found.emotion.value, f"{found.weight:.2f}")
    scores = zip(EMOTIONS, evidence.scores, strict=True)
    told = ", ".join(f"{emotion.value} {score:.2f}" for emotion, score in scores if score)
    table.caption = told or "no word of the lexicon"
    Console().print(table)
