"""Intervals of the calendar, in the time zone of a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

# Days that need no table: (month, day, days).
FIXED = {
    "元旦": (1, 1, 1),
    "五一": (5, 1, 5),
    "劳动节": (5, 1, 5),
    "国庆": (10, 1, 7),
    "十一": (10, 1, 7),
    "双十一": (11, 11, 1),
    "双十二": (12, 12, 1),
}
_TABLED = {"五一": "劳动节", "十一": "国庆", "过年": "春节", "大年": "春节", "除夕": "春节"}
SEASONS = {
    "春天": (3, 3),
    "夏天": (6, 3),
    "秋天": (9, 3),
    "冬天": (12, 3),
    "入冬": (11, 2),
    "入夏": (5, 2),
}
_PARTS = {"初": (1, 10), "上旬": (1, 10), "中旬": (11, 20), "中": (11, 20), "下旬": (21, 31)}


@dataclass(frozen=True, slots=True)
class Interval:
    """[start, end) with how exact it was said: minute, hour, part of day, day, week, month, year,
    holiday, or about."""

    start: datetime
    end: datetime
    precision: str


def day(at: datetime, on: date) -> Interval:
    """A whole day, in the time zone of `at`."""
    start = datetime(on.year, on.month, on.day, tzinfo=at.tzinfo)
    return Interval(start, start + timedelta(days=1), "day")


def month(at: datetime, of: int, number: int) -> Interval:
    """A whole month."""
    start = datetime(of, number, 1, tzinfo=at.tzinfo)
    following = datetime(of + number // 12, number % 12 + 1, 1, tzinfo=at.tzinfo)
    return Interval(start, following, "month")


def part_of_month(at: datetime, of: int, number: int, part: str) -> Interval:
    """月初, 中旬, 月底: a third of a month; 底 its last five days."""
    whole = month(at, of, number)
    part = part.removeprefix("月")
    if part in ("底", "末"):
        return Interval(whole.end - timedelta(days=5), whole.end, "about")
    first, last = _PARTS[part]
    end = min(whole.start + timedelta(days=last), whole.end)
    return Interval(whole.start + timedelta(days=first - 1), end, "about")


def year(at: datetime, of: int, half: str = "") -> Interval:
    """A year, or its first (上半年) or second half."""
    first, last = (7, 12) if half == "下半年" else (1, 6) if half else (1, 12)
    return Interval(month(at, of, first).start, month(at, of, last).end, "year")


def season(name: str, of: int, at: datetime) -> Interval:
    """A season by its months; a winter is the one that begins in that year."""
    first, months = SEASONS[name]
    last = first + months - 1
    end = month(at, of + (last - 1) // 12, (last - 1) % 12 + 1).end
    return Interval(month(at, of, first).start, end, "about")


def month_before(today: date, back: int) -> tuple[int, int]:
    """(year, month) so many months before."""
    count = today.year * 12 + today.month - 1 - back
    return count // 12, count % 12 + 1


def days_around(at: datetime, latest: int, earliest: int) -> Interval:
    """From so many days ago to so many."""
    today = day(at, at.date()).start
    return Interval(today - timedelta(days=earliest), today - timedelta(days=latest - 1), "about")


def holiday(name: str, at: datetime, holidays: Mapping[date, str]) -> Interval | None:
    """The last one of that name; by the table of days off, else by the calendar."""
    known = next((each for each in FIXED if name.startswith(each)), "")
    tabled = next(
        (to for each, to in _TABLED.items() if name.startswith(each)), name.removesuffix("节")
    )
    if known and FIXED[known][2] == 1:
        return _fixed(known, at)
    days = sorted(on for on, called in holidays.items() if tabled in called and on <= at.date())
    if days:
        return _run(days, at, holidays, tabled)
    return _fixed(known, at) if known else None


def _fixed(name: str, at: datetime) -> Interval:
    number, first, days = FIXED[name]
    of = at.year if (number, first) <= (at.month, at.day) else at.year - 1
    start = day(at, date(of, number, first)).start
    return Interval(start, start + timedelta(days=days), "day" if days == 1 else "holiday")


def _run(days: list[date], at: datetime, holidays: Mapping[date, str], name: str) -> Interval:
    first = last = days[-1]
    while name in holidays.get(first - timedelta(days=1), ""):
        first -= timedelta(days=1)
    while name in holidays.get(last + timedelta(days=1), ""):
        last += timedelta(days=1)
    return Interval(day(at, first).start, day(at, last).end, "holiday")
