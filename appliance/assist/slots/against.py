"""Whom or what it is about (被反映人): a company, unit, shop, school, person by role, or road."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.slots.turns import CACHED, says_no, turns
from appliance.assist.slots.value import Alternative, Evidence, Said, Value

NAMED_WHEN_ASKED, NAMED, CALLED, ROLE, ROAD = 0.88, 0.7, 0.82, 0.6, 0.45
TWICE, BLAMED, MOST = 0.05, 0.1, 0.92
MOST_NAMED = 256  # names looked at of a call
_KINDS = (
    "有限责任公司|股份有限公司|有限公司|分公司|公司|集团|物业|工地|项目部|施工队|开发商|"
    "超市|商场|市场|饭店|酒店|宾馆|旅馆|食府|酒楼|"
    "餐厅|火锅|烧烤|饺子馆|面馆|茶馆|棋牌室|麻将馆|网吧|KTV|中介|驾校|幼儿园|小学|中学|"
    "学校|学院|大学|医院|诊所|卫生室|卫生站|卫生服务站|"
    "药店|健身房|健身|车行|修理厂|鞋业|服装店|烟酒店|菜店|店|公墓|墓园|养老院|银行|"
    "营业厅|加油站|加气站|洗车行|机械厂|厂|养殖场|养猪场|养鸡场|"
    "停车场|派出所|居委会|村委会|热力公司|自来水公司|燃气公司|供电局|供电公司|电影院|影院|快递"
)
_ROLES = (
    "楼上(?:的)?(?:邻居|住户|那家)|楼下(?:的)?(?:邻居|住户)|隔壁(?:的)?(?:邻居|住户|"
    "那家)?|邻居|房东|包工头|村支书|村主任|村长|"
    "出租车司机|公交车?司机|司机|教练|老板|物业|开发商|施工队|中国(?:移动|联通|电信)|"
    "(?:热力|自来水|燃气|供电)公司|供电局|美团|顺丰|圆通|中通|韵达"
)
# Words that end before a name begins.
_BEFORE = (
    "的|是|在|叫个|名叫|叫|就叫|就是|个|就|跟|和|对|被|去|到|给|让|我们|你们|他们|咱们|"
    "俺们|我|那个|这个|那家|这家|一家|有个|有家|有|开了|新开|投诉|"
    "举报|反映|表扬|买|坐|说|了|把|从|找|楼下|楼上|门口|对面|旁边|附近|那边|这边|呢|啊|"
    "嘛|吧|，|。|、|？|！|；| |,|还有|另外|什么|甚|不|后|都|全|也|来|"
    "一下|因为|由|要|问|于"
)
_NAME = re.compile(
    rf"(?P<name>[一-鿿A-Za-z0-9]{{1,18}}?)(?P<kind>{_KINDS})(?![门口路街]|费|群|附近|对面)"
)
_CUT = re.compile(rf"^.*(?:{_BEFORE})")
_ROLE = re.compile(_ROLES)
_ROAD = re.compile(
    r"(?P<road>(?![一二三四五六七八九十]+路)[一-鿿]{2,5}(?:大道|大街|路|街(?!道)|"
    r"巷))(?!车|公交)(?P<part>[^，。]{0,4}(?:段|路口|桥))?"
)
_CALLED = re.compile(
    r"(?:名字(?:就)?叫|名叫|叫|店名(?:叫|是)|堂号)(?:个|做|什么|甚|"
    r"啥)*(?P<what>[一-鿿A-Za-z0-9]{2,16}?)(?=[，。、！？,.]|就在|$)"
)
_CALLED_SELF = re.compile(r"(?:我|俺|您|妈|爸|他|她|儿子|女儿|人|老板|房东)(?:的名字)?(?:就)?$")
_ASKS = re.compile(
    r"(?:叫什么|什么名字|名称|全称|哪家|哪个(?:平台|公司|单位|学校|店|工地|物业|开发商)|"
    r"店名|公司名)"
)
_ASKS_CALLER = re.compile(
    r"您(?:叫|的?姓名|贵姓|怎么)|全名|(?<!公司)(?<!店)(?<!物业)小区|楼盘叫|什么小区"
)
_ANSWER = re.compile(
    r"^(?:[嗯啊哦呃]|就|是|写的|叫|名字|那个|个|什么|甚|"
    r"，)*(?P<what>[一-鿿A-Za-z0-9]{2,18})(?=[，。、！？,.]|$)"
)
_NOT_NAMES = re.compile(
    r"^(?:不|没|我|你|他|她|知道|记|有|好(?:的|像|几|了)|对|在|什么|没有|大概|上|前|昨|今|"
    r"去年|来|可以|谁|哪|怎么|那|这|到处|好像|就)|家$|^.$|记不|不清|多少|时候"
)
_BLAME = re.compile(
    r"投诉|举报|反映|不(?:给|让|管|退|办|修|开|交)|欠|骗|乱|态度|拖|吵|扰民|表扬|扣|违"
)
_EMPTY = frozenset(
    [
        "一",
        "两",
        "这",
        "那",
        "哪",
        "好",
        "几",
        "本",
        "该",
        "大",
        "小",
        "新",
        "老",
        "多",
        "某",
        "各",
        "每",
        "全",
        "同",
    ]
)


@dataclass(frozen=True, slots=True)
class AgainstHeard:
    """Somebody named who may be the one, with how sure that is."""

    text: str
    score: float
    evidence: Evidence


def against(said: Sequence[Said]) -> Value | None:
    """Whom the citizen speaks of, as they name them; None if nobody is named.

    Returns:
        `parts`: kind (named, role, road).
    """
    found: list[tuple[str, AgainstHeard]] = []
    asked = False
    for turn in turns(said):
        if turn.agent:
            asked = bool(_ASKS.search(turn.text)) and not _ASKS_CALLER.search(turn.text)
            continue
        if len(found) >= MOST_NAMED:
            break
        blamed = BLAMED if _BLAME.search(turn.text) else 0.0
        for kind, text, score, start, end in _named(turn.text, asked and not says_no(turn.text)):
            evidence = turn.said.evidence(start, end, "提到")
            found.append((kind, AgainstHeard(text, min(MOST, score + blamed), evidence)))
        asked = False
    return _value(found)


def _value(found: Sequence[tuple[str, AgainstHeard]]) -> Value | None:
    if not found:
        return None
    times = Counter(each.text for _, each in found)
    ranked = sorted(found, key=lambda each: -(each[1].score + TWICE * (times[each[1].text] > 1)))
    kind, best = ranked[0]
    others = dict.fromkeys(each.text for _, each in ranked[1:] if each.text not in best.text)
    return Value(
        text=best.text,
        confidence=round(min(MOST, best.score + TWICE * (times[best.text] > 1)), 2),
        evidence=(best.evidence,),
        alternatives=tuple(Alternative(text, 0.3) for text in list(others)[:3]),
        parts={"kind": kind},
    )


@lru_cache(maxsize=CACHED)
def _named(text: str, asked: bool) -> tuple[tuple[str, str, float, int, int], ...]:
    """(kind, name, score, start, end) of all an utterance names."""
    found = [*_answered(text)] if asked else []
    found += _called(text)
    found += _by_kind(text)
    found += [("role", m[0], ROLE, m.start(), m.end()) for m in _ROLE.finditer(text)]
    found += [
        ("road", m[0], ROAD, m.start(), m.end())
        for m in _ROAD.finditer(text)
        if not (_CUT.match(m["road"]) or re.search(r"[往到直接水这那]", m["road"]))
    ]
    return tuple(found)


def _answered(text: str) -> list[tuple[str, str, float, int, int]]:
    match = _ANSWER.search(text)
    if not match or _NOT_NAMES.search(match["what"]):
        return []
    return [("named", match["what"], NAMED_WHEN_ASKED, match.start("what"), match.end("what"))]


def _called(text: str) -> list[tuple[str, str, float, int, int]]:
    return [
        ("named", m["what"], CALLED, m.start("what"), m.end("what"))
        for m in _CALLED.finditer(text)
        if not _CALLED_SELF.search(text[max(0, m.start() - 5) : m.start()])
        and not _NOT_NAMES.search(m["what"])
    ]


def _by_kind(text: str) -> list[tuple[str, str, float, int, int]]:
    found = []
    for match in _NAME.finditer(text):
        cut = _CUT.match(match["name"])
        name = match["name"][cut.end() :] if cut else match["name"]
        start = match.end() - len(name + match["kind"])
        if (
            not name
            or name in _EMPTY
            or name[-1] in "上住开进读看念考下"
            or _NOT_NAMES.search(name + "　")
        ):
            continue
        found.append(("named", name + match["kind"], NAMED, start, match.end()))
    return found
