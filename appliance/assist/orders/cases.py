"""A pack's own cases: what is expected of a text, and what the filler makes of it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.assist.city.tiers import CHINA
from appliance.assist.orders.draft import Draft, OrderField
from appliance.assist.orders.filler import CallContext, Filler
from appliance.assist.slots.value import Said
from appliance.messages import LegRole

SURE = 0.9  # what is wrong above it is wrong and confident
AT = datetime(2026, 11, 27, 10, 0, tzinfo=CHINA)
Tallies = dict[str, "CaseTally"]


@dataclass(slots=True)
class CaseTally:
    """Right, wrong, and silent, of one thing that is measured."""

    right: int = 0
    wrong: int = 0
    silent: int = 0
    confident_wrong: int = 0
    misses: list[str] = field(default_factory=list)

    def add(self, expected: str, given: str, confidence: float, about: str) -> None:
        if given in expected.split(";"):
            self.right += 1
            return
        if not given:
            self.silent += 1
        else:
            self.wrong += 1
            self.confident_wrong += confidence >= SURE
        self.misses.append(f"{about}: {expected} expected, {given or 'nothing'} ({confidence:.2f})")

    @property
    def n(self) -> int:
        return self.right + self.wrong + self.silent

    @property
    def share(self) -> float:
        return round(self.right / self.n, 4) if self.n else 0.0


@dataclass(slots=True)
class Helpers:
    """Of helping units: found, missed, too many."""

    found: int = 0
    missed: int = 0
    extra: int = 0

    def add(self, expected: set[str], given: set[str]) -> None:
        self.found += len(expected & given)
        self.missed += len(expected - given)
        self.extra += len(given - expected)

    @property
    def f1(self) -> float:
        return round(2 * self.found / max(1, 2 * self.found + self.missed + self.extra), 4)


@dataclass(slots=True)
class CaseScore:
    """What the cases came to."""

    tallies: Tallies = field(default_factory=dict)
    helpers: Helpers = field(default_factory=Helpers)

    def of(self, name: str) -> CaseTally:
        return self.tallies.setdefault(name, CaseTally())


def run(filler: Filler, *, held: bool = False) -> CaseScore:
    """All cases of a pack's folder.

    Args:
        held: only those that nobody tunes on.
    """
    score, folder = CaseScore(), filler.pack.folder / "cases"
    for case in _rows(folder / "dispatch.csv", held=held):
        _dispatch(filler, case, score)
    for case in _rows(folder / "addresses.csv", held=held):
        _address(filler, case, score)
    return score


def has_any(pack: Path) -> bool:
    """Whether a pack's folder has cases of its own."""
    return any((pack / "cases" / name).exists() for name in ("dispatch.csv", "addresses.csv"))


def _rows(file: Path, *, held: bool) -> Iterator[dict[str, str]]:
    if not file.exists():
        return
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if not held or row.get("held") == "1":
                yield row


def _written(filler: Filler, text: str) -> Draft:
    said = [Said("0.0", LegRole.CITIZEN, text)]
    return filler.fill(said, CallContext(AT, written=True))[0]


def _dispatch(filler: Filler, case: Mapping[str, str], score: CaseScore) -> None:
    draft, about = _written(filler, case["text"]), case["id"]
    refused = score.of("refusal")
    refused.add(case["refusal"] or "0", "1" if draft.refusal else "0", 1.0, about)
    told = set(draft.danger["to"]) if draft.danger else set()
    expected = set(filter(None, case["emergency"].split(";")))
    heard = bool(told & expected) if expected else not told
    shown = ";".join(sorted(told)) or "none"
    wanted = ";".join(sorted(expected)) or "none"
    score.of("emergency").add("told", "told" if heard else shown, 1.0, about)
    if expected:
        score.of("emergency_recall").add("told", "told" if heard else shown, 1.0, about)
        numbers = wanted.replace(";", "+")
        score.of("emergency_numbers").add(
            numbers, numbers if told == expected else shown.replace(";", "+"), 1.0, about
        )
    if case["refusal"] == "1":
        return
    unit, category = draft.fields.get(OrderField.UNIT), draft.fields.get(OrderField.CATEGORY)
    confidence = unit.confidence if unit else 0.0
    score.of("main_unit").add(case["main"], unit.code if unit else "", confidence, about)
    score.of("tier").add(case["tier"], draft.codes.get("tier", ""), 0.0, about)
    if category:
        score.of("category").add(case["category"], category.code, category.confidence, about)
        leaves = [each.code for each in category.alternatives]
        score.of("category_top1").add(case["category"], leaves[0], 0.0, about)
        among = "told" if set(leaves) & set(case["category"].split(";")) else "missed"
        score.of("category_top3").add("told", among, 0.0, about)
    others = draft.fields.get(OrderField.HELPERS)
    given = set(others.code.split(";")) if others else set()
    score.helpers.add(set(filter(None, case["helpers"].split(";"))), given)


def _address(filler: Filler, case: Mapping[str, str], score: CaseScore) -> None:
    found, about = filler.place(case["text"]), case["text"][:24]
    parts: Mapping[str, Any] = found.parts if found else {}
    confidence = found.confidence if found else 0.0
    if case.get("sure") == "0":
        asked = found is None or found.question or confidence < SURE or not deepest(parts)
        told = "asked" if asked else "guessed"
        score.of("ambiguous").add("asked", told, 1.0, about)
        return
    expected = case["place"] or case["village"] or case["town"]
    right = any(alike(expected, name) for name in named(parts))
    given = expected if right else deepest(parts)
    score.of("community").add(expected, given, confidence, about)
    house = _house(parts)
    for name, of in HOUSE.items():
        if case[name]:
            known = [_bare(house[each]) for each in of if house.get(each)]
            wanted = _bare(case[name])
            score.of(name).add(
                wanted, wanted if wanted in known else "".join(known[:1]), 0.0, about
            )


LEVELS = ("compound", "landmark", "street", "village", "town")
DEEPEST = ("compound", "landmark", "village")  # that a place has one of; a street may be beside it
HOUSE = {
    "building": ("building", "number"),
    "unit": ("unit", "group"),
    "room": ("room", "floor", "side"),
}


def named(parts: Mapping[str, Any]) -> list[str]:
    """All that it says of where it is, above the house."""
    return [str(parts[each]) for each in LEVELS if parts.get(each)]


def deepest(parts: Mapping[str, Any]) -> str:
    """What it says below the town; a name that is in no table is no claim."""
    if "unlisted" in parts:
        return ""
    return next((str(parts[each]) for each in DEEPEST if parts.get(each)), "")


def alike(expected: str, given: str) -> bool:
    """The same, but for what people leave out: 红旗里 for 红旗里社区."""
    return _core(expected) == _core(given)


def _core(name: str) -> str:
    return name.removesuffix("社区").removesuffix("小区").removesuffix("村委会")


def _house(parts: Mapping[str, Any]) -> dict[str, str]:
    """As the cases tell it: a row of houses is a building, and 三楼东 is where a door is."""
    house = {name: str(told) for name, told in parts.items()}
    if house.get("number", "").endswith("排") and "building" in house:
        house |= {"building": house["number"], "room": house["building"]}
    if "floor" in house and "room" in house:
        house["side"] = house["floor"].replace("层", "楼") + house["room"]
    return house


def _bare(house: str) -> str:
    """501 of 501室, 3 of 3号楼 and 三栋."""
    return re.sub("(号楼|号院|号|栋|幢|单元|门|室|户|排|组)$", "", house)
