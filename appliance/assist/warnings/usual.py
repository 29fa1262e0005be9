"""Tables of what is told where, beside what is usual; and what the next hours will bring."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.assist.city.divisions import DivisionLevel, up_to
from appliance.assist.city.pack import CityPack
from appliance.assist.warnings.bursts import WARM_UP_DAYS
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
    contacts: Sequence[Contact], usual: Sequence[Expected], pack: CityPack, begin: float, end: float
) -> HeatTable:
    """Of contacts between two moments; without those that have neither place nor category.

    Args:
        usual: of each hotline system, without what these contacts say.
    """
    columns = heads(pack)
    counties = pack.divisions.of_level(DivisionLevel.COUNTY)
    rows = tuple((each.code, each.name) for each in counties)
    counted = Counter(
        (up_to(each.place, DivisionLevel.COUNTY), each.category[:HEAD])
        for each in contacts
        if each.place and begin <= each.at <= end
    )
    counts = tuple(tuple(counted[place, head] for head, _ in columns) for place, _ in rows)
    if max((each.known_days(begin) for each in usual), default=0.0) < WARM_UP_DAYS:
        return HeatTable(columns, rows, counts, None)

    def expected(place: str, head: str) -> float:
        return round(sum(each.within((head, place), begin, end) for each in usual), 1)

    told = tuple(tuple(expected(place, head) for head, _ in columns) for place, _ in rows)
    return HeatTable(columns, rows, counts, told)


def forecast(usual: Sequence[Expected], pack: CityPack, hours: int) -> list[HourAhead]:
    """From the next full hour on, by hours, kinds of day and the last weeks; of all of them."""
    begin = (time.time() // HOUR_S + 1) * HOUR_S
    found = []
    for at in (begin + hour * HOUR_S for hour in range(min(hours, MOST_HOURS))):
        by = [
            (code, name, round(sum(each.ahead((code, ""), at, at + HOUR_S) for each in usual), 1))
            for code, name in heads(pack)
        ]
        by.sort(key=lambda each: -each[2])
        whole = round(sum(each.ahead(("", ""), at, at + HOUR_S) for each in usual), 1)
        found.append(HourAhead(at, whole, tuple(by)))
    return found
