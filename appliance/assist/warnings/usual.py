"""Tables of what is told where, beside what is usual; and what the next hours will bring."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.assist.city.divisions import DivisionLevel, up_to
from appliance.assist.city.pack import CityPack
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.expected import HEAD, HOUR_S, Expected

MOST_HOURS = 72


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Counts by county and head of a category.

    Attributes:
        categories, places: (code, name).
        counts, expected: [place][category].
    """

    categories: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]
    counts: tuple[tuple[int, ...], ...]
    expected: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class HourAhead:
    """What is to come in an hour: in all, and by head of a category (code, name, contacts)."""

    at: float
    expected: float
    categories: tuple[tuple[str, str, float], ...]


def heads(pack: CityPack) -> tuple[tuple[str, str], ...]:
    return tuple((each.code, each.name) for each in pack.taxonomy if len(each.code) == HEAD)


def heat_table(
    contacts: Sequence[Contact], expected: Expected, pack: CityPack, begin: float, end: float
) -> HeatTable:
    """Of contacts between two moments; nothing where there is neither a place nor a category."""
    columns = heads(pack)
    counties = pack.divisions.of_level(DivisionLevel.COUNTY)
    rows = tuple((each.code, each.name) for each in counties)
    counted = Counter(
        (up_to(each.place, DivisionLevel.COUNTY), each.category[:HEAD])
        for each in contacts
        if each.place and begin <= each.at <= end
    )
    return HeatTable(
        columns,
        rows,
        tuple(tuple(counted[place, head] for head, _ in columns) for place, _ in rows),
        tuple(
            tuple(round(expected.within((head, place), begin, end), 1) for head, _ in columns)
            for place, _ in rows
        ),
    )


def forecast(expected: Expected, pack: CityPack, hours: int) -> list[HourAhead]:
    """From the next full hour on, by hours, kinds of day and the last weeks."""
    begin = (time.time() // HOUR_S + 1) * HOUR_S
    found = []
    for at in (begin + hour * HOUR_S for hour in range(min(hours, MOST_HOURS))):
        by = [
            (code, name, round(expected.ahead((code, ""), at, at + HOUR_S), 1))
            for code, name in heads(pack)
        ]
        by.sort(key=lambda each: -each[2])
        whole = round(expected.ahead(("", ""), at, at + HOUR_S), 1)
        found.append(HourAhead(at, whole, tuple(by)))
    return found
