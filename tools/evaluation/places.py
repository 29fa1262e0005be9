"""`lingting eval places`: whether a place that somebody says is found, as the box hears them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from appliance.assist.address.address import address
from appliance.assist.address.gazetteer import Gazetteer, Place
from appliance.assist.city import pack as packs
from appliance.assist.city.known import gazetteer_of
from appliance.assist.orders.cases import SURE, alike, deepest, named
from appliance.assist.slots.value import Said, Value
from appliance.audio.listed import READING, read_rows
from appliance.call.box import Box
from appliance.engine.build import build_engine
from appliance.errors import LingtingError, SettingsError
from appliance.messages import LegRole
from appliance.metrics import Metrics
from appliance.settings import Settings, load_settings
from tools.evaluation.data import Progress
from tools.evaluation.speech import SpeechPath, one_engine, read_list, through_the_box


@dataclass(frozen=True, slots=True)
class SaidPlace:
    """What was said of a place, what was heard, and the place."""

    said: str
    heard: str
    place: str


def places(
    data: Annotated[Path, typer.Option(help="TSV list of recordings: file, text, place.")],
    pack: Annotated[Path | None, typer.Option(help="Pack folder; else the settings'.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print what was not found.")] = False,
) -> None:
    """Communities, compounds and villages said by voices, through 8 kHz A-law and the weights.

    Beside it: how many are found by looking for their names as they are written, and how often a
    place is told though the one that was said has been taken out of the gazetteer.
    """
    console = Console(stderr=True, highlight=False)
    try:
        settings = one_engine(load_settings(), None, SpeechPath.CPU)
        folder = pack or settings.city.pack
        gazetteer = gazetteer_of(packs.load(folder, sealed=False))
        with console.status("reading the list") as status:
            heard = asyncio.run(_hear(settings, data, status.update))
            status.update("looking places up")
            found = judge(heard, gazetteer)
    except LingtingError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(2) from error
    if show:
        for miss in found.misses:
            print(f"{miss.said}\n{miss.heard}\n")
    if as_json:
        print(json.dumps(found.figures()))
        return
    for name, value in found.figures().items():
        print(f"{name:24}{value:g}")


async def _hear(settings: Settings, data: Path, say: Progress) -> list[SaidPlace]:
    rows, clips = read_rows(data), await read_list(data, say)
    if any(not row.get("place") for row in rows):
        raise SettingsError(READING, f"{data} has a line without a place", "name it as the pack")
    metrics = Metrics()
    box = Box(settings, build_engine(settings, metrics), metrics)
    try:
        await box.start()
        heard = await through_the_box(box, clips, telephone=True, say=say)
    finally:
        await box.close()
    texts = [text for _, text in heard.pairs]
    return [
        SaidPlace(row["text"], text, row["place"]) for row, text in zip(rows, texts, strict=True)
    ]


@dataclass(slots=True)
class PlaceReport:
    """Counts, over all recordings.

    Attributes:
        exact: a name of the place stands there as it is written.
        strange: a place was told where the one that was said is in no table.
    """

    n: int
    right: int
    exact: int
    wrong: int
    confident_wrong: int
    strange: int
    strange_confident: int
    misses: Sequence[SaidPlace]

    def figures(self) -> dict[str, float]:
        n = max(1, self.n)
        return {
            "n": self.n,
            "place_recall": round(self.right / n, 4),
            "exact_recall": round(self.exact / n, 4),
            "wrong": round(self.wrong / n, 4),
            "confident_wrong": round(self.confident_wrong / n, 4),
            "unlisted_told": round(self.strange / n, 4),
            "unlisted_confident": round(self.strange_confident / n, 4),
        }


def judge(heard: Sequence[SaidPlace], gazetteer: Gazetteer) -> PlaceReport:
    """By what is told below the town."""
    told = [_place(each.heard, gazetteer) for each in heard]
    right = [_right(each, value) for each, value in zip(heard, told, strict=True)]
    wrong = [
        value
        for value, hit in zip(told, right, strict=True)
        if value and not hit and deepest(value.parts)
    ]
    strange = [value for each in heard if (value := _strange(each, gazetteer))]
    return PlaceReport(
        n=len(heard),
        right=sum(right),
        exact=sum(_stands(each, gazetteer) for each in heard),
        wrong=len(wrong),
        confident_wrong=sum(value.confidence >= SURE for value in wrong),
        strange=len(strange),
        strange_confident=sum(value.confidence >= SURE for value in strange),
        misses=[each for each, hit in zip(heard, right, strict=True) if not hit],
    )


def _place(text: str, gazetteer: Gazetteer) -> Value | None:
    found = address([Said("0", LegRole.CITIZEN, text)], gazetteer)
    return found[0] if found else None


def _right(said: SaidPlace, value: Value | None) -> bool:
    return value is not None and any(alike(said.place, name) for name in named(value.parts))


def _stands(said: SaidPlace, gazetteer: Gazetteer) -> bool:
    return any(
        name in said.heard
        for place in gazetteer.places
        if alike(said.place, place.name)
        for name in (said.place, place.name, *place.names)
    )


def _strange(said: SaidPlace, gazetteer: Gazetteer) -> Value | None:
    """What is told where nothing of that name is in the table."""
    kept = [place for place in gazetteer.places if not _called(said.place, place)]
    value = _place(said.heard, Gazetteer(kept, gazetteer.local))
    return value if value and deepest(value.parts) else None


def _called(name: str, place: Place) -> bool:
    """Whether it goes by the name, or by one with the name in it."""
    core = name.removesuffix("社区").removesuffix("小区").removesuffix("村")
    return any(core in each for each in (place.name, *place.names))
