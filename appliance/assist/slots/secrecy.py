"""Whether the citizen's identity must be kept from whom they speak of (是否保密)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from appliance.assist.slots.turns import CACHED, SpokenTurn, says_no, says_yes, turns
from appliance.assist.slots.value import Evidence, Said, Value

SECRET, OPEN = "保密", "不保密"
ASKED_FOR, ANSWERED, IMPLIED = 0.96, 0.95, 0.8
_SECRET = re.compile(
    r"(?:不要|别|不能|不许|千万|可别|请勿|不想|不愿意?|不希望)[^，。！？]{0,6}(?:透露|"
    r"泄露|公开|暴露|让[^，。]{0,6}知道|告诉他)"
    r"|(?:别|不要|不能|可别|千万)[^，。！？]{0,6}说[^，。！？]{0,4}(?:是|就是)我|(?:给我|"
    r"帮我|要|希望|请)[^，。]{0,4}保密"
    r"|^[^，。]{0,4}保密(?:哇|吧|的|啊)?(?=[，。]|$|保密)|说出去[^，。]{0,4}我|(?:要|想|"
    r"我)匿名|匿名(?:举报|反映|投诉|登记)"
)
_OPEN = re.compile(
    r"(?:不用|不需要|无需|不必|没必要)保密|(?:可以|随便|能|不怕|愿意|"
    r"同意)[^，。]{0,4}公开|公开就公开|不怕(?:他们|人)?知道|实名(?:举报|反映)"
)
_FEARS = re.compile(r"怕[^，。]{0,8}(?:报复|打击)|打击报复|不敢说(?:姓|名|我)|知道是我")
_ASKS_SECRET = re.compile(r"保密|不公开")
_ASKS_OPEN = re.compile(r"(?:是否|可以|愿意|能|同意)[^，。]{0,6}公开|公开(?:您的?)?(?:个人)?信息")
_CONSENTS = re.compile(r"^[嗯啊哦，]*(?:同意|公开|可以|行|愿意)")
_REFUSES = re.compile(r"不(?:同意|愿意|公开|行|可以)|不要公开|不了")


def secrecy(said: Sequence[Said]) -> Value | None:
    """保密 or 不保密, if the citizen said or answered so; `parts`: confidential, a bool."""
    found: tuple[bool, float, Evidence] | None = None
    question = ""
    for turn in turns(said):
        if turn.agent:
            question = _asked(turn.text)
            continue
        told = _told(turn, question)
        question = ""
        if told and not (found and told[1] <= IMPLIED < found[1]):
            found = told
    if found is None:
        return None
    secret, confidence, evidence = found
    return Value(
        SECRET if secret else OPEN, confidence, (evidence,), parts={"confidential": secret}
    )


@lru_cache(maxsize=CACHED)
def _asked(text: str) -> str:
    if not re.search(r"吗|[？?]|是否|需不需要|要不要|么", text):
        return ""
    if _ASKS_OPEN.search(text):
        return "open"
    return "secret" if _ASKS_SECRET.search(text) else ""


def _told(turn: SpokenTurn, question: str) -> tuple[bool, float, Evidence] | None:
    stated = _stated(turn.text)
    if stated:
        secret, confidence, start, end = stated
        return secret, confidence, turn.said.evidence(start, end, "要求" if secret else "公开")
    if not question:
        return None
    answer = _answer(turn.text, question)
    if answer is None:
        return None
    return answer, ANSWERED, turn.said.evidence(0, len(turn.text), "回答")


@lru_cache(maxsize=CACHED)
def _stated(text: str) -> tuple[bool, float, int, int] | None:
    for pattern, secret, confidence in (
        (_OPEN, False, ASKED_FOR),
        (_SECRET, True, ASKED_FOR),
        (_FEARS, True, IMPLIED),
    ):
        match = pattern.search(text)
        if match:
            return secret, confidence, match.start(), match.end()
    return None


def _answer(text: str, question: str) -> bool | None:
    """Whether it is to be secret, by an answer to 需要保密吗 or 可以公开吗."""
    if _REFUSES.search(text) or (says_no(text) and not says_yes(text)) or text.startswith("不"):
        return question == "open"
    if _CONSENTS.search(text) or says_yes(text) or re.search(r"^[嗯，]*(?:需要|要)", text):
        return question == "secret"
    return None
