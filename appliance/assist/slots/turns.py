"""Who says what to whom: roles guessed where nobody knows them, and answers of yes and no."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.slots.value import Said
from appliance.messages import LegRole

CACHED = 8_192  # utterances whose reading is kept: some dozen calls, or one that lasts a day

_WIDTHS = {
    **{chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)},
    "　": " ",
    # Punctuation has the form it has in Chinese.
    **{mark: mark for mark in "，？！；（）"},
    **dict(zip(",?!;()", "，？！；（）", strict=True)),
}
# Characters of the cues, so that a transcript in traditional ones is understood as well.
_TRADITIONAL = (
    "貳叄參陸兩點號電話機對錯後個幾這們說訴為舉報還問題從開時間週禮歲長雙張陳許吳鄭劉趙馬黃"
    "楊孫葉馮龍韓蘇盧賈鄧蕭湯閻蔣羅萬聯繫碼嗎貴稱請幫應當會業級現漏園場門樓單處來過沒樣給讓"
)
_SIMPLIFIED = (
    "贰叁叁陆两点号电话机对错后个几这们说诉为举报还问题从开时间周礼岁长双张陈许吴郑刘赵马黄"
    "杨孙叶冯龙韩苏卢贾邓萧汤阎蒋罗万联系码吗贵称请帮应当会业级现漏园场门楼单处来过没样给让"
)
_PLAIN = str.maketrans({**_WIDTHS, **dict(zip(_TRADITIONAL, _SIMPLIFIED, strict=True))})

_AGENT = re.compile(
    r"您|12345为|请讲|工号\d|为您服务|给您|(?:先生|女士|大爷|大妈|阿姨)(?:是吧|对吧|，)|请问"
    r"|^好的，?(?:已经|给|会)|已经?记录"
)
_CITIZEN = re.compile(r"我姓|免贵|我叫|我要|我想|我们|你们|我家|我跟你|反映一|谢谢你")
_YES = re.compile(
    r"^[嗯啊哦诶哎唉欸呃，,。、\s]*"
    r"(?:对|是(?!不是|吗)|没错|没问题|正确|可以|行|就是|不错|嗯|好|中|成|OK|ok|能(?!不能)|要的)"
)
_WEAK = re.compile(r"^(?:嗯|好|行|啊|哦)[的嗯啊哦吧呀，。,\s]*$")
_NO = re.compile(
    r"不对|不是(?!说|吗|不|让)|错了|不行|说错|记错|听错|搞错|不正确|^(?:不|没有|没|"
    r"不用)[，。,\s]*$|^不[，,]"
)
# What only keeps a talk going, whoever says it.
_BACKCHANNEL = re.compile(
    r"^[嗯啊哦诶哎唉欸呃好的对是行您你请继续说讲接着往下慢点记了下后面呢，。！？、,.!?\s]*$"
)
_LET = re.compile(r"您(?:贵姓|叫什么|怎么称呼)")


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """An utterance with the speaker it is taken for."""

    said: Said
    text: str  # plain(): of the same length as `said.text`
    agent: bool


@lru_cache(maxsize=CACHED)
def plain(text: str) -> str:
    """Letters half-width, marks full-width, numbers and cues in simplified characters.

    Offsets stay as they were.
    """
    return text.translate(_PLAIN)


@lru_cache(maxsize=CACHED)
def sounds_like_agent(text: str) -> bool:
    """Whether nobody but an agent talks like that."""
    return bool(_AGENT.search(text)) and not _CITIZEN.search(text)


def turns(said: Sequence[Said]) -> list[SpokenTurn]:
    """The utterances with their speakers; who is unknown is told by manner of speaking."""
    return [_turn(each) for each in said]


def _turn(said: Said) -> SpokenTurn:
    text = plain(said.text)
    if said.role is LegRole.UNKNOWN:
        return SpokenTurn(said, text, sounds_like_agent(text))
    return SpokenTurn(said, text, said.role is LegRole.AGENT)


@lru_cache(maxsize=CACHED)
def says_yes(text: str) -> bool:
    """Whether an answer begins with a yes and takes nothing back."""
    return bool(_YES.search(text)) and not says_no(text)


@lru_cache(maxsize=CACHED)
def says_no(text: str) -> bool:
    """Whether an answer denies what was asked."""
    return bool(_NO.search(text))


@lru_cache(maxsize=CACHED)
def is_weak(text: str) -> bool:
    """Whether a yes may be no more than a listener's 嗯."""
    return bool(_WEAK.search(text))


@lru_cache(maxsize=CACHED)
def is_backchannel(text: str) -> bool:
    """Whether nothing is said but that one listens."""
    return len(text) <= 16 and bool(_BACKCHANNEL.search(text))


@lru_cache(maxsize=CACHED)
def asks_name(text: str) -> bool:
    """Whether an agent asks who is calling."""
    return bool(_LET.search(text)) or bool(
        re.search(
            r"贵姓|怎么称呼|(?:姓名|名字|全名).{0,4}(?:是|叫|留|吗|？)|(?:留|个)(?:姓名|名字)", text
        )
    )
