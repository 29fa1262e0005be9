"""Who is calling: surname or full name, how to address them, or that they stay anonymous."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from appliance.assist.slots.surnames import SURNAME, alike, spelled
from appliance.assist.slots.turns import CACHED, SpokenTurn, asks_name, says_no, says_yes, turns
from appliance.assist.slots.value import Alternative, Evidence, Said, Value

SPELLED_OUT, ECHOED, ONE_OF_ITS_SOUND, STATED = 0.96, 0.95, 0.88, 0.8
GIVEN_SPELLED, GIVEN_STATED, ADDRESSED, CONTESTED, ANONYMOUS = 0.93, 0.75, 0.75, 0.6, 0.92
LATE = 2  # turns after which an answer is none to a question for the name

# What no given name consists of: 我叫车去拉 is no 车去.
_NO_GIVEN = (
    "了的去来是在有没不就也都给让他你我她们这那吧啊呢哈呀嘛和跟到把被又再还说"
    "一二三四五六七八九零幺什么个人家先女姓叫"
)
_GIVEN = rf"[^\W\d_a-zA-Z{_NO_GIVEN}]{{1,2}}"
_END = r"(?=[，。、！？\s\d零一幺]|的|啊|呀|我|$)"
_FULL = rf"(?P<full>(?P<of>{SURNAME}){_GIVEN}){_END}"
_OPENING = r"(?:[嗯啊哦呃诶哎唉欸对是好的呀]|没错|行)*[，、\s]*"
_CALLED = re.compile(rf"(?:我|俺|本人)(?:的?名字)?(?:(?:就?叫|名叫)(?:做)?|(?P<am>是)){_FULL}")
# 我是高山镇的, 都行: no names.
_PLACE = re.compile(r"[镇乡村街区县城市路园店厂院校户主庄屯堡里业员工长师民]")
_WORDLIKE = frozenset("都时和那但能由信全相当况从边水车")
_EXPLAINED = re.compile(
    rf"(?:我|俺|本人)(?:的?名字)?就?叫(?P<full>(?P<of>{SURNAME}){_GIVEN})(?=[一-鿿]{{1,4}}的(?P<char>[一-鿿]))"
)
_NAMED = re.compile(
    rf"(?:^|[，。、！？\s]|我|俺|免贵|本人|就|嗯|啊)姓(?:个|的是|"
    rf"是)?(?P<what>[^，。！？\s]{{0,8}}?)(?P<of>{SURNAME})"
)
_MY_NAME = re.compile(rf"(?:我|俺|免贵|本人)(?:是)?姓(?P<of>{SURNAME})")
_ANSWER = re.compile(
    rf"^{_OPENING}(?:我(?:呀|啊)?，?)?(?:免贵|就)?(?:姓|叫|是)?(?:{_FULL}|"
    rf"(?P<bare>{SURNAME}){_END})"
)
_CALL_ME = re.compile(
    rf"(?:写|叫|称呼|登记|记|留)(?:我|上|成|作)?个?(?:就|"
    rf"叫)?[小老]?(?P<of>{SURNAME})(?P<title>先生|女士|小姐|师傅|阿姨|大爷|大妈|老师)"
    rf"|叫我[小老](?P<short>{SURNAME})"
)
_REPEATED = re.compile(rf"[，、\s](?:叫)?{_FULL}")
_TITLE = "先生|女士|小姐|大爷|大妈|阿姨|师傅|大哥|大姐|大叔|大娘|同志|老师|同学|老人家"
_ADDRESS = re.compile(
    rf"(?<![一-鿿])(?:[嗯好的那是吧]|就是|您是)*(?P<of>{SURNAME})(?P<title>{_TITLE})|"
    rf"(?P<late>{SURNAME})(?P<latetitle>{_TITLE})"
)
_MALE = re.compile("先生|大爷|大哥|大叔|男")
_FEMALE = re.compile("女士|小姐|大妈|阿姨|大姐|大娘|女")
_GENDER = re.compile(
    r"(?:我是)?个?(男的|女的|男生|女生|男同志|女同志)|(?<!们)(先生|女士|小姐|大爷|大妈|阿姨|大娘)您"
)
_ANOTHERS = re.compile(
    r"(?:工作人员|找的人|那个人|被投诉人?|司机|老板|房东|医生|大夫|老师|护士|对方|店|公司|"
    r"单位|物业|妈妈?|爸爸?|父亲|母亲|孩子|老人|患者|户主|负责人|法人|楼盘|"
    r"小区)[^，。]{0,6}"
    r"(?:贵姓|姓|名|叫|怎么称呼)"
)
_NAMELESS = re.compile(
    r"匿名|不(?:留|说|报|透露)(?:我的)?(?:姓|名)|不用留(?:姓|名)|不敢说(?:姓|名)|"
    r"不能说我是谁|别问我(?:是谁|叫)|名字(?:就)?不(?:说|留)了"
)
_REFUSES = re.compile(
    r"不方便|不(?:想|能|敢|愿意?)(?:说|留|透露|告诉)|不(?:说|留|报)了|不用留|就?别(?:问|"
    r"写|留|登)|不留|保密(?:吧|行|可以|$)|没必要|不需要"
)
_TAKES_BACK = re.compile(r"不用匿名|不匿名|可以留|实名")
_WORDS = re.compile(r"([一-鿿]{1,4})的([一-鿿])")


@dataclass(frozen=True, slots=True)
class NameReading:
    """What one utterance says of its speaker's name, read without knowing what was asked."""

    surname: str = ""
    given: str = ""
    title: str = ""
    start: int = 0
    end: int = 0
    own: bool = False  # said with 我: nobody else's


