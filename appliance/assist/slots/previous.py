"""Whether the citizen called about it before, and the number of that order (旧工单编号)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from appliance.assist.slots.digits import groups
from appliance.assist.slots.phone_numbers import is_mobile
from appliance.assist.slots.turns import CACHED, turns
from appliance.assist.slots.value import Evidence, Said, Value

REPEATED = "重复反映"
NUMBERED, NUMBERED_TWICE, SAID_SO = 0.88, 0.96, 0.85
SHORTEST_GROUP = 2  # digits: a lone 一 is a word (等一下)
FEWEST, MOST = 8, 20  # digits of an order's number
_NUMBER = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{1,6}[-—]?)?([0-9]{8,20})(?![0-9A-Za-z])")
_ASKS = re.compile(
    r"工单(?:号|编号|的号)?|(?:上次|之前|当时)[^，。]{0,8}(?:单号|编号)|(?:您的?|有)单号|"
    r"单号(?:有|是|您)"
)
_ORDER = re.compile(r"工单(?:号码?|编号)?|(?:你们|12345|受理|回执|热线)[^，。]{0,8}(?:单号|编号)")
_OTHER_ORDER = re.compile(r"快递|运单|订单|物流|网上申请|发票|案号|合同")
_US = "12345|一二三四五|你们|热线|市长热线|你这儿|咱们?(?:这儿|这里)"
_THEM = re.compile(
    r"物业|社区|村里|村委|大队|他|她|厂家|老板|店家?|派出所|热力|公司|学校|房东|商家|平台|"
    r"居委会|医院|银行|开发商|城管|领导|站长|客服"
)
_ASKS_ELSEWHERE = re.compile(
    rf"(?:{_THEM.pattern})[^，。]{{0,6}}(?:反映|联系|沟通|说|找|报)|(?:反映|联系|沟通|找|"
    rf"报)过?(?:{_THEM.pattern})"
)
_AGAIN = re.compile(
    rf"(?:(?:{_US})[^，。！？]{{0,8}}(?:打过|反映过|投诉过|来过电话|说过|"
    rf"打了(?=[^，。]{0, 3}(?:次|回|遍|电话))|反映了)"
    r"|(?:反映|投诉|电话|打)(?:了|过)(?:你们)?[^，。！？]{0,3}(?:好几|几|多|无数|"
    r"[二两三四五六七八九十]|\d+)(?:次|回|遍|趟)"
    r"|上(?:一?次|回)(?:我)?(?:反映|说|打电话|投诉|来电|跟你们)"
    r"|(?:之前|以前|前(?:几天|一段|段时间|两天|一阵|阵子)|上(?:个)?(?:月|周|星期|"
    r"礼拜[一二三四五六日天]?)|昨天|前天|早就)(?:我)?(?:就)?(?:在(?:你们)?(?:这儿|这里))?"
    r"(?:也|都|还)?(?:给你们)?(?:打过|反映过|投诉过|打了)"
    r"|第[二三四五六七八九十两\d]+(?:次|回)(?:打|反映|投诉|给你们)|重复反映"
    r"|(?:打|反映|投诉)(?:过|了)(?:电话|好几次|好几回|多次|很多次))"
)
_JUST_NOW = re.compile(r"刚才|刚刚|刚(?:打|说)|断了")
_COUNT = re.compile(r"(好几|几|多|无数|[二两三四五六七八九十]|\d+)(?:次|回|遍|趟)")
_COUNTED = {char: at for at, char in enumerate("零一二三四五六七八九十")} | {"两": 2}


def previous(said: Sequence[Said]) -> Value | None:
    """The old order's number, else 重复反映 if they only say that they called before; else None.

    Returns:
        `parts`: order ("" if unknown), repeated (always true), times (of calls before; 0: unknown).
    """
    order, seen, again, count = "", 0, [], 0
    evidence: list[Evidence] = []
    asked = elsewhere = False
    for turn in turns(said):
        if turn.agent:
            asked, elsewhere = _asks(turn.text), bool(_ASKS_ELSEWHERE.search(turn.text))
            if order and order in turn.text:
                seen += 1
            continue
        found = _order(turn.text, asked)
        if found:
            seen, order = (seen + 1 if found[0] == order else 1), found[0]
            evidence.append(turn.said.evidence(found[1], found[2], "工单号"))
        told = _again(turn.text)
        if told and not (elsewhere and not re.search(_US, turn.text)):
            again.append(told)
            count = max(count, _times(turn.text[told[0] : told[1] + 6]))
            evidence.append(turn.said.evidence(told[0], told[1], "重复"))
        asked = elsewhere = False
    return _value(order, seen, bool(again), count, evidence)


def _value(
    order: str, seen: int, again: bool, count: int, evidence: Sequence[Evidence]
) -> Value | None:
    if not order and not again:
        return None
    confidence = SAID_SO if not order else NUMBERED_TWICE if seen > 1 else NUMBERED
    return Value(
        text=order or REPEATED,
        confidence=confidence,
        evidence=tuple(evidence[:6]),
        parts={"order": order, "repeated": True, "times": count},
        question="" if order else "请问上次的工单号您还记得吗？",
    )


@lru_cache(maxsize=CACHED)
def _asks(text: str) -> bool:
    return bool(_ASKS.search(text)) and not _OTHER_ORDER.search(text)


@lru_cache(maxsize=CACHED)
def _order(text: str, asked: bool) -> tuple[str, int, int] | None:
    """(number, start, end) of an order of the hotline's own."""
    named = _ORDER.search(text)
    if not (named or asked) or _OTHER_ORDER.search(text):
        return None
    match = _NUMBER.search(text, named.end() if named else 0)
    if match and not (is_mobile(match[2]) and not named):
        return (match[1] or "").upper() + match[2], match.start(), match.end()
    spoken = [group for group in groups(text) if len(group.digits) >= SHORTEST_GROUP]
    digits = "".join(group.digits for group in spoken)
    if is_mobile(digits) and not named:
        return None
    if FEWEST <= len(digits) <= MOST:
        return digits, spoken[0].start, spoken[-1].end
    return None


@lru_cache(maxsize=CACHED)
def _again(text: str) -> tuple[int, int] | None:
    """Where an utterance says that the hotline was called before."""
    for match in _AGAIN.finditer(text):
        around = text[max(0, match.start() - 8) : match.end() + 2]
        to_us = re.search(_US, around)
        if _JUST_NOW.search(around) or (_THEM.search(around) and not to_us):
            continue
        return match.start(), match.end()
    return None


def _times(text: str) -> int:
    match = _COUNT.search(text)
    if not match:
        return 0
    return (
        int(match[1]) if match[1].isdecimal() and match[1].isascii() else _COUNTED.get(match[1], 0)
    )
