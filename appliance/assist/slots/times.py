"""Times as people say them: where an utterance names one, and which interval it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.slots.calendar import SEASONS
from appliance.assist.slots.turns import CACHED, plain

_N = "[0-9零〇一二两三四五六七八九十]"
_PART_OF_MONTH = "初|上旬|中旬|中|下旬|底|末|月初|月中|月底|月末"
_DAY_OF = rf"(?:(?P<d{{0}}>{_N}{{{{1,3}}}})[号日]|(?P<p{{0}}>{_PART_OF_MONTH})(?!间|心|学|国|医))"
_NOT_NUMBERED = r"(?!楼|院|线|门|店|机|厅|库|桥|井|床|窗|桌|车|站|工|坑|矿|公寓|地|家)"
_YEAR = r"(?P<y>20\d\d年|二[零〇][零〇一二三四五六七八九]{2}年|今年|去年|前年|大前年|本年|头年)"
_HOLIDAYS = (
    "国庆节?|春节|大年(?:初[一二三四五六七]|三十)|过年|除夕|元旦|五一|劳动节|端午节?|"
    "中秋节?|清明节?|双十一|双十二|十一(?=期间|假期|长假|黄金周)"
)
_SEASON = "|".join(SEASONS)
_PARTS = (
    "凌晨|清早|大清早|一大早|早晨|早起|早上|上午|前晌|中午|晌午|下午|后晌|傍晚|晚上|"
    "夜里头?|后半夜|半夜里?|深夜|夜间|黑夜"
)
_RELATIVE = (
    "大前天|前天|前日|前儿个?|昨天|昨日|昨晚上?|昨夜|昨儿个?|夜来|夜儿个|今天|今日|"
    "今儿个?|今早上?|今晚|今晨"
)
_COUNT = rf"(?:好几|大半|多半|小?半|{_N}{{1,3}}|几)"
_UNIT = "年|个?多?来?月|个?多?星期|个?多?礼拜|周|天|个?多?小时|个?多?钟头"
_EXPRESSION = re.compile(
    rf"(?P<iso>(?P<iy>20\d\d)[-/.](?P<im>\d{{1,2}})[-/.](?P<id>\d{{1,2}}))"
    rf"|{_YEAR}(?:的?(?P<ym>{_N}{{1,3}})月份?(?:的?{_DAY_OF.format(1)})?|"
    rf"的?(?P<ys>{_SEASON})|的?(?:年?(?P<yp>初|底|末)|(?P<yh>上半年|下半年)))?"
    rf"|(?<!{_N})(?P<m>{_N}{{1,2}}|[一二三四五六七八九]{{2}}|"
    rf"十[一二])月份?(?:的?{_DAY_OF.format(2)}{_NOT_NUMBERED})?"
    rf"|(?P<mw>上上个?月|上个?月|这个?月|本月)(?:份|的)?(?:的?{_DAY_OF.format(3)}{_NOT_NUMBERED})?"
    rf"|(?P<rel>{_RELATIVE})"
    rf"|(?P<wk>上上|上|这|本)个?(?:周|星期|礼拜)(?P<wd>[一二三四五六日天末])?"
    r"|(?<![每一二两三四五六七八九十几个0-9])(?:周|星期|"
    r"礼拜)(?P<pwd>[一二三四五六日天])(?!到|至|、|[一二三四五六日])"
    rf"|(?P<hol>{_HOLIDAYS})(?!路|街|广场|巷|大街|小区|桥|村|镇|大道|厂|矿)"
    rf"|(?<!{_N})(?P<od>{_N}{{1,3}})[号日](?=那天|开始|以后|之后|到现在|早上|上午|下午|"
    rf"晚上|夜里|就|至今)"
    rf"|(?P<ago>{_COUNT})(?P<aplus>多|来)?(?P<au>{_UNIT})(?:之|以)?前(?!后|面|台|院|门)"
    rf"|前(?P<few>几|两|一两|两三)(?P<fu>天|个?月|年|个?星期|个?礼拜)"
    rf"|(?P<n>{_COUNT})(?P<plus>多|来|几)?(?P<u>{_UNIT})(?P<half>半)?(?P<plus2>多|来)?(?P<le>了)?"
    rf"|(?P<vague>最近|近期|近来|这段时间|这一段|前一段(?:时间)?|前段时间|前阵子|这两天|"
    rf"这几天|那几天)"
)
_DAYTIME = re.compile(
    rf"(?P<part>{_PARTS})?的?(?:(?P<h>\d{{1,2}}|{_N}{{1,3}})(?:点|:(?=\d\d))(?:钟|"
    rf"整)?(?:(?P<min>\d{{1,2}}|{_N}{{1,3}})分?|(?P<half>半)|(?P<q>[一三])刻)?)?"
    r"(?:多|来)?(?:钟)?(?:左右|的时候|以后|之后|那会儿)?"
)
_IN_DAY = re.compile(r"(?<=[昨今])[晚夜早晨]")  # 昨晚, 今早
_LINK = re.compile(r"^(?:[，、的\s吧呢啊]|大概|差不多|就是|大约|有个|也就){0,3}")
_RECURRING = re.compile(
    rf"(?:每(?:天|晚|日|夜|周|月|年|次|个月|个星期|个礼拜|个工作日|到|逢|回)|天天|夜夜|"
    rf"见天|(?:一|只要)到(?:晚上|夜里|下雨天?|下雪天?|冬天|夏天|饭点|(?=早|中|晚)))"
    rf"(?:都|的|，)?(?:是)?(?:{_PARTS}|晚)?(?:{_N}{{1,3}}点(?:多|半|钟|来钟)?)?(?:以后|之后|开始)?"
)
_SINCE_BEFORE = re.compile(r"(?:从|打从|自从|打|自)(?:的|我们?|他们?)?$")
_SINCE_AFTER = re.compile(
    r"^[^，。！？]{0,6}?(?:开始|就(?=没|一直|这样|这么|停|有|坏|不|漏|是这)|以来|至今|"
    r"到现在|到今天)|^[，、]?(?:一直)?到(?:现在|今天|如今)|^起"
)
# A time followed or led by these is a limit, a plan, or an opening hour.
_LIMIT_AFTER = re.compile(
    r"^(?:之?以?内|之?以?前(?!就|开始)|(?:就|才|再|能|会|要|给)?[^，。]{0,4}(?:答复|回复|"
    r"截止|到期|完工|办结|放假|的火车|的飞机|的车票))"
    r"|^(?:就|才|再|能|会|要|给|也)?(?:上班|下班|关门|开门|营业|退休)|^的?工作日|"
    r"^[^，。]{0,3}，?(?:几点|能不能|行不行)"
)
_LIMIT_BEFORE = re.compile(
    r"(?:明年|后天|明天|下个?(?:周|月|星期|礼拜)|截止|到期|最晚|限(?:期|你们)?|合同|"
    r"写的?(?:是)?|保证|答应|承诺|说好|需要|要等|等|再过|过|还有|"
    r"等了|交了|缴了|干了|住了|当了|用了|签了?|租了|办理?了?|第|满|差|不到|每|管|存了|"
    r"工作了|退休|学了|跑了|打了)"
    r"(?:他|是|到|个|我|的)?$"
)
_FUTURE = re.compile(r"明天|后天|下个?(?:周|月|星期|礼拜)|明年|过几天|过两天")
_CALLED_BEFORE = re.compile(
    r"^[^，。]{0,8}(?:打过|打了[^，。]{0,4}电话|反映过|给你们打|来过电话|投诉过)"
)
_RATE = re.compile(
    r"^(?:\S{0,4}[0-9一二两三四五六七八九十百千万]+(?:块|元|毛|万|趟|回|次|条)|一次|一趟|"
    r"的(?:工资|卡|房租|会员|课|钱|活|利息|时间))"
)


@dataclass(frozen=True, slots=True)
class TimeSaid:
    """A time named in an utterance, not yet set against a calendar.

    Attributes:
        fields: the groups of the pattern that matched; `part`, `h`, `min` of the day's time.
        since: it is when something began that goes on.
        recurring: it comes again and again; then it has no interval.
        weak: it may be a time of something else (a rate, a span of work).
        called: it is when the citizen called before.
    """

    text: str
    start: int
    end: int
    fields: Mapping[str, str]
    since: bool = False
    recurring: bool = False
    weak: bool = False
    called: bool = False


@lru_cache(maxsize=CACHED)
def times(text: str) -> tuple[TimeSaid, ...]:
    """The times an utterance names, in order; limits, plans and opening hours left out."""
    text = plain(text)
    found = [*_recurring(text)]
    taken = [(each.start, each.end) for each in found]
    for match in _EXPRESSION.finditer(text):
        if any(match.start() < end and match.end() > start for start, end in taken):
            continue
        made = _dated(match, text)
        if made:
            found.append(made)
            taken.append((made.start, made.end))
    found += _bare_hours(text, taken)
    return tuple(sorted(found, key=lambda each: each.start))


def _recurring(text: str) -> list[TimeSaid]:
    return [
        TimeSaid(m[0].rstrip("都的，是"), m.start(), m.end(), {}, recurring=True)
        for m in _RECURRING.finditer(text)
    ]


def _dated(match: re.Match[str], text: str) -> TimeSaid | None:
    fields = {key: value for key, value in match.groupdict().items() if value}
    end = match.end()
    if "n" not in fields and "ago" not in fields:
        end = _with_daytime(text, end, fields)
    before, after = text[max(0, match.start() - 8) : match.start()], text[end : end + 16]
    if _LIMIT_AFTER.search(after) or _FUTURE.search(text[match.start() : end]):
        return None
    duration = "n" in fields
    since = bool(_SINCE_BEFORE.search(before) or _SINCE_AFTER.search(after))
    weak = bool(_LIMIT_BEFORE.search(before)) and not since
    if duration and (weak or _RATE.search(after) or not _lasts(fields, before, after)):
        return None
    return TimeSaid(
        text[match.start() : end],
        match.start(),
        end,
        fields,
        since=since or duration,
        weak=weak,
        called=bool(_CALLED_BEFORE.search(after)),
    )


def _lasts(fields: Mapping[str, str], before: str, after: str) -> bool:
    """Whether a number of days is how long something has gone on."""
    led = re.search(r"(?:有|快|近|已经|都|这都|整整|足足|大概|差不多|拖|持续|将近)(?:了)?$", before)
    return bool(
        "le" in fields
        or (led and not re.match(r"[^，。]{0,2}(?:前|后|内)", after))
        or re.match(r"^(?:，)?(?:都|也|没|一直|不|时间)", after)
        or re.match(r"^[吧。，]?$", after)
    )


def _with_daytime(text: str, end: int, fields: dict[str, str]) -> int:
    """Takes the time of day that follows a date into its fields; where that ends."""
    link = _LINK.match(text[end:])
    found = _DAYTIME.match(text, end + (link.end() if link else 0))
    named = _IN_DAY.search(fields.get("rel", ""))
    if named:
        fields["part"] = {"晚": "晚上", "夜": "夜里"}.get(named[0], "早上")
    if not found or not (found["part"] or found["h"]):
        found = _later_daytime(text, end)
    if not found:
        return end
    fields.update({key: value for key, value in found.groupdict().items() if value})
    return _with_hour(text, found.end(), fields)


def _with_hour(text: str, end: int, fields: dict[str, str]) -> int:
    """今天早上，八点半左右: the hour after the part of the day."""
    link = _LINK.match(text[end:])
    found = _DAYTIME.match(text, end + (link.end() if link else 0))
    if "h" in fields or not found or not found["h"] or found["part"]:
        return end
    fields.update({key: value for key, value in found.groupdict().items() if value})
    return found.end()


def _later_daytime(text: str, end: int) -> re.Match[str] | None:
    """昨天下火车，晚上十点多: a few words between."""
    for found in _DAYTIME.finditer(text, end, end + 14):
        if found["part"] and found["h"]:
            return (
                found
                if not re.search(r"[。！？]|每|今|昨|前天", text[end : found.start()])
                else None
            )
    return None


def _bare_hours(text: str, taken: list[tuple[int, int]]) -> list[TimeSaid]:
    """从早上六点就停了: today's, if it is said to have begun then."""
    made = []
    for match in _DAYTIME.finditer(text):
        if not (match["part"] and match["h"]):
            continue
        if any(match.start() < end and match.end() > start for start, end in taken):
            continue
        since = bool(_SINCE_BEFORE.search(text[max(0, match.start() - 3) : match.start()]))
        if since:
            fields = {key: value for key, value in match.groupdict().items() if value}
            made.append(TimeSaid(match[0], match.start(), match.end(), fields, since=True))
    return made