def name(said: Sequence[Said]) -> Value | None:
    """The citizen's name: 李建国, else 王女士, else 王; 匿名 where they do not want to tell.

    Returns:
        `parts`: surname, given, gender (男, 女 or ""), anonymous. None if it was not told.
    """
    talk = _NameTalk()
    for turn in turns(said):
        talk.hear(turn)
    return talk.value()


@lru_cache(maxsize=CACHED)
def _concerns(text: str) -> bool:
    return bool(
        _NAMED.search(text)
        or _CALLED.search(text)
        or _CALL_ME.search(text)
        or _ADDRESS.search(text)
        or _GENDER.search(text)
        or _NAMELESS.search(text)
        or asks_name(text)
        or _ANOTHERS.search(text)
    )


@lru_cache(maxsize=CACHED)
def _stated(text: str) -> NameReading | None:
    """A name stated as the speaker's own, whatever was asked."""
    match = _EXPLAINED.search(text)
    if match and match["char"] in match["full"]:
        return _reading(match, text, own=True)
    match = _CALLED.search(text)
    if match and not (match["am"] and _is_place(match, text)):
        return _reading(match, text, own=True)
    match = _CALL_ME.search(text)
    if match:
        surname = match["of"] or match["short"]
        return NameReading(surname, "", match["title"] or "", match.start(), match.end(), own=True)
    match = _NAMED.search(text)
    if match is None or (match["what"] and not spelled(text, match["of"])):
        return None
    own = bool(_MY_NAME.search(text))
    again = _REPEATED.search(text, match.end())
    if again and again["of"] == match["of"]:
        return _reading(again, text, own=own)
    return NameReading(match["of"], "", "", match.start("of"), match.end("of"), own)


@lru_cache(maxsize=CACHED)
def _answered(text: str) -> NameReading | None:
    """A name at the beginning of what answers a question for it."""
    match = _ANSWER.search(text)
    if not match:
        return None
    if match["full"]:
        wordlike = match["of"] in _WORDLIKE and "姓" not in text
        return None if wordlike or _is_place(match, text) else _reading(match, text, own=False)
    return NameReading(match["bare"], "", "", match.start("bare"), match.end("bare"))


def _reading(match: re.Match[str], text: str, *, own: bool) -> NameReading:
    surname = match["of"]
    given = match["full"][len(surname) :]
    if text[match.end("full") :].startswith("的") or given == surname:
        return NameReading(surname, "", "", match.start("full"), match.end("full"), own)
    return NameReading(surname, given, "", match.start("full"), match.end("full"), own)


def _is_place(match: re.Match[str], text: str) -> bool:
    """Whether what looks like a full name is where or what somebody is (高山镇的, 平城区)."""
    after = text[match.end("full") :]
    return (
        after.startswith("的") and not after.startswith("的的") and "姓" not in text[: match.end()]
    ) or bool(_PLACE.search(match["full"][1:]))


def _gender(text: str) -> str:
    if _FEMALE.search(text):
        return "女"
    return "男" if _MALE.search(text) else ""


