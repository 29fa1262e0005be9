"""Words around an address that say whether it is one, whose, and whether it holds."""

from __future__ import annotations

import re
from collections.abc import Callable

# Before a place. Two lengths of look-behind are not to be had in one expression: these look at
# the text up to the place.
_LEADS = re.compile(
    "(?:在|住|位于|坐落|到|去|从|往|来自|属于?|归|于|叫|是|离|靠近|挨着|说的?|找|地址|地方)$"
)
_OPENS = re.compile(
    "(?:^|[，。！？、；：,.!?;:\\s“”‘’\"'（）()]|我们|咱们|你们|咱|俺们?|[我你他]|[嗯啊哦呃诶哎喂]|那个|这个|就|"
    "[的有个和与跟及了家对把被给让向朝沿过走市区县镇乡村路街道]|好|反映|一下|投诉|举报|咨询|村民|居民)$"
)
_PREFIXES = re.compile("[老新大小东西南北上下中前后古主内外市第一二三四五六七八九十]$")
_FOLLOWS = re.compile(
    "$|[，。！？、；：,.!?;:\\s“”‘’\"'（）()的这那里有人和与跟及往上下内外东西南北附旁对门路口边一二三四五六七八九十"
    "0-9A-Za-z甲吗吧呢啊呀嘛了是就也都要没不出]|周边|两边|后面|前面|居民|村民|小区|社区|物业|段|"
    "交叉|交汇|到|靠|挨|住|叫|方向|能|怎|发生|昨|今|现|停|修|施工|堵"
)
_GENERIC = re.compile(
    "街道|大街|大道|市场|[区县市镇乡村路街巷桥站]|社区|小区|花园|家园|公园|广场|医院|学校|小学|中学|市场|大厦|公寓|苑"
)
_STREET = re.compile(
    "[东西南北中一二三四五]{0,2}(?:路|街(?!道)|大道|大街|巷|弄|桥|公路)|大厦|广场|大酒店|宾馆|商城|市场|中心|科技|创新|国际|"
    "工业|经济|皮革|轻纺|商贸|农商|银行|[^镇乡区县街]{0,2}公司"
)
_GOES_ON = re.compile(
    "街道|[区县镇乡](?![里上政长民])|村(?![里民口上])|社区|宿舍|家属院|花园|家园|公寓|幼儿园|小学|中学|学校|医院|"
    "市场|公园|火车站|车站|大桥|派出所|[一二三四五六七八九十0-9A-Z]{1,2}期|[A-Z东西南北]区"
)
# A part of what is named in full before it, or what belongs to it: 枫林逸景二期, 莎泉村小学.
_PART = re.compile("[一二三四五六七八九十0-9A-Z]{1,2}期|[A-Z东西南北]区")
_VILLAGE_HAS = re.compile(
    "村?(?:村?委会|村?部|小学|学校|幼儿园|卫生[室院所]|大队|派出所|文化广场|大桥)"
)
# Said of another kind than it is, but meant all the same.
_ALIKE = (
    {"社区", "小区", "村", "居委会", "村委会", "家属院", "大院"},
    {"街道", "街", "办事处"},
    {"镇", "乡", "街道"},
    {"街", "大街", "路", "大道"},
    {"区", "县", "市"},
)

