"""What the citizen wants done (诉求), in their own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from appliance.assist.slots.summary import cleaned
from appliance.assist.slots.turns import CACHED, says_no, says_yes, turns
from appliance.assist.slots.value import Alternative, Evidence, Said, Value

ANSWERED, DEMANDED, ASKED_IF, URGED, CONFIRMED = 0.88, 0.85, 0.75, 0.6, 0.85
CHARACTERS = 60
_ASKS = re.compile(
    r"诉求(?:是|呢|[？?])|(?:您的?|有什么)(?:要求|诉求|想法)|您(?:想|希望|要)(?:怎么|他们|我们)"
)
_PROPOSES = re.compile(
    r"您的?(?:要求|诉求|意思)(?:是|就是)(?P<what>[^，。？?]{2,30}?)(?:是吗|对吗|对吧|是吧|[？?])"
)
_DEMANDS = re.compile(
    r"希望|要求|要么|强烈|必须(?!要等)|应该(?:给|让|管)|请(?:求|你们|政府|相关|有关|尽快|"
    r"帮)|(?:要|想)让(?:你们|他|物业)"
)
_ASKS_IF = re.compile(
    r"能不能|能否|可不可以|可以不可以|麻烦(?:你们|您们|你|您)(?![们了])|帮(?:我|我们|忙)|"
    r"协调|给我(?:们)?(?:退|换|修|办|解决|一个|处理|说法|答复|查)|(?<!谁)让(?:他们?|物业|"
    r"城管|住建局|有关|相关)[^，。]{2,}"
)
_URGES = re.compile(
    r"赶紧|尽快|快点|抓紧|管管|查查|查一?查|去看看|来看看|想(?:问|咨询|了解|"
    r"申请)[^，。]{3,}|问(?:一下|问)[^，。]{3,}"
)
_NOT_OF_MATTER = re.compile(
    r"(?:给我|回)(?:个|回)?电话|保密|透露|说是我|听见|听清|大点声|记(?:一?下|上)|"
    r"快点.{0,2}快点|多会儿能|能不能快|慢点说|你先说能"
)
_PARTS = re.compile(r"[。！？!?；;]+")


def request(said: Sequence[Said]) -> Value | None:
    """The clause that asks for something; None if nothing is asked for.

    Its words are the citizen's, except where the agent put it and they agreed.
    """
    found: list[tuple[float, str, Evidence]] = []
    asked, proposed = False, ""
    for turn in turns(said):
        if turn.agent:
            match = _PROPOSES.search(turn.text)
            proposed, asked = (match["what"] if match else ""), bool(_ASKS.search(turn.text))
            continue
        if proposed and says_yes(turn.text):
            found.append((CONFIRMED, proposed, turn.said.evidence(0, len(turn.text), "确认")))
        for score, text, start, end in _demands(turn.said.text):
            found.append((score, text, turn.said.evidence(start, end, "诉求")))
        if asked and not says_no(turn.text):
            answer = cleaned(turn.said.text)[:CHARACTERS].rstrip("。")
            if len(answer) >= 4:
                found.append((ANSWERED, answer, turn.said.evidence(0, len(turn.text), "回答")))
        asked, proposed = False, ""
    return _value(found)


def _value(found: Sequence[tuple[float, str, Evidence]]) -> Value | None:
    if not found:
        return None
    best = max(found, key=lambda each: each[0])
    others = {text: score for score, text, _ in found if text != best[1]}
    ranked = sorted(others, key=lambda text: -others[text])[:3]
    return Value(
        text=best[1],
        confidence=best[0],
        evidence=(best[2],),
        alternatives=tuple(Alternative(text, round(others[text] / 2, 2)) for text in ranked),
    )


@lru_cache(maxsize=CACHED)
def _demands(text: str) -> tuple[tuple[float, str, int, int], ...]:
    """(confidence, clause, start, end) of what an utterance asks for."""
    found, at = [], 0
    for match in (*_PARTS.finditer(text), None):
        end = match.start() if match else len(text)
        made = _demand(text[at:end])
        if made:
            found.append((made[0], made[1], at, end))
        at = match.end() if match else end
    return tuple(found)


def _demand(sentence: str) -> tuple[float, str] | None:
    for pattern, score in ((_DEMANDS, DEMANDED), (_ASKS_IF, ASKED_IF), (_URGES, URGED)):
        match = pattern.search(sentence)
        if match is None or _NOT_OF_MATTER.search(sentence[max(0, match.start() - 4) :]):
            continue
        clause = _clause(sentence, match.start())
        if len(clause) >= 5:
            return score, clause
    return None


def _clause(sentence: str, at: int) -> str:
    """The clause with the cue and those after it, as far as they fit."""
    start = max(sentence.rfind(mark, 0, at) for mark in "，,、 ") + 1
    text = cleaned(sentence[start:])
    while len(text) > CHARACTERS and "，" in text:
        text = text.rpartition("，")[0]
    return text[:CHARACTERS]