@dataclass(slots=True)
class _NameTalk:
    """What was said of the caller's name so far."""

    surname: str = ""
    given: str = ""
    gender: str = ""
    spelled_out: bool = False
    given_spelled: bool = False
    anonymous: bool = False
    from_agent: bool = False
    echoed: bool = False
    heard_as: str = ""  # another surname the agent addressed the caller by
    evidence: list[Evidence] = field(default_factory=list)
    asked: int = 0  # turns that a question for the name stays open
    anothers: bool = False
    proposed: str = ""

    def hear(self, turn: SpokenTurn) -> None:
        if not (self.asked or self.proposed or _concerns(turn.text)):
            return
        if turn.agent:
            self._agent(turn)
        else:
            self._citizen(turn)

    def _agent(self, turn: SpokenTurn) -> None:
        text = turn.text
        self.proposed = ""
        self.anothers = bool(_ANOTHERS.search(text)) and "您贵姓" not in text
        self.asked = LATE if asks_name(text) and not self.anothers else max(0, self.asked - 1)
        for match in _ADDRESS.finditer(text):
            surname = match["of"] or match["late"]
            self.gender = _gender(match["title"] or match["latetitle"]) or self.gender
            self._addressed(surname, turn, match)
        if not self.gender or "还是" not in text:
            address = _GENDER.search(text)
            self.gender = (_gender(address[2]) if address and address[2] else "") or self.gender

    def _addressed(self, surname: str, turn: SpokenTurn, match: re.Match[str]) -> None:
        self.proposed = surname
        if not self.surname or self.from_agent:
            self.surname, self.from_agent, self.given = surname, True, ""
            self.anonymous = False
        elif surname == self.surname:
            self.echoed, self.heard_as = True, ""
        elif surname in alike(self.surname):
            self.heard_as = surname
        self._keep(turn, match.start(), match.end(), "称呼")

    def _citizen(self, turn: SpokenTurn) -> None:
        text, asked, proposed = turn.text, self.asked, self.proposed
        self.asked, self.proposed = max(0, asked - 1), ""
        self.gender = self._own_gender(text) or self.gender
        if self._refuses(text, asked):
            self._stays_anonymous(turn)
            return
        found = _stated(text)
        if found and self.anothers and not found.own:
            found = None
        if found is None and (asked or proposed) and not self.anothers:
            found = self._answer(text, asked, proposed)
        if found is None:
            self._explained(turn)
            if proposed and proposed == self.surname and says_yes(text):
                self.echoed = True
            return
        self.asked = 1 if asked else 0
        self._take(found, turn)

    def _answer(self, text: str, asked: int, proposed: str) -> NameReading | None:
        found = _answered(text)
        if found is None or (not found.given and not asked and found.surname != proposed):
            return None
        if not asked and found.surname != proposed and proposed not in alike(found.surname):
            return None
        return found

    def _own_gender(self, text: str) -> str:
        match = _GENDER.search(text)
        return _gender(match[1]) if match and match[1] and len(text) < 12 else ""

    def _refuses(self, text: str, asked: int) -> bool:
        if _TAKES_BACK.search(text):
            return False
        return bool(
            _NAMELESS.search(text) or (asked and _REFUSES.search(text) and not _stated(text))
        )

    def _stays_anonymous(self, turn: SpokenTurn) -> None:
        if self.surname and not self.from_agent and not _NAMELESS.search(turn.text):
            return  # it was another thing that was refused
        self.anonymous = True
        self._keep(turn, 0, len(turn.text), "匿名")

    def _take(self, found: NameReading, turn: SpokenTurn) -> None:
        explained = spelled(turn.text, found.surname)
        surname = explained or found.surname
        if not (self.spelled_out and not explained and surname in alike(self.surname)):
            if surname != self.surname:
                self.given, self.echoed, self.heard_as = "", False, ""
            self.surname, self.spelled_out = surname, bool(explained) or self.spelled_out
        self.from_agent = self.anonymous = False
        self.gender = _gender(found.title) or self.gender
        if found.given:
            self.given, self.given_spelled = _given(found.given, turn.text, surname)
        self._keep(turn, found.start, found.end, "自报")

    def _explained(self, turn: SpokenTurn) -> None:
        """不是，是解放的解: after somebody got it wrong."""
        if not self.surname or not (self.proposed or says_no(turn.text) or len(turn.text) < 16):
            return
        explained = spelled(turn.text, self.surname)
        if explained and (explained == self.surname or explained in alike(self.surname)):
            self.surname, self.spelled_out, self.from_agent = explained, True, False
            self.heard_as = ""
            self._keep(turn, 0, len(turn.text), "释字")

    def _keep(self, turn: SpokenTurn, start: int, end: int, why: str) -> None:
        if len(self.evidence) < 6:
            self.evidence.append(turn.said.evidence(start, end, why))

    def value(self) -> Value | None:
        if self.anonymous:
            parts = {"surname": "", "given": "", "gender": self.gender, "anonymous": True}
            return Value("匿名", ANONYMOUS, tuple(self.evidence[-2:]), parts=parts)
        if not self.surname:
            return None
        return Value(
            text=self._text(),
            confidence=self._confidence(),
            evidence=tuple(self.evidence),
            alternatives=self._alternatives(),
            parts={
                "surname": self.surname,
                "given": self.given,
                "gender": self.gender,
                "anonymous": False,
            },
            question=f"请问您是姓{self.surname}还是姓{self.heard_as}？"
            if self._contested()
            else "",
        )

    def _contested(self) -> bool:
        return bool(self.heard_as) and not self.spelled_out

    def _text(self) -> str:
        title = {"男": "先生", "女": "女士"}.get(self.gender, "")
        return self.surname + (self.given or title)

    def _confidence(self) -> float:
        if self._contested():
            return CONTESTED
        if self.given:
            return GIVEN_SPELLED if self.given_spelled else GIVEN_STATED
        if self.from_agent:
            return ADDRESSED
        if self.spelled_out:
            return SPELLED_OUT
        if self.echoed:
            return ECHOED
        return STATED if alike(self.surname) else ONE_OF_ITS_SOUND

    def _alternatives(self) -> tuple[Alternative, ...]:
        if self.heard_as and not self.spelled_out:
            return (Alternative(self.heard_as, 0.3),)
        return ()


def _given(given: str, text: str, surname: str) -> tuple[str, bool]:
    """The given name as it was explained (永远的永，强大的强), and whether it was."""
    explained = [m[2] for m in _WORDS.finditer(text) if m[2] in m[1] and m[2] != surname]
    if len(explained) != len(given):
        return given, False
    return "".join(explained), True
