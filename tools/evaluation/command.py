"""`lingting eval`: how accurate the models of this box are, on fixed data."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from appliance.call.box import Box
from appliance.console.words import EMOTIONS
from appliance.engine.build import build_engine
from appliance.engine.cpu import CpuEngine
from appliance.engine.protocol import SpeechEngine
from appliance.errors import LingtingError, SettingsError
from appliance.messages import AUTO, DEMO_NOTICE
from appliance.metrics import Metrics
from appliance.settings import Settings, load_settings
from inference.tensors import SAMPLE_RATE_HZ, Window
from tools.evaluation import emotion as eval_emotion
from tools.evaluation import speech as eval_speech
from tools.evaluation.address import address
from tools.evaluation.category import category
from tools.evaluation.data import Progress, failed, recordings, started
from tools.evaluation.knowledge import knowledge
from tools.evaluation.lexicon import lexicon
from tools.evaluation.orders import orders
from tools.evaluation.places import places
from tools.evaluation.quality import quality
from tools.evaluation.speakers import diarization
from tools.evaluation.speech import SpeechPath, one_engine
from tools.evaluation.warnings import warnings

SILENCE = np.zeros(SAMPLE_RATE_HZ, np.float32)


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    margins: bool
    as_json: bool
    show: bool


app = typer.Typer(help="Measure how accurate the models are, on fixed held-out data.")
app.command()(address)
app.command()(category)
app.command()(diarization)
app.command()(knowledge)
app.command()(lexicon)
app.command()(orders)
app.command()(places)
app.command()(quality)
app.command()(warnings)


@app.command()
def asr(
    bundle: Annotated[
        Path | None, typer.Option(help="Model folder; else the one in the settings.")
    ] = None,
    beam: Annotated[int, typer.Option(min=1, max=16, help="Beam size.")] = 1,
    data: Annotated[
        Path | None,
        typer.Option(
            help="List of your own recordings: a TSV file with file, text and, if known, speaker. "
            "Without it the fixed synthetic sets."
        ),
    ] = None,
    margins: Annotated[
        bool,
        typer.Option("--margins", help="With --data: error rate and cost by silence behind it."),
    ] = False,
    engine: Annotated[
        SpeechPath, typer.Option(help="With --data: which engine hears it.")
    ] = SpeechPath.CPU,
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print what was misheard.")] = False,
) -> None:
    """Character error rates, on recordings of your own (--data) or on fixed synthetic sets.

    With --data each recording is heard as the box hears it, at 16 kHz and through 8 kHz A-law, and
    scored in spoken form without punctuation, digits one by one: per speaker, with a 95 %
    confidence interval by resampling speakers. One with an empty text holds no speech: what is
    written for it counts as invented.

    The fixed sets need espeak-ng and the dev profile (`make .venv/.dev`)."""
    if data:
        _hear_people(bundle, data, engine, beam, EvaluationOptions(margins, as_json, show))
        return
    folder = bundle or load_settings().models.asr
    flags = [*(["--json"] if as_json else []), *(["--show"] if show else [])]
    command = [sys.executable, "-m", "inference.asr.evaluate", "--bundle", str(folder)]
    raise typer.Exit(subprocess.run([*command, "--beam", str(beam), *flags]).returncode)


def _hear_people(
    bundle: Path | None, data: Path, path: SpeechPath, beam: int, wanted: EvaluationOptions
) -> None:
    console = Console(stderr=True, highlight=False)
    try:
        settings = one_engine(load_settings(), bundle, path)
        settings = settings.model_copy(
            update={"call": settings.call.model_copy(update={"final_beam": beam})}
        )
        with console.status("reading the list") as status:
            said = status.update if console.is_terminal else print_margins
            asyncio.run(_measure_people(settings, data, wanted, said))
    except LingtingError as error:
        raise failed(error, console) from error


def print_margins(text: str) -> None:
    """What would be lost with a run that is cut off, where no terminal shows it."""
    if text.startswith("margin"):
        print(text, file=sys.stderr, flush=True)


async def _measure_people(
    settings: Settings, data: Path, wanted: EvaluationOptions, say: Progress
) -> None:
    clips = await eval_speech.read_list(data, say)
    metrics = Metrics()
    engine = build_engine(settings, metrics)
    box = Box(settings, engine, metrics)
    try:
        await box.start()
        if wanted.margins:
            call = settings.call
            asked = Window(SILENCE, language=_language(call.language), word_times=False)
            asked = replace(asked, beam_size=call.final_beam)
            await _by_margins(engine, clips, asked, wanted, say)
        else:
            await _as_the_box_hears(box, clips, wanted, say)
    finally:
        await box.close()


async def _as_the_box_hears(
    box: Box, clips: Sequence[eval_speech.Clip], wanted: EvaluationOptions, say: Progress
) -> None:
    wide, narrow = [
        await eval_speech.through_the_box(box, clips, telephone, say) for telephone in (False, True)
    ]
    card, found = box.models()[0], eval_speech.figures(clips, wide, narrow)
    if wanted.as_json:
        print(json.dumps({"model": f"{card.name} {card.version}", **found}))
        return
    console = Console(highlight=False, markup=False)
    console.print(f"{card.name} {card.version}, {card.device} {card.compute_type}")
    if wanted.show:
        for said, heard in wide.pairs:
            console.print(f"  {said}\n  {heard}\n")
    table = Table("speaker", "clips", "CER", box=SIMPLE_HEAD)
    for speaker, (count, rate) in eval_speech.by_speaker(clips, wide).items():
        table.add_row(Text(speaker), str(count), f"{rate:.1%}" if isfinite(rate) else "–")
    console.print(table)
    rates = "CER {cer:.1%}, through 8 kHz A-law {cer_alaw:.1%}"
    if found["cer_low"] is not None:
        rates = rates.replace(",", " (95 %: {cer_low:.1%} to {cer_high:.1%}),", 1)
    console.print(
        f"{rates.format(**found) if found['cer'] is not None else 'nobody speaks'}; "
        f"{found['n']} clips of {found['speakers']} speakers, "
        f"{found['seconds']:.0f} s, heard in {found['rtf']:.3f} of their length; nothing heard in "
        f"{found['empty']}, {found['invented']} characters invented where nobody speaks"
    )


async def _by_margins(
    engine: SpeechEngine,
    clips: Sequence[eval_speech.Clip],
    asked: Window,
    wanted: EvaluationOptions,
    say: Progress,
) -> None:
    rows, longest_s = [], engine.card().window_s
    spoken = [clip for clip in clips if clip.text]
    short = [clip for clip in spoken if clip.seconds <= longest_s]
    if not short:
        cause = f"no recording with a text is shorter than a window of {longest_s:g} s"
        raise SettingsError("measure margins", cause, "cut longer ones up")
    if len(short) < len(spoken):
        cause = f"{len(spoken) - len(short)} recordings are longer than a window of {longest_s:g} s"
        print(f"{cause}: they are left out", file=sys.stderr)
    for margin_s in eval_speech.MARGINS_S:
        wide, narrow = [
            await eval_speech.by_margin(
                engine, short, replace(asked, margin_s=margin_s), telephone, say
            )
            for telephone in (False, True)
        ]
        low, high = wide.interval([clip.speaker for clip in short]) or (None, None)
        rows.append(
            {
                "margin_s": margin_s,
                "cer": round(wide.rate, 4),
                "cer_low": None if low is None else round(low, 4),
                "cer_high": None if high is None else round(high, 4),
                "cer_alaw": round(narrow.rate, 4),
                "seconds": round((wide.seconds + narrow.seconds) / 2, 2),
            }
        )
    if wanted.as_json:
        print(json.dumps(rows))
        return
    table = Table("margin, s", "CER", "95 %", "CER, A-law", "time, s", box=SIMPLE_HEAD)
    for row in rows:
        bounds = (row["cer_low"], row["cer_high"])
        interval = " to ".join(f"{bound:.1%}" for bound in bounds if bound is not None) or "–"
        rates = (f"{row['cer']:.1%}", interval, f"{row['cer_alaw']:.1%}")
        table.add_row(f"{row['margin_s']:g}", *rates, f"{row['seconds']:.1f}")
    Console(highlight=False).print(table)


def _language(language: str) -> str | None:
    return None if language == AUTO else language


MOODS = "inference.training.emotion.heldout"
FIGURES = {
    "ua": "mean of the seven recalls",
    "macro_f1": "mean of the seven F1",
    "intensity_qwk": "agreement of the levels: quadratic weighted kappa",
    "ece": "calibration error of the likeliest mood",
    "false_alarm_rate": "calm or happy, told as negative at medium or high",
    "abstain_rate": "unsure",
    "told_right": "of what was told",
    "auc_aroused": "annoyed, furious and anxious against the rest, told or not",
}


@app.command()
def emotion(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with labels.csv or list.tsv: file, speaker, text, emotion and, if known, "
            "level; else the fixed synthetic utterances."
        ),
    ] = None,
    heard: Annotated[
        bool,
        typer.Option("--heard", help="By what the recogniser hears, as in a call, not as given."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
) -> None:
    """Recall and F1 over the seven moods, agreement of the levels, calibration, false alarms and
    how often the model is unsure. Works on your own labelled utterances too.

    Needs the dev profile (`make .venv/.dev`) and, for the fixed utterances, espeak-ng."""
    settings = load_settings()
    console = Console(stderr=True)
    try:
        with recordings(data, MOODS, console) as folder, console.status("...") as status:
            report = asyncio.run(_feel(settings, folder, status.update, heard=heard))
    except (LingtingError, ImportError) as error:
        raise failed(error, console) from error
    if as_json:
        print(json.dumps(report.flat()))
        return
    _show_moods(report)


async def _feel(
    settings: Settings, folder: Path, progress: Progress, *, heard: bool
) -> eval_emotion.EmotionReport:
    labelled = await eval_emotion.load_labelled(folder)
    async with started(CpuEngine(settings)) as engine:
        if heard:
            labelled = await eval_emotion.as_heard(engine, labelled, progress)
        return await eval_emotion.evaluate(engine, settings, labelled, progress)


def _show_moods(report: eval_emotion.EmotionReport) -> None:
    console = Console()
    console.print(DEMO_NOTICE)
    confusion, scores = report.confusion(), report.by_emotion()
    names = [EMOTIONS[emotion][0] for emotion in confusion]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("实为 / 判为", no_wrap=True)
    for heading in (*names, "未定", "召回", "F1"):
        table.add_column(heading, justify="right", no_wrap=True)
    for emotion, told in confusion.items():
        recall, f1 = scores[emotion]
        row = f"{EMOTIONS[emotion][0]} {emotion.value}"
        table.add_row(row, *map(str, told.values()), f"{recall:.0%}", f"{f1:.0%}")
    table.caption = (
        "truth in rows, told in columns (未定: unsure); 召回, recall, and F1 of what was told"
    )
    console.print(table)
    for name, value in report.flat().items():
        console.print(f"{name:18} {value:6.1%}  {FIGURES[name]}")
