"""The matters of a call: one mostly, at times two or more, each with what was said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from appliance.assist.slots.subjects import subjects
from appliance.assist.slots.summary import cleaned, pieces
from appliance.assist.slots.turns import CACHED, SpokenTurn, turns
from appliance.assist.slots.value import Evidence, Said

Topic = Callable[[str], str | None]

# What speaks for another matter and against it, in points; from ENOUGH on it is one.
DECLARED, STRONG, WEAK, PROMPTED, ORDINAL = 3.0, 2.0, 1.0, 1.5, 3.0
OTHER_SUBJECT, NEW_SUBJECT_TOO, NO_SUBJECT, SAME_SUBJECT = 2.0, 0.5, -0.5, -3.0
OTHER_ACT, LONG, SHORT, SHARED, POINTS_BACK, SAME_THING = 1.0, 0.5, -1.5, -1.0, -2.0, -2.0
ENOUGH = 2.5
UNMARKED = 20  # characters without a mark: they are more than one clause
MOST = 8  # matters of one call
FEWEST, FEW, MANY = 6, 10, 20  # characters of a passage

_NOUN = "(?:(?<![同故办董理领干当])事情?|问题|疑问|建议)"
_DECLARED = re.compile(
    rf"(?:还有|再有|另外|此外|再(?:反映|问|说)|还想(?:问|反映|说)|现在还有|再跟你们?(?:说|"
    rf"反映))[^，。！？]{{0,4}}?(?:个|件)?(?:别的)?{_NOUN}"
    rf"|第[二三四](?:个|件)|二一个|这三一个|另一(?:个|件){_NOUN}|别的事|跟这个没关系"
)
_STRONG = re.compile(
    rf"{_DECLARED.pattern}"
    r"|(?:还有|再有|再|另外)(?:呢|啊)?一个(?!人|月|星期|礼拜|小时|多|手机|电话|号)|"
    r"还有个(?!人|手机|电话|号)"
    r"|顺便(?:再)?(?:跟你们?)?(?:反映|说|问|投诉|咨询)|还?想?再(?:麻烦你?们?)?(?:反映|问|"
    r"说|投诉|咨询)(?:个|一个|一?下|你)?"
    r"|还想(?:再)?(?:问|反映|说|咨询)(?:个|一?下)?"
)
_WEAK = re.compile(r"还有(?!人|没|多|呢$)|另外|再有|再就是|[哎哦]?对了|正好|此外|还想")
_TWO = re.compile(r"([两二三四2-4])(?:个|件)(?:事|问题|诉求)|([两二三四2-4])(?:个|件)事情")
_ORDINAL = re.compile(r"第二(?:个|件)(?:问题|事|呢|是)?")
_ASKS_MORE = re.compile(
    r"(?:别的|其他|其它)[^，。]{0,10}(?:吗|么|没有|[？?])|还有(?:吗|没有|什么(?:要|事|"
    r"问题))|还要(?:反映|说)|第二个(?:呢|问题|事)"
)
_SAME = re.compile(
    r"也(?:是|不|没|特|都|给|有|让|涨|冲|弄)|他们|它|反正|还是(?:那|这)个|一样|"
    r"这个(?:物业|公司|施工队|事儿?)(?!没)|上面|刚才说的|都是(?:那|这)个|我(?:同事|邻居|"
    r"们楼)也"
)
_ABOUT_ORDER = re.compile(
    r"(?:多会儿|多久|多长时间|什么时候|啥时候|几天)[^，。]{0,8}(?:处理|解决|答复|回|办|"
    r"下来|好|轮)|快(?:点|一点|些)|尽快|赶紧|抓紧|保密|透露|说是我|"
    r"(?:给我|回)[^，。]{0,3}(?:回个?)?(?:电话|信)|电话|手机|号码|不用了|没(?:有)?了|谢谢|"
    r"麻烦你们|今天给我回|备注"
)
_THAT = re.compile(r"(?:那个|这个)([一-鿿])(?=[里的上，还是我])")
_NEGATIVE = re.compile(r"^(?:[嗯哦啊]，?)*(?:没有?|不用|就这|就是这|别的没|没了)")
_CLAUSE_ENDS = re.compile(r"[，。！？、；,.!?;\s]")
_LED_IN = re.compile(r"(?:[嗯哎哦啊行好对有那欸诶呃]|的|我)*")
_LED_IN_STRONG = re.compile(
    r"(?:[嗯哎哦啊行好对有那欸诶呃的我就是们现在今天想也麻烦您你呢再]){0,8}"
)
_STOP = (
    "我们 你们 他们 这个 那个 一个 就是 还有 没有 什么 现在 怎么 不是 能不 不能 "
    "可以 问题 反映 一下 时候 知道 小区 门口 我家 家里 在那 里头 这儿 那儿 说的 "
    "的时 开始 也不 都不 的那 的这 是我 我的 了一 有个 有一 一直 上的 里的 不给 "
    "不让 给我 我想 想问 问一 因为 所以 但是 然后 到现 每天 晚上 早上 老是 两个 "
    "第二 另外 顺便 再反 事情 的事 情况 多了 个月 月了 不管 没人 人管"
)
_STOP_PAIRS = frozenset(_STOP.split())


@dataclass(frozen=True, slots=True)
class MatterSaid:
    """One matter of a call.

    Attributes:
        said: the utterances about it with the agent's questions between; of an utterance in which
            it begins or ends, the part.
        confidence: that it is a matter of its own; 1.0 of the first.
        evidence: what began it; empty for the first.
        about: the category a `topic` function gave, or a rough subject; "" if unknown.
    """

    said: tuple[Said, ...]
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    about: str = ""


def matters(said: Sequence[Said], *, topic: Topic | None = None) -> tuple[MatterSaid, ...]:
    """The call's matters in the order in which they came up; at least one, unless nothing is said.

    Args:
        topic: names the category of a passage, None if it cannot tell; with it, 还有 within one
            category does not begin another matter.
    """
    talk = _MatterTalk(topic)
    for turn in turns(said):
        talk.hear(turn)
    return talk.matters()


@dataclass(frozen=True, slots=True)
class _Passage:
    """Part of an utterance between words that may begin another matter."""

    start: int
    end: int
    text: str
    mark: float = 0.0  # points of the marker it begins with
    ordinal: bool = False


@lru_cache(maxsize=CACHED)
def _passages(text: str) -> tuple[_Passage, ...]:
    cuts = sorted({0, *(m.start() for m in _marks(text))})
    return tuple(
        _Passage(
            start,
            end,
            text[start:end],
            mark=_mark(text, start),
            ordinal=bool(_ORDINAL.match(text, start)),
        )
        for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)
        if text[start:end].strip()
    )


def _mark(text: str, at: int) -> float:
    for pattern, points in ((_DECLARED, DECLARED), (_STRONG, STRONG), (_WEAK, WEAK)):
        if pattern.match(text, at):
            return points
    return 0.0


def _confidence(points: float) -> float:
    return round(min(0.95, 0.6 + 0.12 * (points - ENOUGH)), 2)


def _marks(text: str) -> Iterator[re.Match[str]]:
    """Markers that open a clause; one inside of it adds to it, and begins nothing."""
    last = -1
    both = (*_STRONG.finditer(text), *_WEAK.finditer(text))
    # Of a recogniser that sets no marks, only plain words tell where clauses begin.
    unmarked = len(text) >= UNMARKED and not _CLAUSE_ENDS.search(text)
    for match in sorted(both, key=lambda match: (match.start(), -match.end())):
        strong = _STRONG.match(text, match.start())
        before = _CLAUSE_ENDS.split(text[: match.start()])[-1]
        opens = (_LED_IN_STRONG if strong else _LED_IN).fullmatch(before)
        if match.start() >= last and (opens or (strong and unmarked)):
            last = match.end()
            yield match


@dataclass(slots=True)
class _Matter:
    parts: list[tuple[SpokenTurn, int, int]] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)
    characters: set[str] = field(default_factory=set)
    asks: bool = False  # it is a question so far, and no complaint
    confidence: float = 1.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(slots=True)
class _MatterTalk:
    topic: Topic | None
    found: list[_Matter] = field(default_factory=lambda: [_Matter()])
    prompted: bool = False
    announced: int = 1  # how many matters the citizen said there are

    def hear(self, turn: SpokenTurn) -> None:
        if turn.agent:
            self.prompted = bool(_asks_more(turn.text)) or (self.prompted and len(turn.text) < 4)
            self.found[-1].parts.append((turn, 0, len(turn.text)))
            return
        self.announced = max(self.announced, _announces(turn.text))
        for passage in _passages(turn.text):
            self._take(turn, passage)
        self.prompted = False

    def _take(self, turn: SpokenTurn, passage: _Passage) -> None:
        about = self._about(passage.text)
        current = self.found[-1]
        telling = _tells(passage.text)
        if telling and current.subjects | current.pairs and len(self.found) < MOST:
            confidence = self._begins(passage, about)
            if confidence:
                evidence = turn.said.evidence(
                    passage.start, min(passage.end, passage.start + 12), "另一件事"
                )
                current = _Matter(confidence=confidence, evidence=(evidence,))
                self.found.append(current)
        first = not current.characters
        current.parts.append((turn, passage.start, passage.end))
        if telling:
            current.subjects |= about
            current.pairs |= _words(passage.text)
            current.characters |= _characters(passage.text)
            current.asks = current.asks or (first and _is_question(passage.text))

    def _about(self, text: str) -> frozenset[str]:
        if self.topic is None:
            return subjects(text)
        named = self.topic(text)
        return frozenset((named,)) if named else frozenset()

    def _begins(self, passage: _Passage, about: frozenset[str]) -> float:
        """How sure it is that a passage begins another matter; 0: it does not."""
        marked = max(passage.mark, PROMPTED if self.prompted else 0.0)
        if not marked or _NEGATIVE.search(passage.text):
            return 0.0
        if self.prompted and passage.mark:
            marked = passage.mark + PROMPTED / 2
        points = marked + self._by_subject(about) + self._by_words(passage)
        if self.announced > len(self.found) and passage.ordinal:
            points += ORDINAL
        return _confidence(points) if points >= ENOUGH else 0.0

    def _by_subject(self, about: frozenset[str]) -> float:
        known = self.found[-1].subjects
        if not about:
            return NO_SUBJECT if known else 0.0
        if any(about <= each.subjects for each in self.found):
            return SAME_SUBJECT
        if about & known:
            return NEW_SUBJECT_TOO
        return OTHER_SUBJECT if known else OTHER_SUBJECT / 3

    def _by_words(self, passage: _Passage) -> float:
        own, current = _own(passage.text), self.found[-1]
        points = SHORT if len(own) < FEW else LONG if len(own) >= MANY else 0.0
        points += SHARED * min(2, _shared(passage.text, current.pairs))
        if _SAME.search(own[:12]):
            points += POINTS_BACK
        if any(noun in current.characters for noun in _THAT.findall(own)):
            points += SAME_THING
        return points + OTHER_ACT * (current.asks and not _is_question(own))

    def matters(self) -> tuple[MatterSaid, ...]:
        kept = [each for each in self.found if any(not turn.agent for turn, _, _ in each.parts)]
        return tuple(
            MatterSaid(
                tuple(_part(*part) for part in each.parts),
                each.confidence,
                each.evidence,
                "；".join(sorted(each.subjects)),
            )
            for each in kept
        )


def _part(turn: SpokenTurn, start: int, end: int) -> Said:
    """The utterance, or the part of it with the times of that part."""
    said = turn.said
    if (start, end) == (0, len(said.text)):
        return said
    evidence = said.evidence(start, end, "")
    return replace(
        said,
        text=said.text[start:end],
        start_ms=evidence.start_ms,
        end_ms=evidence.end_ms,
        words=(),
    )


@lru_cache(maxsize=CACHED)
def _asks_more(text: str) -> bool:
    return bool(_ASKS_MORE.search(text))


@lru_cache(maxsize=CACHED)
def _announces(text: str) -> int:
    match = _TWO.search(text)
    return (
        {"两": 2, "二": 2, "三": 3, "四": 4, "2": 2, "3": 3, "4": 4}[match[1] or match[2]]
        if match
        else 1
    )


@lru_cache(maxsize=CACHED)
def _own(text: str) -> str:
    """A passage without the words that lead it in."""
    text = _STRONG.sub("", text, count=1)
    return cleaned(_WEAK.sub("", text, count=1))


@lru_cache(maxsize=CACHED)
def _tells(text: str) -> bool:
    """Whether a passage says something of a matter, and not of the order or the caller."""
    own = _own(text)
    if len(own) < FEWEST or not pieces(text):
        return False
    return not (_ABOUT_ORDER.search(own) and len(own) < 26 and not subjects(own))


@lru_cache(maxsize=CACHED)
def _is_question(text: str) -> bool:
    return bool(
        re.search(
            r"吗|怎么|咋|能不能|多少|几点|多长|是不是|有没有|能(?:贷|办|取|上)不|[？?]|什么|哪",
            text,
        )
    )


@lru_cache(maxsize=CACHED)
def _pairs(text: str) -> tuple[str, ...]:
    """Pairs of neighbouring characters; "" for those that carry nothing."""
    pairs = (text[at : at + 2] for at in range(len(text) - 1))
    return tuple("" if _LIGHT.search(each) or each in _STOP_PAIRS else each for each in pairs)


@lru_cache(maxsize=CACHED)
def _words(text: str) -> frozenset[str]:
    return frozenset(_pairs(text))


@lru_cache(maxsize=CACHED)
def _characters(text: str) -> frozenset[str]:
    return frozenset(text)


def _shared(text: str, known: set[str]) -> int:
    """How many words of a passage were said before; a run of shared pairs is one word."""
    hits = [bool(pair) and pair in known for pair in _pairs(text)]
    return sum(now and not before for before, now in zip([False, *hits], hits, strict=False))


_LIGHT = re.compile(
    r"[^一-鿿]|"
    r"[的了是我你他在有不就也都还这那个们一二三四五六七八九十两来去说着呢吧啊吗很把被给跟和到得没里上下]"
)