_NUMERALS = str.maketrans("0123456789", "零一二三四五六七八九")
_DIGITS, _WAYS = frozenset("零一二三四五六七八九十"), frozenset("东西南北上下")
# What people say on every call: hardly what a recogniser makes of a name.
_COMMON = re.compile(
    "没人管|没人|不给|社保卡|医保卡|身份证|公积金|居住证|户口本|我们|咱们|你们|他们|小区|门口|怎么|什么|晚上|早上|上午|下午|问题|一下|影响|反映|没有|这个|那个|这边|那边|"
    "这里|那里|哪里|现在|一直|办理|需要|可以|已经|时候|知道|解决|处理|投诉|电话|热线|您好|你好|请问|谢谢|"
    "因为|所以|但是|就是|还是|不是|是不是|孩子|老人|老百姓|居民|业主|物业|领导|政府|部门|单位|公司|社区|村里|"
    "天天|每天|今天|昨天|明天|前天|去年|今年|上个月|这几天|左右|大概|声音|特别|非常|休息|睡觉|停水|停电|暖气|"
    "供暖|垃圾|下水道|路灯|施工|噪音|噪声|漏水|希望|尽快|情况|事情|东西|地方|附近|旁边|对面|为什么|多少|自己|"
    "人家|房子|开发商|房产证|社保|医保|养老|工资|学校|医院|公交|红绿灯|停车|车位|电梯|楼道|管道|自来水|天然气"
)

# A clause of a name alone: what else should it be than where it is.
_CLAUSE = re.compile("(?:^|[，。！？；,.!?;\\s])(?:我们?|俺们?|咱们?)?(?:家|就|是|住)*在?$")
_CLAUSE_ENDS = re.compile(
    "(?:的|那|这)*(?:边|块儿?|儿|一片|片儿?|一带|附近|旁边|对面|门口|里头?|后头|上)?的?[吧啊呀嘛]?(?:$|[，。！？；,.!?;])"
)
UNLED, OPENED, PREFIXED, UNFOLLOWED = -4.0, -2.0, -6.0, -1.2  # nats
ANOTHER_KIND, ALIKE_KIND, STREET = -4.0, -1.5, -12.0
BARE, BARE_AND_MISHEARD = -2.0, -3.0
COMMON = -3.0
ALONE = 3.0


def lead(text: str, start: int) -> float:
    """What stands before `start` tells, in nats: 0 where a place is expected."""
    before = text[max(0, start - 4) : start]
    if _LEADS.search(before):
        return 0.0
    if _OPENS.search(before):
        return OPENED
    return PREFIXED if _PREFIXES.search(before) else UNLED


def follow(text: str, end: int, bare: bool = False) -> float:
    """The same for what stands after `end`; of a bare name, without its 路 or 小区, more."""
    if text[end - 1 : end + 1] == "街道":
        return PREFIXED
    return 0.0 if _FOLLOWS.match(text, end) else UNFOLLOWED * (2 if bare else 1)


def alone(text: str, start: int, end: int) -> bool:
    """Whether it is a clause of its own: ，三屯那边。"""
    before = text[max(0, start - 8) : start]
    return bool(_CLAUSE.search(before)) and bool(_CLAUSE_ENDS.match(text, end))


def another_kind(text: str, start: int, end: int, tail: str) -> tuple[float, int]:
    """What it tells that a name that should end with `tail` ends, or goes on, as the text does;
    and where such an end ends. 0 and `end` where neither is as names end."""
    for at in (end - 2, end - 1, end):
        found = _GENERIC.match(text, at) if at >= start + 2 else None
        if found and found.end() >= end and not tail.startswith(found[0]):
            alike = any({found[0], tail} <= kinds for kinds in _ALIKE)
            return (ALIKE_KIND, found.end()) if alike else (ANOTHER_KIND, end)
    return 0.0, end


def is_street(text: str, end: int, core: str) -> bool:
    """Whether what is said of a division, bare, is a street's name: 平城路, 解放北路."""
    return bool(_STREET.match(text, end)) or core[-1] in "路街巷道"


def goes_on(text: str, end: int) -> bool:
    """Whether the text goes on after a name as if it were the beginning of another's."""
    return bool(_GOES_ON.match(text, end))


def has_part(text: str, end: int) -> bool:
    """Whether what goes on after a name said in full is a part of that place."""
    village = text[:end].endswith("村") and _VILLAGE_HAS.match(text, end)
    return bool(village or _PART.match(text, end))


