"""What is said about telephone numbers, besides the numbers: asked, whose, which, this one."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from appliance.assist.slots.digits import has_digits
from appliance.assist.slots.turns import CACHED, is_backchannel, says_no

_TALK = re.compile(r"电话|手机|号码|联系方式|联系您|座机|尾号|本机|来电|这个号")
_ASKS_PHONE = re.compile(
    r"(?:电话|手机|号码|联系方式|联系您|座机)[^。]{0,12}(?:多少|是|留|说|吗|呢|报|[？?]|$)"
    r"|(?:留|报|说)[^。]{0,6}(?:电话|手机|号码|联系方式)"
)
_ASKS_OTHER = re.compile(
    r"(?:单号|户号|订单号?|编号|身份证|车牌|证号|账号|卡号|工号)[^。]{0,12}(?:多少|是|吗|"
    r"呢|有|[？?]|$)"
)
_OTHERS = (
    "房东|老板|对方|公司|物业|店|商家|中介|骗子|司机|包工头|老师|单位|客服|他们|他|她|医院|学校|"
    "开发商|经理|负责人|站长|社区|村委|办公室|扣费|骚扰|热线|大厅"
)
_ASKS_THEIRS = re.compile(rf"(?:{_OTHERS})[^，。您]{{0,5}}(?:电话|手机|号码|联系方式)")
_TOO_SHORT = re.compile(r"[少缺差].{0,3}位|位数不够|不够.{0,3}位|不全")
_TOO_LONG = re.compile(r"多.{0,4}位|多说")
_TELLS = re.compile(r"打|咨询|(?:电话|号码)(?:就)?是|拨|致电|联系(?!您|电话|方式)")
_CHECKS = re.compile(
    r"吗|对吧|是吧|对不对|是不是|还是|没错吧|[？?]|核对|重复|确认|您的?(?:来电|电话|手机)|来电"
)
_THIS = re.compile(
    r"本机|来电(?:这个|的|号码|就行|显示)|(?:就|用|打|是|说)?(?:现在)?这个(?:手机|电话|号码|号)|"
    r"(?:打过来|打来|刚才打|现在打|正在打)的?(?:这个|那个)?|(?:就|打)(?:是)?这个(?=$|"
    r"[，。,.就吧哇的了呗])|"
    r"(?:电话|手机|号码)(?:就|是)+这个|就用?这个"
)
_THIS_ASKED = re.compile(
    r"来电(?:号码|这个|电话|的)|(?:这个|本机|现在的?)(?:号码|电话|手机|号)|您现在(?:的|"
    r"打)|打(?:这个|本)(?:号|机)?"
)
_OTHER_OWNER = re.compile(
    rf"(?:{_OTHERS})(?:的|那个|这个|那边)?(?:联系)?(?:电话|手机|号码|号)?(?:的?是|[：:]|"
    rf"叫)?[^，。我]{{0,4}}$"
    r"|叫(?:个|什么|甚)*[^，。我]{2,6}，?(?:他|她)?(?:的)?(?:电话|手机)(?:号码?)?是?$"
    r"|(?:我)?(?:拨|打过|打了|(?<!刚才)(?<!现在)打的)[^，。]{0,6}$"
)
_WANTED_BEFORE = re.compile(
    r"打(?:另外|我|他|她|这)|记(?:我|他|她|一?下|这)|联系(?:我|就)|我(?:的|"
    r"自己的?)?(?:联系)?(?:电话|手机|号码|号|是|的是|儿子|闺女|女儿|爱人|老伴)|"
    r"换了|现在(?:用|的)?是?|新(?:的|号)"
)
_WANTED_AFTER = re.compile(
    r"^[^。]{0,6}打(?:这个|他的|她的|我的)|^[^。]{0,4}联系(?:我)?就?(?:打|用)这个"
)
_SPARE = re.compile(
    r"还有一?个(?:手机|电话|号)|备用|打不通|也记|再留一?个|另一个(?:手机|电话|号)?也"
)
_DROPS = re.compile(
    r"(?:这个|那个|原来的?|旧的?)[^，。]{0,4}(?:不(?:常|怎么)?用|停机|换了|打不通|没用)|"
    r"不要打(?:这|那)个"
)
_SWITCHES = re.compile(
    r"(?:还是|改)(?:打|记|留|用)|另(?:外那?)?一个(?!手机也|电话也|号也)|换(?:一)?个|算了|别打"
)
_UNIT_OWN = re.compile(r"(?:家里|家里头|座机|宅电|固话)")


class Owner(StrEnum):
    """Whose number it is said to be."""

    UNSAID = ""
    OTHER = "other"
    SPARE = "spare"
    WANTED = "wanted"


class Ask(StrEnum):
    """What an agent asks for."""

    NOTHING = ""
    PHONE = "phone"
    OTHER = "other"  # another number, or another's phone


@lru_cache(maxsize=CACHED)
def concerns_phone(text: str) -> bool:
    """Whether an utterance can matter to the slot at all."""
    return has_digits(text) or any(p.search(text) for p in (_TALK, _THIS, _ASKS_OTHER))


@lru_cache(maxsize=CACHED)
def asked(text: str) -> Ask:
    """What number an agent asks for."""
    if _ASKS_OTHER.search(text) or (_ASKS_THEIRS.search(text) and "您自己" not in text):
        return Ask.OTHER
    if _ASKS_PHONE.search(text) or wrong_length(text):
        return Ask.PHONE
    return Ask.NOTHING


@lru_cache(maxsize=CACHED)
def wrong_length(text: str) -> bool:
    """Whether an agent says that digits are missing, or too many."""
    return bool(_TOO_SHORT.search(text) or _TOO_LONG.search(text))


@lru_cache(maxsize=CACHED)
def tells(text: str) -> bool:
    """Whether an agent gives a number rather than read one back."""
    return bool(_TELLS.search(text)) and not re.search(
        r"吗|对吧|是吧|还是|核对|您的?(?:来电|电话)", text
    )


@lru_cache(maxsize=CACHED)
def checks(text: str) -> bool:
    """Whether an agent asks if a number is right."""
    return bool(_CHECKS.search(text))


@lru_cache(maxsize=CACHED)
def means_this(text: str) -> bool:
    """Whether a citizen means the number of this very call (就是这个号码, 本机)."""
    return bool(_THIS.search(text)) and not says_no(text) and not _DROPS.search(text)


@lru_cache(maxsize=CACHED)
def asks_this(text: str) -> bool:
    """Whether an agent asks if the number of this call will do."""
    return bool(_THIS_ASKED.search(text)) and checks(text)


@lru_cache(maxsize=CACHED)
def drops(text: str) -> bool:
    """Whether a number named before is not to be called (这个号我不常用)."""
    return bool(_DROPS.search(text))


@lru_cache(maxsize=CACHED)
def switches(text: str) -> bool:
    """Whether a number is given in place of one given before."""
    return bool(_SWITCHES.search(text)) and not _SPARE.search(text)


@lru_cache(maxsize=CACHED)
def is_household(text: str) -> bool:
    """Whether a landline is talked of."""
    return bool(_UNIT_OWN.search(text))


@lru_cache(maxsize=CACHED)
def talks_of_phone(text: str) -> bool:
    """Whether a phone or number is named in words."""
    return bool(_TALK.search(text))


def owner(text: str, start: int, end: int) -> Owner:
    """Whose the number at [start, end) is, by the words around it."""
    before, after = text[max(0, start - 24) : start], text[end : end + 14]
    if _WANTED_AFTER.search(after) and not re.search(r"打不通", before):
        return Owner.WANTED
    if _SPARE.search(before):
        return Owner.SPARE
    other, wanted = _last(_OTHER_OWNER, before), _last(_WANTED_BEFORE, before)
    if other < 0 and wanted < 0:
        return Owner.UNSAID
    return Owner.OTHER if other > wanted else Owner.WANTED


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((match.start() for match in pattern.finditer(text)), default=-1)


def goes_on(text: str) -> bool:
    """Whether an utterance only waits for more digits."""
    return is_backchannel(text) or bool(re.search(r"记下|您(?:继续|接着|说)|后面(?:呢|是)", text))
