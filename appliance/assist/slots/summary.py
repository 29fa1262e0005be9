"""The matter in the citizen's own words (标题, 主要内容): nothing is added to what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.slots.contact import CONTACT, apart, is_number
from appliance.assist.slots.turns import CACHED, SpokenTurn, is_backchannel, plain, turns
from appliance.assist.slots.value import Evidence, Said, Value

TITLE_CHARACTERS, CONTENT_CHARACTERS = 30, 400
EXTRACTED, SHORT = 0.85, 0.6
_FILLERS = re.compile(
    r"(?<![一-鿿])(?:[嗯啊呃哦噢哎唉诶欸额呀嘛哈喂]|那个|这个|就是说|就是|然后呢?|完了|"
    r"怎么说呢|你(?:知道|懂)(?:吧|不)|"
    r"我跟你(?:们)?说(?:哇|一下)?|跟你说|你(?:先)?听我说|是这样的?|对吧|"
    r"是吧|您?你?好|同志|小姑娘|姑娘|师傅)+(?![一-鿿])"
    r"|(?<=[一-鿿])[嗯呃啊哈呀]+(?=[，、])|(?:那个|这个|就是|然后|就是说|完了)[，、]+(?=[一-鿿])"
)
_WORD = r"[^\W\d_零一二三四五六七八九十幺a-zA-Z]"
_TWICE = re.compile(
    # Straight after one another, or begun anew after a pause; 找热力，热力说 is neither.
    rf"({_WORD}{{2,6}})\1(?![一-鿿]?[次个])|(?:^|(?<=[，、\s]))({_WORD}{{2,8}})[，、\s]+(?=\2)"
)
_STUTTER = re.compile(r"([我你他她它就是那这不])[，、]?\1(?![一-鿿]是|不)")
_YES = re.compile(r"^(?:对|行|有|好|嗯|是|哦|去了|没有)(?:的|了|啊|对)*[，、]+")
_ASIDE = re.compile(
    r"(?:^|(?<=，))(?:[哎唉]?你?(?:先)?别(?:吵|闹|说话)了?|我(?:这儿?)?(?:在)?打电话呢|"
    r"等(?:一下|会儿))(?:，|$)"
)
_MARKS = re.compile(r"[，、\s]{2,}")
_EDGE = "，、。 　…"
_END = re.compile(r"[。！？!?；;…]+")
_CLOSING = re.compile(
    r"^(?:好|行|对|嗯|是|谢谢|感谢|再见|麻烦|没|可以|不用|知道|明白|记|那行|"
    r"那好)[^，。]{0,7}$|谢谢(?:你|您|啊)?[^，。]{0,3}$|12345(?:吗|是吧|热线)|"
    r"信号不好|(?:等会儿|一会儿|回头)再打"
)
_SPELLS = re.compile(
    r"([一-鿿])[一-鿿]{0,3}的\1(?![一-鿿])|[一-鿿]{0,2}([一-鿿])[一-鿿]{0,2}那个\2(?![一-鿿])"
)
_TO_AGENT = re.compile(r"记(?:下|一下|上)|你(?:查|等)一?下|听(?:得)?见|大点声|您?说什么|你说甚")
_LEAD = re.compile(
    r"^(?:喂|你好|您好|那个|就是|我(?!们|家|妈|爸|儿|孩|闺|媳|爱|老|这|那|的)|咱们|想|要|"
    r"跟|和|你们|你|您|来|再|还有?|说|讲|反映|投诉|举报|咨询|问|建议|表扬|"
    r"一下子?|有?一?[个件](?:事情?|问题|情况)|问题|事情?|情况|[一两]个(?:事情?|问题)|"
    r"第?一个?(?:就)?是|第一[个件]?(?:事|问题)?|顺便|"
    r"啊|哇|哈|呀|是|关于|呢|吧|叫个?|说的|，|、|。| )+"
)
_PROBLEM = re.compile(
    r"不(?!是|用|好意思|知道|怕|对|想)|没(?:有|人|给|水|电|气|暖)|坏|漏|堵|堆|吵|噪|扰民|"
    r"欠|拖|骗|臭|脏|停(?!车)|冻|裂|塌|倒|丢|摔|"
    r"乱|涨|收费|超载|占道|占用|违|假|冒|垃圾|污|危险|掉|挖|烂|缺|少发|拆|偷|赌|打人|骂|"
    r"推|撞|怎么|咋|能不能|多少|哪儿|哪里|补贴|申请"
)
_TIME = re.compile(
    r"昨|前天|今(?:天|早|年)|去年|上(?:个)?(?:月|周|礼拜|星期)|(?:[月年天周]|星期|礼拜|小时)(?:多)?了|"
    r"从.{1,10}(?:开始|就|到现在)|\d{1,2}月|[一二三四五六七八九十]月|每天"
)
_TRIED = re.compile(
    r"(?:物业|社区|派出所|城管|热力|他们?|公司|老板|开发商|村里|12345|你们|"
    r"95598)[^，。]{0,10}(?:说|管|来|找|推|答|回)|找了|打了|报警|反映过|投诉过|联系(?:了|"
    r"过|不上)|去了"
)
_ASKED = re.compile(
    r"希望|要求|请|能不能|能否|麻烦|赶紧|尽快|给我|让(?:他|相关|有关|城管|物业)|要么|建议|帮"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the citizen's without what carries nothing, and where it was said."""

    turn: SpokenTurn
    text: str
    start: int
    end: int

    def evidence(self, why: str) -> Evidence:
        return self.turn.said.evidence(self.start, self.end, why)