def another_number(said: str, name: str, alike: Callable[[str, str], bool]) -> bool:
    """Whether 二期 or 东街 is heard where the name has 一期 or 西街; not 五 for 武."""
    said, name = said.translate(_NUMERALS), name.translate(_NUMERALS)
    if (_DIGITS | _WAYS).isdisjoint(said):
        return False
    told, known = ([char for char in text if char in _DIGITS] for text in (said, name))
    others = [char for char in name if char not in _DIGITS]
    told = [char for char in told if char in known or not any(alike(char, o) for o in others)]
    if told and told != known:
        return True
    told, known = ([char for char in text if char in _WAYS] for text in (said, name))
    return bool(told and set(told) - set(known) and (known or len(said) > len(name)))


def everyday(said: str) -> bool:
    """Whether it is a word that everybody says, and no more."""
    return bool(_COMMON.fullmatch(said))


def common(text: str, start: int, end: int, name: str) -> float:
    """What it tells that a name is heard in words that everybody says."""
    for found in _COMMON.finditer(text, max(0, start - 3), min(len(text), end + 3)):
        within = text[max(start, found.start()) : min(end, found.end())]
        if within and within not in name:
            return COMMON
    return 0.0


_NO = re.compile("不对|不是|错了|不，|没有没有|说错|弄错|搞错|记错|写错|不不|应该是|改成|改为|更正")
_DENIED = re.compile("(?<!是)不是(?:在|说)?(?:那个)?$|不在$|不归$|不属于?$")
_CORRECTS = re.compile("(?:不对|错了|应该是|改成|改为|是在?|我说的?是|更正)[，,。\\s]*(?:那个)?$")
_TURNS = re.compile(
    "(?:不对|错了|不是)[^，,。是]{0,12}[，,。\\s]+(?:不对|错了)?(?=是|应该是|我说的?是|就?在|叫|[^，,。]{2,6}[区县镇乡村])|而(?=是)|(?:不对|错了)[，,。\\s]*"
)
_MINE = re.compile(
    "(?:我|我们|俺们?|咱们?)?(?:家)?住在?$|我家在?$|我家住|(?:家在|户口在?|老家|单位在?)$"
)
_WHERE = re.compile(
    "哪个(?:小区|社区|村|区|县|镇|乡|街道|地方|位置)|哪里|哪儿|哪块|哪条|哪一片|什么(?:地方|位置|小区|村|路|街)|地址|具体位置|在哪|"
    "(?:是|还是).{2,12}(?:吗|呢|还是)"
)
_ASKED = (
    ("room", re.compile("几室|房间号|房号|门牌|几零几|哪一?户|几户|室号")),
    ("unit", re.compile("几单元|哪个?单元|单元号|几门")),
    ("floor", re.compile("几楼|几层|哪一?层|楼层")),
    ("building", re.compile("几号楼|哪[栋幢座]|几[栋幢座]|楼号|哪个楼|哪一?号楼")),
    ("number", re.compile("多少号|几号(?!楼)|门牌号|号码是多少号")),
)


def denied(text: str, start: int) -> bool:
    """Whether the place that begins at `start` is said not to be it: 不是平城区."""
    return bool(_DENIED.search(text[max(0, start - 6) : start]))


def corrects(text: str, start: int) -> bool:
    """Whether it is put in another's place: 不对，是云州区."""
    before = text[:start]
    return bool(_NO.search(before)) and bool(_CORRECTS.search(before[-8:]))


def turns_of(text: str) -> list[int]:
    """Where what is said turns against what was said before: 不是A，|是B; 不对，|是C."""
    return [0, *(found.end() for found in _TURNS.finditer(text)), len(text)]


def mine(text: str, start: int) -> bool:
    """Whether it is where the speaker lives, which need not be where the matter is."""
    return bool(_MINE.search(text[max(0, start - 8) : start]))


def asks_where(text: str) -> bool:
    """Whether somebody asks for a place."""
    return bool(_WHERE.search(text))


def asked(text: str) -> tuple[str, ...]:
    """The levels of a house number that a question asks for."""
    return tuple(level for level, pattern in _ASKED if pattern.search(text))
