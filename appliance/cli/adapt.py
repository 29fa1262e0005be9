"""`lingting adapt`: the recogniser learns a city's own way of speaking."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from appliance.audio.listed import decode, read_rows
from appliance.audio.trimming import pieces
from appliance.audio.vad import Vad
from appliance.errors import LingtingError, SettingsError
from appliance.models.serving import library_of
from appliance.settings import load_settings
from appliance.settings.section import PROJECT
from inference.adaptation import request
from inference.adaptation.request import AdaptationRequest, SpokenRecording
from inference.bundles import load_manifest
from inference.tensors import SAMPLE_RATE_HZ, Audio

DOING = "adapt the recogniser"
TORCH = PROJECT / ".venv-pyannote" / "bin" / "python"
LONGEST_S = 900.0  # of one recording
PIECE_S = 12.0  # of what long ones are cut into
SPARE = 1.4  # of the speech asked for, that is read: some is held out, some set aside
LEAST_MIN, MOST_MIN = 0.5, 120.0
GENERAL_MIN = 60.0  # of general speech, at most
PEAK = 32767
NICENESS = 19
console = Console(highlight=False)
app = typer.Typer()


class Device(enum.StrEnum):
    CPU = "cpu"
    CUDA = "cuda"


@app.callback(invoke_without_command=True)
def adapt(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(help="List of recordings: TSV with a head line, columns file, text, speaker."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the bundle and the report; the same again goes on after a break."
        ),
    ] = None,
    base: Annotated[
        str, typer.Option(help="Bundle to adapt: name@version on this box, or its folder.")
    ] = "whisper-base",
    general: Annotated[
        Path | None,
        typer.Option(
            help="List of ordinary speech, beside it so that none is forgotten; an hour at most."
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=LEAST_MIN, max=MOST_MIN, help="Of speech to learn from, at most.")
    ] = 20.0,
    name: Annotated[str, typer.Option(help="Of the new bundle; else BASE-local.")] = "",
    version: Annotated[str, typer.Option(help="Of the new bundle; else today.")] = "",
    language: Annotated[str, typer.Option(help="ISO 639-1.")] = "zh",
    steps: Annotated[
        int, typer.Option(min=0, max=5000, help="Of learning, some 5 s each; 0: by the minutes.")
    ] = 0,
    curve: Annotated[
        bool, typer.Option(help="Learn from 1, 2, 5 ... minutes, too: what more would bring.")
    ] = True,
    device: Annotated[Device, typer.Option(help="For learning.")] = Device.CPU,
    torch: Annotated[
        Path | None, typer.Option(help="Python with torch; else the one of `make pyannote`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report, as JSON.")] = False,
) -> None:
    """Adapt the recogniser to an accent, from recordings with their text.

    Out comes a sealed bundle, to be signed, imported and tried like any other, and a report of what
    it brought, what it cost and what it spoiled. Everything stays on this machine, and gives way to
    whatever else runs here.
    """
    if context.invoked_subcommand:
        return
    if data is None or out is None:
        raise typer.BadParameter("--data LIST and --out FOLDER are needed")
    folder = base_folder(base)
    made = name or default_name(folder), version or _begun_as(out) or time.strftime("%Y%m%d")
    if not (out / request.FILE).exists():
        _check_lists(data, general)
    python = str(_with_torch(torch or TORCH))
    asked = AdaptationRequest(
        str(folder), *made, language, minutes, steps, curve, device.value, python, (), ()
    )
    report = _adapted(asked, data, general, out)
    print(json.dumps(report, ensure_ascii=False)) if as_json else _show(report, out)


def _adapted(
    asked: AdaptationRequest, data: Path, general: Path | None, out: Path
) -> dict[str, Any]:
    """The report of an adaptation, gone on with if its folder holds one that was cut off."""
    psutil.Process().nice(NICENESS)
    out.mkdir(parents=True, exist_ok=True)
    with _bar() as progress:
        if not _goes_on(out, asked):
            local = _brought(out, "local", data, asked.minutes * SPARE, progress)
            beside = _brought(out, "general", general, GENERAL_MIN, progress) if general else ()
            _with(asked, local, beside).save(out)
        _run(out, progress)
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


def _check_lists(*lists: Path | None) -> None:
    """Before anything that takes long: a typing error should be told at once."""
    for listed in filter(None, lists):
        read_rows(listed)


def _begun_as(out: Path) -> str:
    """The version that was begun there, which may have been yesterday's date; empty: none was."""
    with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
        return request.load(out).version
    return ""


def base_folder(base: str) -> Path:
    folder = Path(base)
    if not (folder / "manifest.json").is_file():
        folder = library_of(load_settings()).find(base).folder
    return folder.resolve()


def default_name(base: Path) -> str:
    """Of what is made of a bundle."""
    return f"{load_manifest(base).name}-local"


def _with_torch(python: Path) -> Path:
    hint = "set it up by `make pyannote` in a checkout, or name another: --torch PYTHON"
    if not python.is_file():
        raise SettingsError(DOING, f"learning takes torch, and there is no {python}", hint)
    tried = subprocess.run([python, "-c", "import torch, safetensors"], capture_output=True)
    if tried.returncode:
        cause = tried.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise SettingsError(DOING, f"{python}: {cause}", hint)
    return python.absolute()  # not resolved: a link into an environment is the environment


