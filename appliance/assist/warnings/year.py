"""A synthetic year of a hotline: contacts with hours, weekdays, holidays and seasons, and events.

Used to measure early warning: what is injected is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from appliance.assist.warnings.contact import Contact

DAY_S = 86_400
BEGIN = int(datetime(2025, 12, 31, 16, tzinfo=UTC).timestamp())  # 2026-01-01 in China
HOURS = np.array(
    [3, 2, 1, 1, 1, 2, 8, 25, 55, 70, 72, 60, 38, 42, 62, 66, 62, 52, 40, 34, 28, 20, 12, 6], float
)
WEEKEND, HOLIDAY, SEASON = 0.72, 0.45, 0.35  # of a working day; and how far a season swings
HOLIDAYS = (0, 46, 47, 48, 49, 50, 51, 52, 94, 120, 121, 122, 170, 267, 273, 274, 275, 276, 277)


@dataclass(frozen=True, slots=True)
class Event:
    """Injected."""

    at: float
    lasts_s: float
    category: str
    place: str
    ids: tuple[str, ...]  # by time
    fifth_at: float


def synthetic_year(
    categories: Sequence[str],
    places: Sequence[str],
    *,
    daily: float = 5269.0,
    events: int = 60,
    days: int = 365,
    seed: int = 0,
) -> tuple[list[Contact], list[Event]]:
    """Contacts by time, and the events among them.

    Args:
        categories: codes; how usual each is, is drawn.
        places: codes of communities; how usual each is, is drawn.
    """
    rng = np.random.default_rng(seed)
    of_category = rng.dirichlet(np.full(len(categories), 0.5))
    of_place = rng.dirichlet(np.full(len(places), 0.8))
    phase = rng.uniform(0, 2 * np.pi, len(categories))
    contacts = list(_usual(rng, categories, places, of_category, of_place, phase, daily, days))
    made = [_event(rng, number, categories, places, days) for number in range(events)]
    for event, times in made:
        contacts += [
            Contact(name, at, event.category, event.place, f"v{name}")
            for name, at in zip(event.ids, times, strict=True)
        ]
    return sorted(contacts, key=lambda each: (each.at, each.id)), [event for event, _ in made]


def _usual(
    rng: np.random.Generator,
    categories: Sequence[str],
    places: Sequence[str],
    of_category: np.ndarray,
    of_place: np.ndarray,
    phase: np.ndarray,
    daily: float,
    days: int,
) -> Iterator[Contact]:
    number = 0
    for day in range(days):
        kind = HOLIDAY if day in HOLIDAYS else WEEKEND if (day + 3) % 7 >= 5 else 1.0
        season = 1 + SEASON * np.sin(2 * np.pi * day / 365 + phase)
        share = of_category * season
        n = rng.poisson(daily * kind * float(share.sum()))
        hour = rng.choice(24, n, p=HOURS / HOURS.sum())
        at = BEGIN + day * DAY_S + hour * 3600 + rng.uniform(0, 3600, n)
        what = rng.choice(len(categories), n, p=share / share.sum())
        where = rng.choice(len(places), n, p=of_place)
        for moment, category, place in zip(at.tolist(), what.tolist(), where.tolist(), strict=True):
            yield Contact(f"c{number}", moment, categories[category], places[place], f"v{number}")
            number += 1


def _event(
    rng: np.random.Generator,
    number: int,
    categories: Sequence[str],
    places: Sequence[str],
    days: int,
) -> tuple[Event, list[float]]:
    """8 to 200 contacts over minutes to days, of one category in one community."""
    size = round(float(np.exp(rng.uniform(np.log(8), np.log(200)))))
    lasts_s = float(np.exp(rng.uniform(np.log(20 * 60), np.log(3 * DAY_S))))
    begin = BEGIN + rng.uniform(30, days - 5) * DAY_S
    times = sorted((begin + lasts_s * rng.beta(1, 1.5, size)).tolist())
    ids = tuple(f"e{number}-{at}" for at in range(size))
    category = categories[int(rng.integers(len(categories)))]
    place = places[int(rng.integers(len(places)))]
    return Event(begin, lasts_s, category, place, ids, times[4]), times
