"""Telephone numbers made of groups of digits, and what a caller corrects of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from appliance.assist.slots.digits import Group, groups, groups_alike
from appliance.assist.slots.turns import CACHED, plain

MOBILE_DIGITS, LOCAL_DIGITS = 11, 7
_MOBILE = re.compile(r"1[3-9]\d{9}")
_LANDLINE = re.compile(r"(0(?:10|2\d|[3-9]\d\d))([2-8]\d{6,7})")
_LOCAL = re.compile(r"[2-8]\d{6}")
_EXTENSION = re.compile(r"^[，,\s]*(?:转|分机号?(?:是)?|-)[，,\s]*$")
# A number after these is none to be called at.
_NO_PHONE = re.compile(
    r"(?:单号|工单|编号|订单|身份证|证号|户号|账号|卡号|车牌|晋|表号|合同|发票|条码|学号|"
    r"案号|税号|证件|"
    r"社保号|户口|工号|快递|运单|病历|流水|QQ|qq)[^，。]{0,6}$"
)
_LAST = re.compile(
    r"最后|尾号|末尾|结尾|后[一二两三四五六]?位|末[一二两三四]?位|后面|后头|尾巴|尾数"
)
_FIRST = re.compile(r"开头|前[一二两三四五六]?位|前面|前头|头[一二两三四]位")
_MIDDLE = re.compile(r"中间")
_NTH = re.compile(r"(倒数)?第([一二三四五六七八九十]|十一|\d{1,2})位")
_COUNT = {char: at for at, char in enumerate("一二三四五六七八九十", 1)} | {"十一": 11}


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A whole number and where it was said; `digits` as it is written, 0352-6035517#8012."""

    digits: str
    start: int
    end: int
    shaky: int = 0  # digits that are only likely
    local: bool = False  # seven digits without an area code: only a phone where one is talked of


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """What an utterance has of telephone numbers: whole ones, and groups that make up none."""

    numbers: tuple[PhoneNumber, ...]
    rest: tuple[Group, ...]


def is_mobile(digits: str) -> bool:
    """Whether these are the digits of a mobile number of China's."""
    return bool(_MOBILE.fullmatch(digits))


@lru_cache(maxsize=CACHED)
def reading(text: str) -> PhoneReading:
    """The numbers of one utterance. Words that sound like digits help where nothing else fits."""
    found = _read(text, groups(text))
    if found.numbers or not found.rest:
        return found
    alike = _read(text, groups_alike(text))
    return alike if any(is_mobile(n.digits) for n in alike.numbers) else found


def _read(text: str, said: Sequence[Group]) -> PhoneReading:
    numbers: list[PhoneNumber] = []
    rest: list[Group] = []
    for chain in _chains(said):
        if _NO_PHONE.search(plain(text)[max(0, chain[0].start - 14) : chain[0].start]):
            continue
        made = assembled(chain)
        if made:
            numbers += made
            rest += [g for g in chain if g.start >= made[-1].end]
        elif numbers and _is_extension(text, numbers[-1], chain[0]):
            numbers[-1] = _extended(numbers[-1], chain[0])
        else:
            rest += chain
    return PhoneReading(tuple(numbers), tuple(rest))


def _chains(said: Sequence[Group]) -> list[list[Group]]:
    chains: list[list[Group]] = []
    for group in said:
        if group.joined and chains:
            chains[-1].append(group)
        else:
            chains.append([group])
    return chains


def assembled(chain: Sequence[Group]) -> list[PhoneNumber]:
    """The whole numbers in groups that follow each other: what was taken back left out, said twice
    counted twice."""
    last_break = max((at for at, group in enumerate(chain) if group.broken), default=0)
    after = list(chain[last_break:])
    found = _contiguous(after) or _contiguous(_collapsed(after))
    if found or not last_break:
        return found
    before = _contiguous(chain[:last_break]) or _contiguous(_collapsed(chain[:last_break]))
    return before or _grafted(chain[:last_break], after)


def _contiguous(chain: Sequence[Group]) -> list[PhoneNumber]:
    found: list[PhoneNumber] = []
    at, left_out = 0, 0
    while at < len(chain):
        number, used = _from(chain, at)
        found += number
        left_out += 0 if number else len(chain[at].digits)
        at += used
    # A local number with other digits around it is part of a longer one that was not heard whole.
    return [each for each in found if not (each.local and left_out)]


def _from(chain: Sequence[Group], at: int) -> tuple[list[PhoneNumber], int]:
    """The longest number that begins with the group at `at`, and how many groups it takes."""
    digits, best, used = "", [], 1
    for last in range(at, min(len(chain), at + MOBILE_DIGITS)):
        digits += chain[last].digits
        if len(digits) > 2 * MOBILE_DIGITS:
            break
        made = _as_number(digits, chain[at : last + 1])
        if made:
            best, used = made, last - at + 1
    return best, used


