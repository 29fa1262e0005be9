"""What a time that was said means, set against the date of the call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from appliance.assist.slots.calendar import (
    Interval,
    day,
    days_around,
    holiday,
    month,
    month_before,
    part_of_month,
    season,
    year,
)
from appliance.assist.slots.times import TimeSaid


def resolved(said: TimeSaid, at: datetime, holidays: Mapping[date, str]) -> Interval | None:
    """The interval a time means in a call made at `at`; None: vague, or not past."""
    if said.recurring or "vague" in said.fields:
        return None
    try:
        whole = _interval(said.fields, at, holidays)
    except (ValueError, OverflowError):  # the 31st of a month of 30 days
        return None
    if whole is None or whole.start > at:
        return None
    return whole


def _interval(
    fields: Mapping[str, str], at: datetime, holidays: Mapping[date, str]
) -> Interval | None:
    if "n" in fields:
        return _began(fields["n"], fields["u"], "half" in fields, at)
    if "ago" in fields:
        began = _began(fields["ago"], fields["au"], False, at)
        return began and Interval(began.start, began.start + timedelta(days=1), "about")
    if "few" in fields:
        return days_around(at, 1, 7) if fields["fu"] == "天" else None
    base = _date(fields, at, holidays)
    if base is None or not ("part" in fields or "h" in fields) or base.precision != "day":
        return base
    return _at_daytime(base, fields)


def _date(fields: Mapping[str, str], at: datetime, holidays: Mapping[date, str]) -> Interval | None:
    if "iy" in fields:
        return day(at, date(int(fields["iy"]), int(fields["im"]), int(fields["id"])))
    if "y" in fields:
        return _in_year(fields, at)
    if "m" in fields:
        return _in_month(_number(fields["m"]), fields.get("d2"), fields.get("p2"), at)
    if "mw" in fields:
        back = {"上上": 2, "上个": 1, "上月": 1}.get(fields["mw"][:2], 0)
        of, number = month_before(at.date(), back)
        return _of_month(of, number, fields.get("d3"), fields.get("p3"), at)
    if "rel" in fields:
        return day(at, at.date() - timedelta(days=_days_back(fields["rel"])))
    if "wk" in fields or "pwd" in fields:
        return _weekday(fields, at)
    if "hol" in fields:
        return holiday(fields["hol"], at, holidays)
    if "od" in fields:
        of, number = month_before(at.date(), 0)
        return _of_month(of, number, fields["od"], None, at)
    return day(at, at.date()) if "h" in fields else None


def _in_year(fields: Mapping[str, str], at: datetime) -> Interval:
    back = {"今年": 0, "本年": 0, "去年": 1, "头年": 1, "前年": 2, "大前年": 3}.get(fields["y"])
    of = at.year - back if back is not None else _digits(fields["y"][:-1])
    if "ym" in fields:
        return _of_month(of, _number(fields["ym"]), fields.get("d1"), fields.get("p1"), at)
    if "ys" in fields:
        return season(fields["ys"], of, at)
    if "yp" in fields:
        return month(at, of, 1 if fields["yp"] == "初" else 12)
    return year(at, of, fields.get("yh", ""))


def _in_month(number: int, of_day: str | None, part: str | None, at: datetime) -> Interval | None:
    """A month without its year: the last one; one that comes soon is left open."""
    of = at.year if number <= at.month else at.year - 1
    made = _of_month(of, number, of_day, part, at)
    if made.start > at:
        return None
    return made if number <= at.month or number - at.month > 2 else None


def _of_month(of: int, number: int, of_day: str | None, part: str | None, at: datetime) -> Interval:
    if of_day:
        return day(at, date(of, number, _number(of_day)))
    return part_of_month(at, of, number, part) if part else month(at, of, number)


def _weekday(fields: Mapping[str, str], at: datetime) -> Interval:
    back = {"上上": 2, "上": 1}.get(fields.get("wk", ""), 0)
    monday = at.date() - timedelta(days=at.weekday() + 7 * back)
    named = fields.get("wd") or fields.get("pwd")
    if named is None:
        first = day(at, monday)
        return Interval(first.start, first.start + timedelta(days=7), "week")
    if named == "末":
        first = day(at, monday + timedelta(days=5))
        return Interval(first.start, first.start + timedelta(days=2), "week")
    on = monday + timedelta(days="一二三四五六日".index(named.replace("天", "日")))
    if "pwd" in fields and on > at.date():
        on -= timedelta(days=7)
    return day(at, on)


def _days_back(word: str) -> int:
    if word.startswith("大前"):
        return 3
    return 2 if word[0] == "前" else 1 if word[0] in "昨夜" else 0


_VALUES = {char: at for at, char in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}


def _began(count: str, unit: str, half: bool, at: datetime) -> Interval | None:
    """What has lasted so long began about then; 几天 says nothing."""
    unit = unit.strip("个多来")
    many = {"半": 0.5, "小半": 0.4, "大半": 0.65, "多半": 0.65}.get(count) or _number(
        count, most=True
    )
    if not many:
        return None
    days = {"年": 365.25, "月": 30.44, "星期": 7, "礼拜": 7, "周": 7, "天": 1}.get(unit)
    if days is None:
        return Interval(at - timedelta(hours=many), at, "hour")
    if unit == "月" and many == int(many) and not half:
        of, number = month_before(at.date(), int(many))
        start = at.replace(year=of, month=number, day=min(at.day, 28))
    else:
        start = at - timedelta(days=round((many + 0.5 * half) * days))
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return Interval(midnight, at, "day" if unit == "天" else "about")


_PART_HOURS = (
    ("凌晨", 0, 6), ("后半夜", 24, 29), ("半夜", 22, 29), ("深夜", 22, 26), ("夜", 21, 29),
    ("清早", 5, 8), ("早", 5, 9), ("上午", 8, 12), ("前晌", 8, 12), ("中午", 11, 14),
    ("晌午", 11, 14), ("下午", 12, 18), ("后晌", 12, 18), ("傍晚", 17, 20), ("晚", 18, 24),
)  # fmt: skip


def _at_daytime(base: Interval, fields: Mapping[str, str]) -> Interval:
    part = fields.get("part", "")
    if "h" not in fields:
        first, last = next((a, b) for name, a, b in _PART_HOURS if name in part)
        return Interval(
            base.start + timedelta(hours=first), base.start + timedelta(hours=last), "part of day"
        )
    hour = _hour(_number(fields["h"]), part)
    if hour is None:
        return base
    minute = (
        _number(fields.get("min", "0"))
        + 30 * ("half" in fields)
        + 15 * int({"一": 1, "三": 3}.get(fields.get("q", ""), 0))
    )
    start = base.start + timedelta(hours=hour, minutes=minute)
    exact = bool({"min", "half", "q"} & fields.keys())
    return Interval(start, start + timedelta(hours=1), "minute" if exact else "hour")


def _hour(hour: int, part: str) -> int | None:
    """Hours after midnight of the day that is named; None: morning or evening is not known."""
    if hour > 12:
        return hour if hour < 24 else None
    if part in ("晚上", "傍晚", "下午", "后晌") or "夜" in part:
        if hour == 12:
            return 12 if part in ("下午", "后晌") else 24
        return hour + (24 if hour < 6 and part not in ("下午", "傍晚", "后晌") else 12)
    if part in ("中午", "晌午"):
        return hour if hour > 9 else hour + 12
    return hour if part else None


def _digits(text: str) -> int:
    """二零二五 -> 2025."""
    return int("".join(str(_VALUES.get(char, char)) for char in text))


def _number(text: str, *, most: bool = False) -> int:
    """二十三 -> 23; of a guess (两三, 五六) the smaller, or the larger; 0: it is none."""
    if text.isascii():
        return int(text) if text.isdigit() else 0
    if "十" in text:
        tens, _, ones = text.partition("十")
        return (_VALUES.get(tens[-1:], 1) if tens else 1) * 10 + _VALUES.get(ones[:1], 0)
    found = [_VALUES[char] for char in text if char in _VALUES]
    if len(found) == 2 and found[1] == found[0] + 1:
        return found[most]
    return _digits(text) if found and len(found) == len(text) else 0
