"""When it happened, or since when it goes on (事发时间)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from appliance.assist.slots.calendar import Interval
from appliance.assist.slots.intervals import resolved
from appliance.assist.slots.times import TimeSaid, times
from appliance.assist.slots.turns import CACHED, SpokenTurn, turns
from appliance.assist.slots.value import Alternative, Said, Value

SUREST, VAGUE = 0.92, 0.55
_BASE, _ANSWER, _SINCE, _EXACT, _WEAK, _YEAR_ONLY = 0.6, 0.27, 0.12, 0.05, -0.3, -0.25
_LASTED = 0.03  # 半年了 is about a time, of which an exact one may be said as well
MOST, MOST_OF_ONE = 256, 16  # times looked at of a call, of an utterance
LEAST = 0.4  # below: nothing is said
_ASKS = re.compile(
    r"什么时(?:候|间)|多长时间|多久|多会儿|哪天|哪一天|几号|何时|几点|从什么时|持续|"
    r"时间段|几年|多少天"
)
_ASKS_OTHER = re.compile(
    r"上(?:一)?次|打(?:过)?电话|反映(?:过|的)|申请过|什么时候(?:方便|有空|在家|能)|"
    r"几点(?:方便|在家)|出生|多大"
)
_STOPS = re.compile(
    r"[年月日号天周点钟期拜早晚上午夜节近初底旬前昨今季春夏秋冬最阵段]|双十|国庆|元旦|"
    r"过年|除夕|端午|中秋|清明|五一|十一|一到|:\d\d|[-/.]\d"
)


@dataclass(frozen=True, slots=True)
class MomentHeard:
    """A time, what it means, and how likely it is the matter's."""

    turn: SpokenTurn
    said: TimeSaid
    interval: Interval | None
    score: float


def moment(
    said: Sequence[Said],
    *,
    at: datetime,
    holidays: Mapping[date, str] | None = None,
    spans: Mapping[str, Sequence[tuple[int, int]]] | None = None,
) -> Value | None:
    """The time of the matter, as it was said.

    Args:
        at: when the call was made, with its time zone.
        holidays: days off and their names.
        spans: by utterance, the characters that are an address, and so no time.

    Returns:
        `parts`: start and end (ISO, end exclusive; "" where it is vague), precision (minute ...
        year, holiday, about), kind (at, since, recurring), recurring (the words, or "").
    """
    found = _heard(turns(said), at, holidays or {}, spans or {})
    if not found:
        return None
    best = max(found, key=lambda each: each.score)
    best = _narrowed(best, found)
    if best.score < LEAST:
        return None
    return _value(best, found, at)


def _heard(
    said: Sequence[SpokenTurn],
    at: datetime,
    holidays: Mapping[date, str],
    spans: Mapping[str, Sequence[tuple[int, int]]],
) -> list[MomentHeard]:
    found: list[MomentHeard] = []
    asked = False
    for turn in said:
        if turn.agent:
            asked = _asks(turn.text) or (asked and len(turn.text) < 6)
            continue
        if not _may_tell(turn.text):
            asked = asked and len(turn.text) < 8
            continue
        if len(found) >= MOST:
            break
        for each in times(_without(turn.text, spans.get(turn.said.id, ())))[:MOST_OF_ONE]:
            interval = resolved(each, at, holidays)
            found.append(MomentHeard(turn, each, interval, _score(each, interval, asked)))
        asked = False
    return found


@lru_cache(maxsize=CACHED)
def _asks(text: str) -> bool:
    return bool(_ASKS.search(text)) and not _ASKS_OTHER.search(text)


@lru_cache(maxsize=CACHED)
def _may_tell(text: str) -> bool:
    return bool(_STOPS.search(text))


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with what is no time left blank; offsets stay."""
    for start, end in spans:
        text = text[:start] + "＿" * (min(end, len(text)) - start) + text[end:]
    return text


def _score(said: TimeSaid, interval: Interval | None, asked: bool) -> float:
    if said.called:
        return 0.0
    score = _BASE + (_ANSWER if asked else 0.0)
    if said.since:
        score += _LASTED if "n" in said.fields else _SINCE
    if said.weak:
        score += _WEAK
    if said.recurring or interval is None:
        return min(score, VAGUE) if interval is None and not said.recurring else score - 0.08
    if interval.precision in ("minute", "hour", "part of day", "day", "holiday"):
        score += _EXACT
    if interval.precision == "year" and not said.since:
        score += _YEAR_ONLY
    return score


def _narrowed(best: MomentHeard, found: Sequence[MomentHeard]) -> MomentHeard:
    """上个月月底，十一月三十号: of two that agree, the one that says it more exactly."""
    if best.interval is None:
        return best
    for other in found:
        inner, outer = other.interval, best.interval
        if other is best or inner is None or other.turn.said.id != best.turn.said.id:
            continue
        if inner.end - inner.start < outer.end - outer.start and (
            outer.start <= inner.start and inner.end <= outer.end
        ):
            return MomentHeard(other.turn, other.said, inner, max(best.score, other.score))
    return best


def _value(best: MomentHeard, found: Sequence[MomentHeard], at: datetime) -> Value:
    said, interval = best.said, best.interval
    confidence = round(min(SUREST, best.score if interval or said.recurring else VAGUE), 2)
    kind = "recurring" if said.recurring else "since" if said.since else "at"
    again = next((each.said.text for each in found if each.said.recurring), "")
    end = at if interval and said.since else interval and interval.end
    why = "反复" if said.recurring else "起始" if said.since else "时间"
    return Value(
        text=said.text,
        confidence=confidence,
        evidence=(best.turn.said.evidence(said.start, said.end, why),),
        alternatives=_alternatives(best, found),
        parts={
            "start": interval.start.isoformat() if interval else "",
            "end": end.isoformat() if end else "",
            "precision": interval.precision if interval else "",
            "kind": kind,
            "recurring": again,
        },
        question="" if interval or said.recurring else "请问大概是从什么时候开始的？",
    )


def _alternatives(best: MomentHeard, found: Sequence[MomentHeard]) -> tuple[Alternative, ...]:
    others = [each for each in found if each.said is not best.said and each.score >= LEAST]
    others.sort(key=lambda each: -each.score)
    return tuple(
        Alternative(
            each.said.text,
            round(min(each.score, 0.5), 2),
            each.interval.start.isoformat() if each.interval else "",
        )
        for each in others[:3]
    )
