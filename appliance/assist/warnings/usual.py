"""Tables of what is told where, beside what is usual; and what the next hours will bring."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.assist.city.divisions import DivisionLevel, up_to
from appliance.assist.city.pack import CityPack
from appliance.assist.warnings.bursts import WARM_UP_DAYS, cells_of
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.expected import HEAD, HOUR_S, Expected

MOST_HOURS = 72


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Counts by county and head of a category.

    Attributes:
        categories, places: (code, name).
        counts, expected: [place][category]; None: not a week is known of before.
    """

    categories: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]
    counts: tuple[tuple[int, ...], ...]
    expected: tuple[tuple[float, ...], ...] | None


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
    """Of contacts between two moments, none of which says what is usual; without those that have
    neither place nor category."""
    columns = heads(pack)
    counties = pack.divisions.of_level(DivisionLevel.COUNTY)
    rows = tuple((each.code, each.name) for each in counties)
    inside = [each for each in contacts if begin <= each.at <= end]
    counted = Counter(
        (up_to(each.place, DivisionLevel.COUNTY), each.category[:HEAD])
        for each in inside
        if each.place
    )
    counts = tuple(tuple(counted[place, head] for head, _ in columns) for place, _ in rows)
    if expected.known_days(begin) < WARM_UP_DAYS:
        return HeatTable(columns, rows, counts, None)
    before = expected.without((cells_of(each), each.at) for each in inside)
    usual = tuple(
        tuple(round(before.within((head, place), begin, end), 1) for head, _ in columns)
        for place, _ in rows
    )
    return HeatTable(columns, rows, counts, usual)


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
