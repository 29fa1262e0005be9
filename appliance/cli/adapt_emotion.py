"""`lingting adapt emotion`: moods as this city's citizens show them, from labelled utterances."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from appliance.audio.listed import decode, read_rows
from appliance.call.lexicon import load_lexicon
from appliance.cli.adapt import NICENESS, PEAK, base_folder, default_name
from appliance.errors import LingtingError, SettingsError
from appliance.messages import Emotion
from appliance.settings import load_settings

DOING = "adapt moods"
LONGEST_S = 60.0
FILE = "moods.json"
NAMES = {
    "told_right": "told and right",
    "abstain_rate": "told nothing",
    "false_alarm_rate": "false alarms",
    "ece": "calibration error",
    "auc_aroused": "aroused or not, AUC",
}
console = Console(highlight=False)


def emotion(
    data: Annotated[
        Path,
        typer.Option(
            help="List of utterances: TSV, columns file, speaker, text, emotion "
            f"({', '.join(Emotion)})."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the bundle and the report.")],
    base: Annotated[
        str, typer.Option(help="Bundle to adapt: name@version on this box, or its folder.")
    ] = "emotion-words",
    name: Annotated[str, typer.Option(help="Of the new bundle; else BASE-local.")] = "",
    version: Annotated[str, typer.Option(help="Of the new bundle; else today.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The report, as JSON.")] = False,
) -> None:
    """Adapt moods to labelled utterances; a speaker's in the order they were said in.

    Out comes a sealed bundle and a report in which every figure is of speakers left out.
    """
    psutil.Process().nice(NICENESS)
    folder = base_folder(base)
    if out.exists():
        raise SettingsError(DOING, f"{out} exists", "name a new folder")
    rows = read_rows(data)
    if "emotion" not in rows[0]:
        hint = f"its first line names the columns; a mood is one of {', '.join(Emotion)}"
        raise SettingsError(DOING, f"{data} has no column emotion", hint)
    told = {"base": str(folder), "name": name or default_name(folder)}
    told |= {"version": version or time.strftime("%Y%m%d")}
    (out / "clips").mkdir(parents=True)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("read utterances", total=len(rows))
        read, aside = asyncio.run(_read(out, data, rows, lambda: progress.advance(task)))
    for each in aside:
        console.print(f"[yellow]{escape(each)}[/yellow]")
    request = {**told, "utterances": read, "set_aside": aside}
    (out / FILE).write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
    command = [sys.executable, "-m", "inference.adaptation.moods", str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    answer = json.loads(done.stdout or '{"error": "it ended without a word", "hint": ""}')
    if "error" in answer:
        raise SettingsError(DOING, answer["error"], answer["hint"])
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _show(report, out)


async def _read(
    out: Path, path: Path, rows: list[dict[str, str]], advance: Any
) -> tuple[list[Any], list[str]]:
    """Utterances that can be learned from, decoded; and why the others are left out."""
    lexicon, kept, aside = load_lexicon(load_settings().city.pack), list[Any](), list[str]()
    for number, row in enumerate(rows):
        line, file = f"{path.name}, line {number + 2}", f"clips/{number:05d}.npy"
        try:
            mood, text = Emotion(row.get("emotion") or ""), row["text"].strip()
            audio = await decode(path.parent / row["file"], LONGEST_S)
        except (ValueError, OSError, LingtingError) as error:
            cause = error.cause if isinstance(error, LingtingError) else str(error)
            aside.append(f"{line} is left out: {cause}")
        else:
            np.save(out / file, (np.clip(audio, -1, 1) * PEAK).astype(np.int16))
            scores = lexicon.read(text).scores
            speaker = row.get("speaker") or "-"
            kept.append({"file": file, "speaker": speaker, "emotion": mood, "lexical": scores})
        advance()
    return kept, aside


def _show(report: dict[str, Any], out: Path) -> None:
    count = f"{report['utterances']} utterances of {report['speakers']} speakers, each left out"
    table = Table(count, "before", "after", box=SIMPLE_HEAD)
    for key, shown in NAMES.items():
        table.add_row(shown, f"{report['before'][key]:.3f}", f"{report['after'][key]:.3f}")
    console.print(table)
    console.print(f"bundle: {out / 'bundle'}; report: {out / 'report.html'}")
