"""Dialogues that say of a rule where it is violated and where it is kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import Field

from appliance.assist.city.reader import PackRow
from appliance.assist.quality.dialogue import HeardTurn, InspectedCall
from appliance.assist.quality.rule import Finding, QualityRule, judge
from appliance.assist.slots.turns import plain
from appliance.messages import Emotion, LegRole, Level

CHARACTER_MS, PAUSE_MS = 220, 400  # of speech at an even pace
EVEN_DB = -26.0  # dBFS
ROLES = {"坐席": LegRole.AGENT, "市民": LegRole.CITIZEN}
EMOTIONS = {emotion.chinese: emotion for emotion in Emotion}
LEVELS = {"低": Level.LOW, "中": Level.MEDIUM, "高": Level.HIGH}
_LINE = re.compile(r"(?P<role>坐席|市民)(?:（(?P<how>[^）]*)）)?[：:](?P<text>.*)")
_SILENCE = re.compile(r"（静音(\d+(?:\.\d+)?)秒）")
_PACE = re.compile(r"每分钟(\d+)字")
_OVER = re.compile(r"抢话(\d+(?:\.\d+)?)秒")
_LOUD = re.compile(r"(响|轻)(\d+(?:\.\d+)?)分贝")
_SURE = re.compile(r"听清(\d+)%")


class QualityCase(PackRow):
    """quality_cases.toml's [[case]]: dialogues, a line a turn.

    坐席：您好 / 市民（生气高）：…… / （静音12秒） / 坐席（抢话1.5秒）：…… /
    坐席（每分钟420字）：…… / 坐席（响15分贝）：……
    """

    rule: str
    violated: tuple[str, ...] = Field(min_length=1)
    kept: tuple[str, ...] = Field(min_length=1)
    lacks: tuple[str, ...] = ()  # fields that the orders of `violated` lack
    hang_up: str = ""  # who ended those of `violated`


@dataclass(frozen=True, slots=True)
class CaseDialogue:
    """A dialogue of a case, as it is written.

    Attributes:
        name: `greeting/violated/1`, the first of those that violate that rule.
        is_fault: it violates the rule. Of other rules nothing is said.
    """

    name: str
    rule: str
    text: str
    is_fault: bool
    lacks: tuple[str, ...] = ()
    hang_up: str = ""

    def call(self) -> InspectedCall:
        """Spoken at an even pace."""
        return dialogue(self.text, lacks=self.lacks, hang_up=self.hang_up)


def dialogues_of(cases: Iterable[QualityCase]) -> Iterator[CaseDialogue]:
    """Each of their dialogues."""
    counts = Counter[str]()
    for case in cases:
        for text in case.violated:
            counts[kind := f"{case.rule}/violated"] += 1
            of = (case.rule, text, True, case.lacks, case.hang_up)
            yield CaseDialogue(f"{kind}/{counts[kind]}", *of)
        for text in case.kept:
            counts[kind := f"{case.rule}/kept"] += 1
            hang_up = "citizen" if case.hang_up else ""
            yield CaseDialogue(f"{kind}/{counts[kind]}", case.rule, text, False, (), hang_up)


@dataclass(frozen=True, slots=True)
class Judged:
    """A dialogue of a case, and what the rule said."""

    rule: str
    text: str
    is_fault: bool
    finding: Finding

    @property
    def is_right(self) -> bool:
        return (self.finding is Finding.VIOLATED) == self.is_fault


def judged(rules: Sequence[QualityRule], cases: Iterable[QualityCase]) -> list[Judged]:
    """Every dialogue by its rule."""
    by_id = {rule.id: rule for rule in rules}
    return [
        Judged(each.rule, each.text, each.is_fault, judge(by_id[each.rule], each.call()).finding)
        for each in dialogues_of(cases)
    ]


def dialogue(text: str, lacks: Sequence[str] = (), hang_up: str = "") -> InspectedCall:
    """Of written lines, spoken at an even pace; raises ValueError for one that is none."""
    turns: list[HeardTurn] = []
    at_ms = 0
    for line in filter(None, (each.strip() for each in text.splitlines())):
        if match := _SILENCE.fullmatch(line):
            at_ms += round(float(match[1]) * 1000)
            continue
        if not (match := _LINE.fullmatch(line)):
            raise ValueError(f"{line!r} is no turn: 坐席：…… or 市民：……")
        turn = _turn(len(turns), match, at_ms)
        turns.append(turn)
        at_ms = max(at_ms, turn.end_ms) + PAUSE_MS
    return InspectedCall(tuple(turns), at_ms, "phone", hang_up, frozenset(lacks))


def _turn(at: int, match: re.Match[str], at_ms: int) -> HeardTurn:
    how, text = match["how"] or "", plain(match["text"].strip())
    pace, over, sure = _PACE.search(how), _OVER.search(how), _SURE.search(how)
    each_ms = 60_000 / float(pace[1]) if pace else CHARACTER_MS
    start_ms = max(0, at_ms - PAUSE_MS - round(float(over[1]) * 1000)) if over else at_ms
    end_ms = start_ms + round(len(re.sub(r"\W", "", text)) * each_ms)
    confidence = float(sure[1]) / 100 if sure else 1.0
    emotion, level = mood_of(how)
    return HeardTurn(
        *(at, str(at), ROLES[match["role"]], text, start_ms, end_ms, confidence),
        emotion=emotion,
        level=level,
        loudness_db=_loudness(how),
    )


def _loudness(how: str) -> float:
    """Of a remark behind a role: 响15分贝、轻15分贝."""
    loud = _LOUD.search(how)
    return EVEN_DB + float(loud[2]) * (1 if loud[1] == "响" else -1) if loud else EVEN_DB


def mood_of(how: str) -> tuple[Emotion | None, Level | None]:
    """Of a remark behind a role: 生气高; without a level it is medium."""
    emotion = next((value for name, value in EMOTIONS.items() if name in how), None)
    level = next((LEVELS[mark] for mark in LEVELS if how.endswith(mark)), Level.MEDIUM)
    return emotion, level if emotion else None
