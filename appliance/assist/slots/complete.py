"""What an order still lacks (五要素, phone, the category's own fields), and what to ask next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.slots.digits import groups
from appliance.assist.slots.turns import CACHED, plain, says_no, turns
from appliance.assist.slots.value import Said, Value

# 受理五要素 and the phone, in the order in which an agent asks for them.
ELEMENTS = ("cause", "place", "since", "course", "name", "phone")
SURE = 0.6  # from this confidence on a slot is filled
QUESTIONS = {
    "cause": "请问您要反映什么问题？",
    "place": "请问这个问题发生在什么地方？请您说一下小区或者路段。",
    "house": "请问是几号楼、几单元、几室？",
    "since": "请问是什么时候发生的，或者从什么时候开始的？",
    "course": "请您再具体说一下情况，之前有没有联系过相关单位？",
    "name": "请问您贵姓，怎么称呼？",
    "phone": "请您留一个联系电话。",
    "against": "请问您反映的是哪家单位或者什么人，叫什么名字？",
    "amount": "请问涉及的金额是多少？",
    "plate": "请问您记得车牌号吗？",
    "company": "请问公司的全称是什么？",
    "order_no": "请问订单号或者单号是多少？",
    "count": "请问大概涉及多少户、多少人？",
    "request": "请问您希望怎么解决？",
}
ASK_CALLER = "联系您就打您现在这个来电号码，可以吗？"
_REFUSES = re.compile(
    r"不方便|不(?:想|能|敢|愿意?)(?:说|留|透露|告诉|提供)|不(?:说|留|报)了|不用(?:留|"
    r"联系)|就?别(?:问|写|留|登)|不留|不知道|不清楚|记不(?:住|得|清)|不记得|没(?:记|注意|"
    r"看)|没必要"
)
_ASKED = (
    ("phone", re.compile(r"电话|手机|号码(?!牌)|联系方式|怎么联系您")),
    (
        "name",
        re.compile(r"贵姓|怎么称呼|(?:您|您的)(?:姓名|名字)|您叫什么|留[^，。]{0,4}(?:姓|名)"),
    ),
    ("plate", re.compile(r"车牌")),
    ("order_no", re.compile(r"(?:订单|快递|运|单)号")),
    ("amount", re.compile(r"多少钱|金额|价值多少|一共欠")),
    ("company", re.compile(r"公司(?:的)?(?:全称|名称|叫)|单位名称")),
    ("house", re.compile(r"几号楼|几单元|门牌|几楼|哪栋楼|楼号")),
    ("since", re.compile(r"什么时(?:候|间)|多久|多长时间|哪天|何时")),
    ("place", re.compile(r"哪个小区|什么小区|什么地方|什么位置|具体位置|地址|在哪里|哪个村|哪儿")),
    ("against", re.compile(r"叫什么(?:名字)?|哪家|名称|店名")),
    ("count", re.compile(r"多少(?:户|人|家)|几户|几个人")),
    ("request", re.compile(r"诉求是|您的?要求|希望怎么")),
)
_ALSO_REFUSED = (
    ("name", re.compile(r"不留(?:姓|名)|匿名|不敢说姓|不能说我是谁|不用留姓")),
    (
        "phone",
        re.compile(
            r"(?:电话|手机|号码)(?:就|也)?(?:不留|不用留|不说|不方便)|不用联系(?:我)?|不(?:留|"
            r"用留)(?:电话|手机|号码)"
        ),
    ),
    ("place", re.compile(r"(?:地址|小区|哪个村|住哪儿)(?:就|也)?(?:不说|不方便|不能说)")),
)
_AMOUNT = re.compile(r"[0-9零一二两三四五六七八九十百千万]+(?:多|来)?(?:块|元|万|千|百块)")
_PLATE = re.compile(
    r"[京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新][A-Za-z][\s·]?[A-Za-z0-9]{5,6}|"
    r"[A-Z][\s·]?[A-Z0-9]{5}(?![A-Z0-9])"
)
_COUNT = re.compile(r"[0-9零一二两三四五六七八九十百几]+(?:多|来)?(?:户|个人|家人|号人|人)")
_ORDER_NO = re.compile(r"单号[^，。]{0,4}[A-Za-z]{0,4}[0-9零一二三四五六七八九幺]{6,}")
_STATED = {"amount": _AMOUNT, "plate": _PLATE, "count": _COUNT, "order_no": _ORDER_NO}


@dataclass(frozen=True, slots=True)
class Completeness:
    """How far an order has come.

    Attributes:
        missing: fields without a value that were not refused, the next to ask for first.
        refused: fields the citizen did not want, or was not able, to tell.
        question: the one to ask now; "" when nothing is open.
        asks: the field it is for.
        share: of the wanted fields, 0..1, how many are filled or refused.
    """

    missing: tuple[str, ...]
    refused: frozenset[str]
    question: str
    asks: str
    share: float


def complete(
    values: Mapping[str, Value | None],
    said: Sequence[Said],
    *,
    fields: Iterable[str] = (),
    caller: str = "",
) -> Completeness:
    """What is missing of an order, and the next best question.

    Args:
        values: by field: name, phone, since (the moment), place (the address), cause (the
            summary), course (what was tried or how it went on), against, request ...; a field of
            the category's that is not here is looked for in the words (amount, plate, count,
            order_no).
        fields: the category's own, of its table.
        caller: the number the call comes from; then its use is what is asked for.

    The question is one that settles what was heard (an address first) before one for something
    new; never one for what was refused.
    """
    wanted = [*ELEMENTS, *(field for field in fields if field not in ELEMENTS)]
    no = refused(said)
    missing = [
        field
        for field in wanted
        if field not in no and not _is_filled(values.get(field)) and not _is_stated(field, said)
    ]
    no -= {field for field, value in values.items() if _is_filled(value)}
    field, question = _open_question(values, no) or _next(missing, values, caller)
    return Completeness(
        tuple(missing), no, question, field, round(1 - len(missing) / len(wanted), 2)
    )


def _is_filled(value: Value | None) -> bool:
    return value is not None and bool(value.text) and value.confidence >= SURE


def _is_stated(field: str, said: Sequence[Said]) -> bool:
    pattern = _STATED.get(field)
    if pattern is None:
        return False
    return any(not turn.agent and pattern.search(turn.text) for turn in turns(said))


def _open_question(
    values: Mapping[str, Value | None], no: frozenset[str]
) -> tuple[str, str] | None:
    """What was heard and is not clear: the place first, since everything hangs on it."""
    for field in ("place", "phone", "name"):
        value = values.get(field)
        if value is not None and value.question and field not in no:
            return field, value.question
    return None


def _next(
    missing: Sequence[str], values: Mapping[str, Value | None], caller: str
) -> tuple[str, str]:
    if not missing:
        return "", ""
    field = missing[0]
    heard = values.get(field)
    if heard is not None and heard.question:
        return field, heard.question
    if field == "phone" and caller:
        return field, ASK_CALLER
    return field, QUESTIONS.get(field, "")


def refused(said: Sequence[Said]) -> frozenset[str]:
    """The fields the citizen would not or could not tell; told later after all, they are not."""
    no: set[str] = set()
    asked: tuple[str, ...] = ()
    for turn in turns(said):
        if turn.agent:
            asked = _asked(turn.text) or (asked if len(turn.text) < 4 else ())
            continue
        named = _refused_by_name(turn.text)
        no.update(named)
        if asked and not named:
            if _declines(turn.text):
                no.update(asked)
            elif len(turn.text) > 2:
                no.difference_update(asked)
        asked = ()
    return frozenset(no)


@lru_cache(maxsize=CACHED)
def _asked(text: str) -> tuple[str, ...]:
    """The fields an agent's question is for."""
    text = plain(text)
    return tuple(field for field, pattern in _ASKED if pattern.search(text))


@lru_cache(maxsize=CACHED)
def _refused_by_name(text: str) -> frozenset[str]:
    return frozenset(field for field, pattern in _ALSO_REFUSED if pattern.search(text))


@lru_cache(maxsize=CACHED)
def _declines(text: str) -> bool:
    if len(text) > 40 or len(groups(text)) > 0:
        return False
    return bool(_REFUSES.search(text)) or (len(text) < 5 and says_no(text))
