"""`lingting eval diarization`: its command, and how its figures are shown."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from appliance.errors import LingtingError
from appliance.messages import DEMO_NOTICE
from appliance.settings import Settings, load_settings
from appliance.settings.section import PROJECT
from inference.bundles import verify
from tools.evaluation import diarization as eval_diarization
from tools.evaluation.data import failed, recordings
from tools.evaluation.dialogues import dialogues
from tools.evaluation.speech import read_list

PYANNOTE = PROJECT / ".venv-pyannote"  # where `make pyannote` puts it
DIALOGUES = "inference.training.diarization.heldout"
TITLES = {
    "given": "pyannote, count given",
    "auto": "pyannote, count unknown",
    "cpu_given": "CPU path, count given",
    "cpu_auto": "CPU path, count unknown",
    "live": "live, provisional",
    "one_speaker": "baseline: one speaker",
    "oracle": "bound: voices known",
}


def diarization(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of 16 kHz .wav with .rttm, or a TSV list of recordings of one person each "
            "(file, text, speaker), of which dialogues by telephone are made; else the fixed "
            "synthetic dialogues."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
) -> None:
    """Diarization and Jaccard error rates of both paths, with and without the number of speakers,
    beside a single-speaker baseline and a bound: the same segmentation with every voice known.

    Needs the dev profile (`make .venv/.dev`), for the fixed dialogues espeak-ng, and for pyannote's
    path `make pyannote`."""
    settings = load_settings()
    if not settings.triton.pyannote and (PYANNOTE / ".ready").exists():
        triton = settings.triton.model_copy(update={"pyannote": PYANNOTE})
        settings = settings.model_copy(update={"triton": triton})
    console = Console(stderr=True)
    try:
        found = _recordings(data, console)
        with console.status("...") as status:
            report = asyncio.run(eval_diarization.evaluate(settings, found, status.update))
    except (LingtingError, ImportError) as error:
        raise failed(error, console) from error
    if as_json:
        print(json.dumps(report.flat()))
        return
    _show(report, settings)


def _recordings(data: Path | None, console: Console) -> list[eval_diarization.LabelledRecording]:
    """The user's folder, dialogues of the user's list, or the fixed ones."""
    if data and data.is_file():
        with console.status("reading the list") as status:
            clips = asyncio.run(read_list(data, status.update))
        return dialogues(clips)
    with recordings(data, DIALOGUES, console) as folder:
        return eval_diarization.load_recordings(folder)


def _show(report: eval_diarization.DiarizationReport, settings: Settings) -> None:
    kinds = list(report.score("one_speaker").by_kind())
    table = Table("", "DER", "JER", *kinds)
    for name, title in TITLES.items():
        if name in report.scores:
            scores = report.score(name)
            by_kind = (f"{scores.by_kind()[kind]:.1%}" for kind in kinds)
            table.add_row(title, f"{scores.der:.1%}", f"{scores.jer:.1%}", *by_kind)
    console = Console()
    if settings.models.diarization and verify(settings.models.diarization).demo:
        console.print(DEMO_NOTICE)
    console.print(table)
    for name, rtf in report.rtf.items():
        console.print(f"{name}: {rtf:.3f} s of one thread per second of audio")
    if not settings.triton.pyannote:
        console.print("pyannote's own path was not measured: make pyannote")