def _as_number(digits: str, of: Sequence[Group]) -> list[PhoneNumber]:
    start, end, shaky = of[0].start, of[-1].end, sum(g.shaky for g in of)
    if _MOBILE.fullmatch(digits):
        return [PhoneNumber(digits, start, end, shaky)]
    half = digits[:MOBILE_DIGITS]
    if len(of) == 1 and digits == half * 2 and _MOBILE.fullmatch(half):
        return [PhoneNumber(half, start, end, shaky)] * 2
    landline = _LANDLINE.fullmatch(digits)
    if landline:
        return [PhoneNumber("-".join(landline.groups()), start, end, shaky)]
    if _LOCAL.fullmatch(digits) and len(of) <= 3:
        return [PhoneNumber(digits, start, end, shaky, local=True)]
    return []


def _collapsed(chain: Sequence[Group]) -> list[Group]:
    """Without groups that were begun anew: 八八，八八零四."""
    kept = [
        one for one, following in pairwise(chain) if not following.digits.startswith(one.digits)
    ]
    return [*kept, *chain[-1:]]


def _grafted(before: Sequence[Group], after: Sequence[Group]) -> list[PhoneNumber]:
    """一三八三五二零，不对，三四二零零六零七: the correction in the place of what it is like."""
    head, tail = "".join(g.digits for g in before), "".join(g.digits for g in after)
    kept = MOBILE_DIGITS - len(tail)
    if not 3 <= kept <= len(head):
        return []
    replaced = head[kept:]
    whole = head[:kept] + tail
    if _differing(replaced, tail[: len(replaced)]) > max(1, len(replaced) // 2):
        return []
    return [PhoneNumber(whole, before[0].start, after[-1].end, 1)] if is_mobile(whole) else []


def _is_extension(text: str, number: PhoneNumber, group: Group) -> bool:
    between = plain(text)[number.end : group.start]
    return len(group.digits) <= 5 and bool(_EXTENSION.match(between)) and "转" in between + "转"


def _extended(number: PhoneNumber, group: Group) -> PhoneNumber:
    digits = f"{number.digits}#{group.digits}"
    return PhoneNumber(digits, number.start, group.end, number.shaky, number.local)


def _differing(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=False))


def distance(one: str, other: str) -> int:
    """In how many places two numbers differ; a large number where their lengths do."""
    one, other = one.replace("-", ""), other.replace("-", "")
    return _differing(one, other) if len(one) == len(other) else 99


def corrected(base: str, text: str) -> str | None:
    """`base` with what `text` corrects of it (最后是 81 不是 18); None: that is not clear."""
    text = plain(text)
    said = [g for g in groups(text) if len(g.digits) < MOBILE_DIGITS]
    wrong = [g for g in said if re.search(r"不是[^是，。]{0,3}$", text[: g.start])]
    right = [g for g in said if g not in wrong]
    if not right:
        return None
    new, old = right[-1].digits, wrong[-1].digits if wrong else ""
    made = _placed(base, new, old, text)
    return made if made and made != base and is_phone(made) else None


def is_phone(digits: str) -> bool:
    """Whether a number as it is written may be called."""
    bare = digits.split("#")[0]
    return (
        is_mobile(bare)
        or bool(_LANDLINE.fullmatch(bare.replace("-", "")))
        or bool(_LOCAL.fullmatch(bare))
    )


def _placed(base: str, new: str, old: str, text: str) -> str | None:
    if old and len(old) != len(new):
        return None
    nth = _NTH.search(text)
    if nth and len(new) == 1:
        count = int(nth[2]) if nth[2].isdigit() else _COUNT[nth[2]]
        at = len(base) - count if nth[1] else count - 1
        return base[:at] + new + base[at + 1 :] if 0 <= at < len(base) else None
    if _LAST.search(text) and (not old or base.endswith(old)):
        return base[: -len(new)] + new
    if _FIRST.search(text) and (not old or base.startswith(old)):
        return new + base[len(new) :]
    if _MIDDLE.search(text) and len(new) == 4 and is_mobile(base):
        return base[:3] + new + base[7:]
    if old:
        return base.replace(old, new) if base.count(old) == 1 else None
    return _aligned(base, new)


def _aligned(base: str, new: str) -> str | None:
    """`new` where it differs least from what stands there, if that is one place and clear."""
    if not 3 <= len(new) <= 8:
        return None
    places = range(len(base) - len(new) + 1)
    costs = sorted((_differing(base[at : at + len(new)], new), at) for at in places)
    if not costs or costs[0][0] > max(1, len(new) // 3):
        return None
    if len(costs) > 1 and costs[1][0] == costs[0][0]:
        return None
    at = costs[0][1]
    return base[:at] + new + base[at + len(new) :]