@lru_cache(maxsize=CACHED)
def cleaned(text: str) -> str:
    """Without fillers, stutter and words said twice; what is left is in its order."""
    before = None
    while before != text:
        before = text
        text = _ASIDE.sub("", _YES.sub("", _FILLERS.sub("", text)))
        text = _TWICE.sub(lambda match: match[1] or "", text)
        text = _STUTTER.sub(r"\1", text)
        text = _MARKS.sub(lambda match: match[0].strip()[:1] or match[0][:1], text).strip(_EDGE)
    return text


@lru_cache(maxsize=CACHED)
def pieces(text: str) -> tuple[tuple[str, int, int], ...]:
    """(cleaned sentence, start, end) of the sentences of an utterance that may tell something."""
    found, at = [], 0
    for match in (*_END.finditer(text), None):
        end = match.start() if match else len(text)
        spans = [(at, end), *((at + a, at + b) for a, b in apart(text[at:end])[:1])]
        for start, stop in spans:  # the whole, else what is told beside a number or a name
            if _tells(sentence := cleaned(text[start:stop])):
                found.append((sentence, start, stop))
                break
        at = match.end() if match else end
    return tuple(found)


def sentences(said: Iterable[SpokenTurn]) -> list[Sentence]:
    """What the citizen told, in order, each once."""
    found: list[Sentence] = []
    seen: set[str] = set()
    for turn in said:
        if turn.agent:
            continue
        for text, start, end in pieces(turn.said.text):
            if text not in seen:
                seen.add(text)
                found.append(Sentence(turn, text, start, end))
    return found


@lru_cache(maxsize=CACHED)
def _tells(sentence: str) -> bool:
    bare = plain(sentence)
    if len(bare) < 4 or is_backchannel(bare) or _is_for_agent(bare):
        return False
    if is_number(bare) and len(bare) < 40:
        return False
    if len(bare) < 16 and _SPELLS.search(bare):
        return False
    if CONTACT.search(bare) and not (_PROBLEM.search(bare) and len(bare) >= 16):
        return False
    return len(bare) >= 6 or bool(_PROBLEM.search(bare) or _TIME.search(bare))


def _is_for_agent(bare: str) -> bool:
    return len(bare) < 20 and bool(_CLOSING.search(bare) or _TO_AGENT.search(bare))


@lru_cache(maxsize=CACHED)
def _worth(sentence: str) -> float:
    cues = sum(bool(each.search(sentence)) for each in (_PROBLEM, _TIME, _TRIED, _ASKED))
    return cues + min(len(sentence), 40) / 40


def summary(said: Sequence[Said]) -> Value | None:
    """What the citizen says of the matter; None while nothing is.

    Returns:
        text: the content, of at most CONTENT_CHARACTERS; every sentence is one of the citizen's
        with words left out, never one added or changed.
        `parts`: title (at most TITLE_CHARACTERS, without the place), sentences, and by what they
        tell: happened, since, tried, asked (tuples of those sentences).
    """
    told = sentences(turns(said))
    if not told:
        return None
    kept = _kept(told)
    texts = tuple(each.text for each in kept)
    return Value(
        text="。".join(texts) + "。",
        confidence=EXTRACTED if _PROBLEM.search(texts[0]) or len(texts) > 1 else SHORT,
        evidence=tuple(each.evidence("原话") for each in kept),
        parts={
            "title": _title(texts),
            "sentences": texts,
            "happened": tuple(each for each in texts if _PROBLEM.search(each)),
            "since": tuple(each for each in texts if _TIME.search(each)),
            "tried": tuple(each for each in texts if _TRIED.search(each)),
            "asked": tuple(each for each in texts if _ASKED.search(each)),
        },
    )


def _kept(told: Sequence[Sentence]) -> list[Sentence]:
    """The most telling ones that fit, in the order they were said."""
    chosen: set[int] = set()
    length = 0
    for at in sorted(range(len(told)), key=lambda at: -_worth(told[at].text)):
        if length + len(told[at].text) < CONTENT_CHARACTERS:
            chosen.add(at)
            length += len(told[at].text) + 1
    return [told[at] for at in sorted(chosen)] or [_cut(told[0])]


def _cut(sentence: Sentence) -> Sentence:
    text = (
        sentence.text[: CONTENT_CHARACTERS - 1].rpartition("，")[0]
        or sentence.text[: CONTENT_CHARACTERS - 1]
    )
    return Sentence(sentence.turn, text, sentence.start, sentence.end)


def _title(texts: Sequence[str]) -> str:
    """The clauses that name the matter, without how it is brought up (我想反映一下)."""
    titles = [_clauses(_LEAD.sub("", sentence, count=1)) for sentence in texts[:3]]
    titles = [title for title in titles if len(title) >= 6]
    telling = [title for title in titles if _PROBLEM.search(title)]
    return (telling or titles)[0] if titles else texts[0][:TITLE_CHARACTERS]


def _clauses(text: str) -> str:
    """As many clauses from the one with the matter on as fit into a title."""
    clauses = [each.strip(_EDGE) for each in re.split(r"[，,、]", text)]
    clauses = [each for each in clauses if each]
    first = next((at for at, each in enumerate(clauses) if _PROBLEM.search(each)), 0)
    start = max(0, first - 1) if first and len(clauses[first]) < 8 else first
    title = ""
    for clause in clauses[start:]:
        longer = f"{title}，{clause}" if title else clause
        if len(longer) > TITLE_CHARACTERS:
            break
        title = longer
        if len(title) >= 12:
            break
    return title or (clauses[first][:TITLE_CHARACTERS] if clauses else "")
