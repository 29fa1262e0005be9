"""`lingting eval address`: how well written addresses are taken apart.

Works on tagged addresses: a piece and its tag a line (`宁 B-city`), a blank line between addresses.
The gazetteer is China's divisions to the town; the code is the same as for calls.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from appliance.assist.address.files import of_divisions
from appliance.assist.address.find import Mention, find
from appliance.assist.address.gazetteer import Gazetteer
from appliance.errors import LingtingError, SettingsError
from appliance.settings.section import PROJECT

CHINA = PROJECT / "provisioning" / "divisions" / "china_2022.csv"
# Tags of the data by what they are called here.
TAGS = {"district": "district", "town": "town", "houseno": "house", "roomno": "room"}
LEVELS = {"county": "district", "town": "town", "building": "house", "room": "room"}
KINDS = ("district", "town", "house", "room")

ZONES = ("开发区", "工业区", "工业园", "园区")  # are neither districts nor towns in the data

Part = tuple[str, str]  # kind, text


@dataclass(frozen=True, slots=True)
class Tagged:
    """An address and what is true of it."""

    text: str
    parts: frozenset[Part]


def address(
    data: Annotated[Path, typer.Option(help="Tagged addresses, a piece and its tag a line.")],
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print what was missed or made up.")] = False,
) -> None:
    """How many districts, towns, houses and rooms of tagged addresses are found, letter by letter.

    Precision is over all that is found of the four; the gazetteer is China's divisions to the
    town.
    """
    try:
        found = evaluate(load(data), of_divisions(CHINA))
    except LingtingError as error:
        Console(stderr=True, highlight=False).print(str(error), markup=False)
        raise typer.Exit(2) from error
    if show:
        for tagged, told in found.wrong:
            missed, made_up = tagged.parts - told, told - tagged.parts
            print(tagged.text, "missed", sorted(missed), "made up", sorted(made_up))
    if as_json:
        print(json.dumps(found.figures()))
        return
    table = Table("", "recall", "precision", box=SIMPLE_HEAD)
    for kind in KINDS:
        table.add_row(kind, f"{found.recall(kind):.1%}", f"{found.precision(kind):.1%}")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{found.n} addresses, {found.figures()['addresses_per_s']:.0f} a second; "
        f"precision of all {found.precision():.1%}"
    )


@dataclass(frozen=True, slots=True)
class AddressReport:
    """Counts by kind; `wrong`: addresses where something differs, with what was found."""

    n: int
    seconds: float
    right: Counter[str]
    true: Counter[str]
    told: Counter[str]
    wrong: Sequence[tuple[Tagged, frozenset[Part]]]

    def recall(self, kind: str) -> float:
        return self.right[kind] / self.true[kind] if self.true[kind] else 1.0

    def precision(self, kind: str = "") -> float:
        """Of one kind, or of all."""
        right, told = (
            sum(count for each, count in counts.items() if kind in ("", each))
            for counts in (self.right, self.told)
        )
        return right / told if told else 1.0

    def figures(self) -> dict[str, float]:
        """A flat object: rates from 0 to 1."""
        return {
            "n": self.n,
            **{f"{kind}_recall": round(self.recall(kind), 4) for kind in KINDS},
            "precision": round(self.precision(), 4),
            "addresses_per_s": round(self.n / max(self.seconds, 1e-9), 1),
        }


def evaluate(addresses: Sequence[Tagged], gazetteer: Gazetteer) -> AddressReport:
    """Reads each address once."""
    right, true, told = Counter[str](), Counter[str](), Counter[str]()
    wrong: list[tuple[Tagged, frozenset[Part]]] = []
    began = time.perf_counter()
    found = [frozenset(parts(tagged.text, gazetteer)) for tagged in addresses]
    seconds = time.perf_counter() - began
    for tagged, these in zip(addresses, found, strict=True):
        right.update(kind for kind, _ in tagged.parts & these)
        true.update(kind for kind, _ in tagged.parts)
        told.update(kind for kind, _ in these)
        if tagged.parts != these:
            wrong.append((tagged, these))
    return AddressReport(len(addresses), seconds, right, true, told, wrong)


def parts(text: str, gazetteer: Gazetteer) -> Iterator[Part]:
    """Districts, towns, houses and rooms as they stand in `text`."""
    reading = find(text, gazetteer)
    for mention in reading.mentions:
        yield from _divisions(text, mention, gazetteer)
        for shape in mention.shapes:
            if kind := LEVELS.get(shape.kind):
                yield kind, _plain(text[shape.start : shape.end])
    for piece in reading.pieces:
        if kind := LEVELS.get(piece.level):
            yield kind, _plain(piece.said)


def _divisions(text: str, mention: Mention, gazetteer: Gazetteer) -> Iterator[Part]:
    """Of a division named twice (余姚市余姚商城), only where it is named in full."""
    told: set[int] = set()
    used = mention.meant.used if mention.meant else ()
    for match in sorted((heard.match for heard in used), key=lambda match: match.bare):
        name = text[match.start : match.end]
        kind = LEVELS.get(gazetteer.places[match.place].kind)
        if kind and match.place not in told and not name.endswith(ZONES):
            yield kind, _plain(name)
        told.add(match.place)


def load(path: Path) -> list[Tagged]:
    """The addresses of a file; raises SettingsError naming the line."""
    try:
        blocks = path.read_text(encoding="utf-8-sig").split("\n\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("read addresses", f"{path}: {error}") from error
    found, line = [], 1
    for block in blocks:
        rows = [row for row in block.split("\n") if row.strip()]
        if rows:
            found.append(_tagged(rows, path, line))
        line += block.count("\n") + 2
    if not found:
        raise SettingsError("read addresses", f"{path} has none")
    return found


def _tagged(rows: Sequence[str], path: Path, line: int) -> Tagged:
    text, kinds = "", list[Part]()
    open_tag = ""
    for at, row in enumerate(rows):
        piece, _, tag = row.rpartition(" ")
        if not piece or tag[:2] not in ("B-", "I-", "O"):
            raise SettingsError("read addresses", f"{path}, line {line + at}: no piece and tag")
        text += _gap(text, piece) + piece
        if tag.startswith("I-") and tag[2:].lower() == open_tag and kinds:
            kinds[-1] = (kinds[-1][0], kinds[-1][1] + piece)
        else:
            open_tag = tag[2:].lower()
            kinds.append((TAGS.get(open_tag, ""), piece))
    return Tagged(text, frozenset((kind, _plain(said)) for kind, said in kinds if kind))


def _gap(text: str, piece: str) -> str:
    """Between two numbers there was a space, or they would be one piece."""
    return " " if text[-1:].isdigit() and piece[:1].isdigit() else ""


def _plain(said: str) -> str:
    return said.replace(" ", "")
