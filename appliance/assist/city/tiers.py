"""Tiers of urgency, a city's own list, and the calendar that deadlines are reckoned by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from appliance.assist.city.reader import PackRow, Words

CHINA = ZoneInfo("Asia/Shanghai")
SOON = timedelta(days=90)
MOST_DAYS = 3660  # that are looked through for working time


class Tier(PackRow):
    """How urgent, and by when it must be answered."""

    code: str = Field(min_length=1)
    name: str = Field(min_length=1)
    limit: float = Field(gt=0, le=3650)
    unit: Literal["hours", "days"]
    time: Literal["clock", "working"] = "clock"
    sign_hours: float = Field(
        2, gt=0, le=8760
    )  # by when a unit must have signed for it, clock time
    default: bool = False
    categories: Words = ()
    words: Words = ()
    not_words: Words = ()
    why: str = ""


class Tiers:
    """Most urgent first."""

    def __init__(self, tiers: Iterable[Tier]) -> None:
        self._tiers = tuple(tiers)

    def __iter__(self) -> Iterator[Tier]:
        return iter(self._tiers)

    def __len__(self) -> int:
        return len(self._tiers)

    def get(self, code: str) -> Tier | None:
        return next((tier for tier in self if tier.code == code), None)

    @property
    def default(self) -> Tier:
        return next((tier for tier in self if tier.default), self._tiers[-1])

    def more_urgent(self, one: Tier, other: Tier) -> Tier:
        return min(one, other, key=self._tiers.index)


class DayOff(PackRow):
    """A holiday, or a day off that is worked instead."""

    date: date
    name: str = ""
    off: bool


class WorkingCalendar:
    """Which days are worked. A year without holidays of its own has weekdays only.

    Args:
        office: (from, to) of each part of a working day.
    """

    def __init__(self, days: Iterable[DayOff], office: Iterable[tuple[time, time]]) -> None:
        self._days = {day.date: day for day in days}
        self._office = tuple(office)
        self.years = frozenset(day.year for day in self._days)

    def is_working(self, day: date) -> bool:
        known = self._days.get(day)
        return not known.off if known else day.weekday() < 5

    def holiday(self, day: date) -> str:
        known = self._days.get(day)
        return known.name if known and known.off else ""

    def names(self) -> dict[date, str]:
        """Of days off, by date."""
        return {day.date: day.name for day in self._days.values() if day.off and day.name}

    def due(self, tier: Tier, since: datetime) -> datetime:
        """By when what came `since` has to be answered."""
        if tier.time == "clock":
            return since + timedelta(**{tier.unit: tier.limit})
        if tier.unit == "days":
            return self._after_days(since, tier.limit)
        return self._after_hours(since, timedelta(hours=tier.limit))

    def warning(self, now: datetime) -> str:
        """Of the years that begin within a quarter and are reckoned by weekdays alone."""
        if years := self.unknown_years(now, now + SOON):
            named = ", ".join(map(str, years))
            return f"holidays.csv knows nothing of {named}: working days go by weekdays alone"
        return ""

    def unknown_years(self, since: datetime, until: datetime) -> list[int]:
        """Years between them that are reckoned by weekdays alone."""
        years = range(since.astimezone(CHINA).year, until.astimezone(CHINA).year + 1)
        return [year for year in years if year not in self.years]

    def _after_days(self, since: datetime, days: float) -> datetime:
        """The same time of day, so many working days on; part of one as part of its hours."""
        local = since.astimezone(CHINA)
        if not self.is_working(local.date()):
            local = self._next_morning(local)
        for _ in range(int(days)):
            local = self._next_working(local)
        part = days - int(days)
        return self._after_hours(local, self._day() * part) if part else local

    def _next_working(self, local: datetime) -> datetime:
        for _ in range(MOST_DAYS):
            local += timedelta(days=1)
            if self.is_working(local.date()):
                return local
        raise ValueError("no working day in ten years")

    def _next_morning(self, local: datetime) -> datetime:
        day = self._next_working(local).date()
        return datetime.combine(day, self._office[0][0], CHINA)

    def _day(self) -> timedelta:
        return sum((_length(span) for span in self._office), timedelta())

    def _after_hours(self, since: datetime, left: timedelta) -> datetime:
        local = since.astimezone(CHINA)
        for _ in range(MOST_DAYS):
            for begin, end in self._office if self.is_working(local.date()) else ():
                start = max(local, datetime.combine(local.date(), begin, CHINA))
                room = datetime.combine(local.date(), end, CHINA) - start
                if room >= left:
                    return start + left
                left -= max(room, timedelta())
            local = datetime.combine(local.date() + timedelta(days=1), time(), CHINA)
        raise ValueError("no working time in ten years")


def _length(span: tuple[time, time]) -> timedelta:
    day = date(2000, 1, 1)
    return datetime.combine(day, span[1]) - datetime.combine(day, span[0])