def _goes_on(out: Path, asked: AdaptationRequest) -> bool:
    """Whether the folder holds the same adaptation, begun before; raises SettingsError if another.

    What is in the lists is read once: a list that has changed since takes a new folder.
    """
    if not (out / request.FILE).exists():
        return False
    try:
        begun = request.load(out)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise SettingsError(DOING, f"{out}: {error}", "name a new folder") from error
    if _with(begun, (), ()) != asked:
        cause = f"{out} holds another adaptation, of {begun.base} to {begun.name}"
        raise SettingsError(DOING, cause, "name a new folder, or give the same options again")
    Console(stderr=True).print(f"[dim]going on in {out}[/dim]", highlight=False)
    return True


def _with(
    asked: AdaptationRequest,
    local: tuple[SpokenRecording, ...],
    general: tuple[SpokenRecording, ...],
) -> AdaptationRequest:
    return replace(asked, local=local, general=general)


def _brought(
    out: Path, part: str, path: Path, minutes: float, progress: Progress
) -> tuple[SpokenRecording, ...]:
    """Recordings of a list, decoded and trimmed into the folder, until so many minutes are there.

    In a random order that is always the same, so that those left out are of everybody.
    """
    rows = read_rows(path)
    order = np.random.default_rng(1).permutation(len(rows))
    (out / "clips").mkdir(exist_ok=True)
    task = progress.add_task(f"read {part} speech", total=len(rows), note="")

    async def read() -> tuple[SpokenRecording, ...]:
        vad, found, seconds = Vad(), list[SpokenRecording](), 0.0
        for number in order:
            if seconds < minutes * 60:
                file = f"clips/{part}-{number:05d}.npy"
                for each, audio in await one(path, rows[number], file, vad):
                    if not each.refused:
                        np.save(out / each.file, (np.clip(audio, -1, 1) * PEAK).astype(np.int16))
                    seconds += len(audio) / SAMPLE_RATE_HZ
                    found.append(each)
            progress.advance(task)
        await vad.close()
        return tuple(found)

    return asyncio.run(read())


async def one(
    path: Path, row: dict[str, str], file: str, vad: Vad
) -> list[tuple[SpokenRecording, Audio]]:
    """One recording, a long one in pieces; one that cannot be read costs the others nothing."""
    source, text = row.get("file") or "", (row.get("text") or "").strip()
    each = SpokenRecording(file, source, text, row.get("speaker") or "-")

    def refused(why: str) -> list[tuple[SpokenRecording, Audio]]:
        return [(replace(each, refused=why), np.zeros(0, np.float32))]

    if not text:
        return refused("no text")
    try:
        audio = await decode(path.parent / source, LONGEST_S)
    except OSError as error:
        return refused(error.strerror or str(error))
    except LingtingError as error:
        return refused(error.cause)
    cut = await pieces(audio, vad, PIECE_S)
    if len(cut) < 2:
        return [(each, cut[0])] if cut else refused("nobody speaks")
    name = file.removesuffix(".npy")
    return [
        (replace(each, file=f"{name}-{number}.npy", pieces=len(cut)), piece)
        for number, piece in enumerate(cut, 1)
    ]


def _run(out: Path, progress: Progress) -> None:
    """In a process of its own, so that memory comes back; raises SettingsError with its reason."""
    command = [sys.executable, "-m", "inference.adaptation", str(out)]
    tasks: dict[str, TaskID] = {}
    last: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for line in child.stdout:
            last = json.loads(line)
            if stage := last.get("stage"):
                if stage not in tasks:
                    tasks[stage] = progress.add_task(stage, total=last["of"], note="")
                done, of, note = last["done"], last["of"], last["note"]
                progress.update(tasks[stage], completed=done, total=of, note=note)
    if "error" in last:
        raise SettingsError(DOING, last["error"], last["hint"])
    if child.returncode:
        cause = f"it ended with {child.returncode}"
        raise SettingsError(DOING, cause, "run the same command again: it goes on")


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    note = TextColumn("[dim]{task.fields[note]}[/dim]")
    return Progress(*columns, TimeElapsedColumn(), note, console=Console(stderr=True))


def _show(report: dict[str, Any], out: Path) -> None:
    """The report in a few lines."""
    table = Table("characters wrong", "before", "after", "clips", "speakers", box=SIMPLE_HEAD)
    for part, after in report["after"].items():
        before = report["before"][part]
        counts = str(after["clips"]), str(after["speakers"])
        table.add_row(part, f"{before['cer']:.1%}", f"{after['cer']:.1%}", *counts)
    console.print(table)
    cost = report["cost"]
    console.print(
        f"learned from {report['learned_s'] / 60:.1f} min of {report['learned_speakers']} speakers "
        f"in {cost['wall_s'] / 60:.0f} min, {cost['core_hours']:.2f} core-hours; "
        f"{len(report['set_aside'])} recordings set aside"
    )
    for note in report["notes"]:
        console.print(f"[yellow]{note}[/yellow]")
    bundle = out / "bundle"
    console.print(f"bundle: {bundle}; sign it by: lingting models sign {bundle} --key KEY")
    console.print(f"report: {out / 'report.html'}")
