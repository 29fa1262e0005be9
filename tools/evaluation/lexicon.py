"""`lingting eval lexicon`: whether names are heard right, and what a list of them spoils."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from appliance.assist.city import pack as packs
from appliance.assist.city.terms import pairs_of
from appliance.call.box import Box
from appliance.call.conversation import transcribe
from appliance.call.corrected import corrected
from appliance.engine.build import build_engine
from appliance.errors import LingtingError
from appliance.messages import AudioFormat, CallConfig, Encoding, Final
from appliance.metrics import Metrics
from appliance.settings import Settings, load_settings
from appliance.terms.correction import Terms
from appliance.terms.files import read_terms
from appliance.terms.term import Term
from inference.cer import normalise, score
from inference.tensors import Hypothesis, Word
from tools.evaluation.data import Progress, failed
from tools.evaluation.names import names
from tools.evaluation.speech import ALAW_HZ, SpeechPath, one_engine, read_list, to_alaw

SIZES = (0, 100, 1000, 10_000)  # entries
SPOKEN = Path(__file__).with_name("spoken_names") / "list.tsv"


@dataclass(frozen=True, slots=True)
class HeardRecording:
    """What is said in a recording, and its finals before anything is put right."""

    said: str
    finals: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True)
class LexiconFigures:
    """Of one list.

    Attributes:
        recall: of the terms that are said, how many stand in the text.
        false_insertions: terms put in where they were not said, by recording.
        ms_p95: of putting one final right.
    """

    terms: int
    recall: float | None
    recall_without: float | None
    false_insertions: float
    cer: float
    cer_without: float
    ms_p95: float


def lexicon(
    data: Annotated[
        Path | None,
        typer.Option(help="TSV list of recordings: file, text. Else the ones that are built in."),
    ] = None,
    terms: Annotated[
        Path | None,
        typer.Option(help="Terms, one a line, or CSV: text, weight, category. Else made names."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Model folder; else the one in the settings.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print what was put in wrongly.")] = False,
) -> None:
    """Names through 8 kHz A-law and the weights, without a list and with 100 to 10,000 names.

    A list that is shorter is filled up with made names. The recordings that are built in are
    synthetic voices that the weights have not learned from, saying made names.
    """
    console = Console(stderr=True, highlight=False)
    try:
        wanted = list(read_terms(terms)) if terms else [Term(n) for n in islice(names(), SIZES[-1])]
        settings = one_engine(load_settings(), bundle, SpeechPath.CPU)
        pairs = pairs_of(packs.load(settings.city.pack))
        with console.status("reading the list") as status:
            heard = asyncio.run(_hear(settings, data or SPOKEN, status.update))
            status.update("putting names right")
            figures = [measure(heard, wanted, size, pairs, show=show) for size in SIZES]
            whole = measure(heard, wanted, len(wanted), pairs)
    except (LingtingError, ImportError) as error:
        raise failed(error, console) from error
    if as_json:
        print(json.dumps({**asdict(whole), "n": len(heard), "sizes": [*map(asdict, figures)]}))
    else:
        _show(figures)


async def _hear(settings: Settings, data: Path, say: Progress) -> list[HeardRecording]:
    clips = await read_list(data, say)
    metrics = Metrics()
    box = Box(settings, build_engine(settings, metrics), metrics)
    try:
        await box.start()
        heard = []
        for number, clip in enumerate(clips, 1):
            say(f"{number} of {len(clips)}")
            config = CallConfig(
                audio=AudioFormat(Encoding.ALAW, ALAW_HZ, 1),
                interim=False,
                live=False,
                itn=False,
                door="cli",
            )
            transcript = await transcribe(box, config, _once(to_alaw(clip.audio)))
            finals = tuple(_as_heard(final) for final in transcript.finals)
            heard.append(HeardRecording(clip.text, finals))
        return heard
    finally:
        await box.close()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _as_heard(final: Final) -> Hypothesis:
    words = tuple(Word(w.text, w.start_ms, w.end_ms, w.confidence) for w in final.words)
    return Hypothesis(final.text, final.language, words, final.confidence)


def measure(
    heard: Sequence[HeardRecording],
    wanted: Sequence[Term],
    size: int,
    pairs: dict[str, int],
    *,
    show: bool = False,
) -> LexiconFigures:
    """With a list of `size`: the terms that are said, then the others, then made names."""
    said = [term for term in wanted if any(term.text in each.said for each in heard)]
    others = [term for term in wanted if term not in said]
    made = (Term(name) for name in names(seed=2))
    listed = list(islice(dict.fromkeys((*said, *others)), max(size, len(said)))) if size else []
    while len(listed) < size:
        listed.append(next(made))
    terms = Terms(listed, pairs)
    texts, wrong, took = [], 0, [0.0]
    for each in heard:
        text = ""
        for final in each.finals:
            begun = time.perf_counter()
            right, told = corrected(final, terms)
            took.append(time.perf_counter() - begun)
            text += right.text
            false = [one for one in told if normalise(one.term) not in normalise(each.said)]
            wrong += len(false)
            for one in false if show and size == SIZES[-1] else ():
                print(f"{one.heard} -> {one.term} ({one.score}): {each.said}")
        texts.append(text)
    before = ["".join(final.text for final in each.finals) for each in heard]
    return LexiconFigures(
        terms=len(terms),
        recall=_recall(heard, said, texts),
        recall_without=_recall(heard, said, before),
        false_insertions=round(wrong / max(1, len(heard)), 4),
        cer=_rate(heard, texts),
        cer_without=_rate(heard, before),
        ms_p95=round(1000 * float(np.quantile(took, 0.95)), 2),
    )


def _recall(
    heard: Sequence[HeardRecording], said: Sequence[Term], texts: Sequence[str]
) -> float | None:
    found = [
        normalise(term.text) in normalise(text)
        for each, text in zip(heard, texts, strict=True)
        for term in said
        if term.text in each.said
    ]
    return round(sum(found) / len(found), 4) if found else None


def _rate(heard: Sequence[HeardRecording], texts: Sequence[str]) -> float:
    return round(score((each.said, t) for each, t in zip(heard, texts, strict=True)).rate, 4)


def _show(figures: Sequence[LexiconFigures]) -> None:
    table = Table("names", "heard right", "put in wrongly", "CER", "p95, ms", box=SIMPLE_HEAD)
    for each in figures:
        recall = "–" if each.recall is None else f"{each.recall:.1%}"
        shares = (f"{each.false_insertions:.1%}", f"{each.cer:.1%}", f"{each.ms_p95:.1f}")
        table.add_row(f"{each.terms}", recall, *shares)
    Console(highlight=False).print(table)
