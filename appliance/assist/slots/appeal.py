"""What kind of call it is (诉求类型): 咨询 求助 投诉 举报 建议 表扬, by what is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from appliance.assist.slots.turns import CACHED, SpokenTurn, plain, turns
from appliance.assist.slots.value import Alternative, Evidence, Said, Value

APPEALS = ("咨询", "求助", "投诉", "举报", "建议", "表扬")
SAID_SO, MOST_BY_CUES, LEAST = 0.92, 0.85, 0.35
FIRST_COUNT_MORE = 3  # utterances of the citizen's that weigh double: there they say why they call
_VERBS = re.compile(
    r"(?:我|想|要|来|就是)(?:想|要|来|是)*(?:匿名)?(?:实名)?(?P<verb>投诉|举报|表扬|建议|"
    r"咨询)(?!过|了|电话|热线)|给[^，。]{1,8}提个?(?P<advice>建议|意见)"
)
_CUES: dict[str, tuple[tuple[str, float], ...]] = {
    "咨询": (
        (r"(?:问|咨询|了解|请教)(?:一?下|一句|问|个)|想问", 2.0),
        ((
            r"(?:咋|怎么)(?:办(?!法)|弄|申请|续|算|补|交|上|报|认证)(?:了|呀|呢)?|需要(?:什么|甚|"
            r"啥)|什么(?:手续|材料|条件|政策)|(?:哪儿|哪里|去哪).{0,4}(?:办|补|领|上|买|取|有)"
            ), 1.5),
        ((
            r"能不能(?:取|办|报|贷|补|申请|上|转|免)|(?:能|可以|用)[^，。]{0,8}(?:吗|不)[。？]?$|"
            r"多少钱|几点|多大|什么时候截止|有没有(?:什么)?(?:政策|补助|贷款)"
            ), 1.2),
    ),
    "求助": (
        ((
            r"求助|救救|帮帮(?:我|忙)|帮(?:我|忙)(?:找|查|联系|协调)?|协调一?下|着急|危险|怕(?:他|"
            r"小孩|出事)"
            ), 1.2),
        ((
            r"停(?:水|电|气)|没(?:水|电|气|暖)|不亮|坏了|漏(?:水|雨|气)|(?:破|断|裂|冻|堵)(?:了|"
            r"着)|井盖|丢(?:了|个)|(?:掉|落)(?:在|了)|不热|煤气味|有味儿"
            ), 1.0),
        (r"没有路灯|走不了|不动了|枯了|冻成冰|上不去|找不见|不能喝|摔(?:了|坏)", 0.8),
        (r"想申请|没办法了|生活困难|低保|残疾|看病没钱", 1.0),
    ),
    "投诉": (
        ((
            r"投诉|没人管|不管(?:不问)?|推来推去|踢皮球|不作为|态度(?:也|特别|太|还)*(?:差|恶劣|"
            r"不好|冲)|骂人|糊弄|敷衍|什么态度"
            ), 1.6),
        ((
            r"不(?:给|让)(?:退|赔|办|修|换|开|发|报销|交|认)|乱(?:收费|涨价|要价|扣)|欠(?:了|"
            r"我们)|拖(?:着|欠)|骗|坑|不退|过期|假的|要我.{2,6}块"
            ), 1.3),
        ((
            r"扰民|吵得?|噪音|油烟|臭|占道|堵死|撒煤|冒.?烟|睡不着|休息不了|放音乐|天天叫|"
            r"好几(?:次|回)了|到现在(?:也|都)?没"
            ), 1.1),
        ((
            r"不打表|问我要|联系不上|乱[停放扔倒贴]|堵着|不送|打桩|打麻将|砸墙|打鸣|小广告|"
            r"倒[^，。]{0,4}垃圾|退款|赔|忽悠|撵我|拿走了|占了"
            ), 0.9),
    ),
    "举报": (
        (r"举报|检举", 2.5),
        ((
            r"匿名|贪污|受贿|黑(?:诊所|作坊|车|网吧)|无证|没有?证|赌博|赌钱|卖假|偷(?:着)?(?:挖|"
            r"排|采|税)|违法|传销|三无|非法|不给职工交社保|小舅子"
            ), 1.2),
    ),
    "建议": (
        (r"建议|提个(?:意见|建议)", 2.5),
        ((
            r"能不能(?:多|增|延|把[^，。]{1,12}(?:挪|改|换|移)|再|早点|晚点)|最好(?:是)?|多(?:放|"
            r"建|设|安|开)几个|延(?:长|到)|挪(?:一下|近)"
            ), 1.3),
    ),
    "表扬": (
        (r"表扬|锦旗|点赞|夸夸|好人好事", 2.5),
        (r"太感谢|非常感谢|态度(?:非常|特别|真)好|真是好|手把手|谢谢(?:他|人家|你们那)", 1.4),
    ),
}  # fmt: skip
_PATTERNS = tuple(
    (kind, re.compile(words), points) for kind, cues in _CUES.items() for words, points in cues
)
_AGENT = re.compile(
    r"(?:感谢)?您的(?P<kind>建议|表扬|举报|投诉)|您(?:是)?(?:想|要)?(?P<asked>咨询|投诉|"
    r"举报|表扬|建议)"
)


def appeal(said: Sequence[Said]) -> Value | None:
    """The kind of call, as one of APPEALS; None while nothing speaks for any."""
    points = dict.fromkeys(APPEALS, 0.0)
    evidence: list[tuple[str, Evidence]] = []
    stated, count = "", 0
    for turn in turns(said):
        if turn.agent:
            for kind in _named_by_agent(turn.text):
                points[kind] += 0.6
            continue
        stated = stated or _stated(turn.text)
        for kind, weight, start, end in _cues(turn.text):
            points[kind] += weight * (2 if count < FIRST_COUNT_MORE else 1)
            if len(evidence) < 24:
                evidence.append((kind, turn.said.evidence(start, end, "用词")))
        count += _says_much(turn)
    if stated:
        points[stated] += 3 + max(points.values())
    return _value(points, stated, evidence)


def _says_much(turn: SpokenTurn) -> bool:
    return len(turn.text) > 8


def _value(
    points: dict[str, float], stated: str, evidence: Sequence[tuple[str, Evidence]]
) -> Value | None:
    total = sum(points.values())
    if total <= 0:
        return None
    ranked = sorted(APPEALS, key=lambda kind: -points[kind])
    best, second = ranked[0], ranked[1]
    share = points[best] / total * min(1.0, points[best] / 3)
    confidence = SAID_SO if stated == best else min(MOST_BY_CUES, share)
    return Value(
        text=best,
        confidence=round(max(LEAST, confidence), 2),
        evidence=tuple(each for kind, each in evidence if kind == best)[:4],
        alternatives=(Alternative(second, round(points[second] / total, 2)),)
        if points[second]
        else (),
    )


@lru_cache(maxsize=CACHED)
def _stated(text: str) -> str:
    match = _VERBS.search(text)
    if not match:
        return ""
    return "建议" if match["advice"] else match["verb"]


@lru_cache(maxsize=CACHED)
def _cues(text: str) -> tuple[tuple[str, float, int, int], ...]:
    text = plain(text)
    return tuple(
        (kind, points, match.start(), match.end())
        for kind, pattern, points in _PATTERNS
        if (match := pattern.search(text))
    )


@lru_cache(maxsize=CACHED)
def _named_by_agent(text: str) -> tuple[str, ...]:
    return tuple(match["kind"] or match["asked"] for match in _AGENT.finditer(text))
