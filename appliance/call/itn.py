"""Inverse text normalisation: spoken Chinese numbers as they are written, 一三八零零 -> 13800.

Cautious: a number is rewritten where it is a string of digits or stands before a unit of measure;
idioms (一下, 三心二意, 万一) stay as they are. Values are worked out by cn2an.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import cn2an

from appliance.messages import SpokenWord

DIGITS = "零〇一二三四五六七八九幺"
NUMERALS = "零〇一二两三四五六七八九十百千万亿"
_TO_ARABIC = str.maketrans(DIGITS, "00123456789" + "1")
UNITS = (
    "号楼|号院|单元|公里|千米|平方米|平米|立方米|小时|分钟|毫米|厘米|块钱|楼|室|号|栋|幢|弄|年|月|日|点|分|秒|"
    "元|块|层|岁|米|吨|公斤|斤|度|兆|户|人|辆|路|天|周|套"
)
MIN_STRING = 3  # digits in a row that are a number and not a phrase
# What is written as a number although only 一 is said; elsewhere 一天 and 一块 are phrases.
NUMBERED = "号楼|号院|单元|楼|室|号|栋|幢|弄|月"

_D = "[一二两三四五六七八九]"
_TENS = f"{_D}?十{_D}?"
_HUNDREDS = f"{_D}百(?:{_D}十{_D}?|零{_D})?"
_THOUSANDS = f"{_D}千(?:{_HUNDREDS}|零{_D}十{_D}?|零{_D})?"
_SECTION = f"(?:{_THOUSANDS}|{_HUNDREDS}|{_TENS})"  # well formed, below 10,000, not a lone digit
_CARDINAL = f"(?:(?:{_SECTION}|{_D})万(?:{_THOUSANDS}|零{_HUNDREDS}|零{_TENS}|零{_D})|{_SECTION})"
# Neighbouring digits name a range: 两三天, 十七八岁, 五六千元.
_PAIR = "(?:一两|一二|两三|二三|三四|三五|四五|五六|六七|七八|八九)"
_RANGE = f"(?:{_D}千)?(?:{_D}百)?(?:{_D}?十)?{_PAIR}(?![{DIGITS}两])[十百千万亿]*"
_IDIOM = "(?P<aa>[一二三四五六七八九])(?P=aa)(?P<bb>[一二三四五六七八九])(?P=bb)|九九归一|一五一十"
# A rate: 三千一年 is 3000 for one year, not 3001 years.
_EACH = f"一(?:{UNITS}|个|次|趟)"
_MEASURED = f"(?=(?:{UNITS})|{_EACH})"
_SHARE = f"[{NUMERALS}]+(?:点[{DIGITS}]+)?"
_PATTERN = re.compile(
    rf"(?P<kept>(?<![{DIGITS}])(?:(?:{_IDIOM})(?![{DIGITS}])|{_RANGE}))"
    rf"|(?P<percent>百分之(?P<share>百|{_SHARE})(?:(?P<until>[到至])(?P<most>百|{_SHARE}))?)"
    rf"|(?P<under>{_SECTION}|{_D})分之(?P<over>{_SECTION}|{_D})"
    rf"|(?P<year>[{DIGITS}]{{4}})(?=年)"
    rf"|(?P<string>[{DIGITS}]{{{MIN_STRING},}})(?![十百千万亿])"
    rf"|(?P<decimal>(?:{_CARDINAL}|零|{_D})点[{DIGITS}]+)(?=[元块米吨度万亿公平厘毫斤小])"
    rf"|(?P<fraction>零点[{DIGITS}]+|{_D}点[一二三四五六七八九][{DIGITS}]+(?![{NUMERALS}分刻]))"
    rf"|(?<={_D}点|十点)(?P<minute>{_TENS})(?![{NUMERALS}分])"
    rf"|(?P<coins>{_D}块{_D}[毛角]{_D})(?![{NUMERALS}])"
    rf"|(?<![几数上好])(?P<short>(?:{_SECTION}|{_D})[百千万](?=[二三四五六七八九](?:{UNITS}|{_EACH})))"
    rf"(?P<rest>[二三四五六七八九])"
    rf"|(?<![几数上好{NUMERALS}])(?P<bare>(?:{_SECTION}|{_D})[千万])(?P<left>[二三四五六七八九])(?![{NUMERALS}点])"
    rf"|(?<![几数上好])(?P<value>{_CARDINAL}){_MEASURED}"
    rf"|(?<![几数上好])(?P<large>{_SECTION}|{_D})(?=[万亿])"
    rf"|(?P<price>{_D}|{_TENS})块(?P<dime>{_D})(?!(?!{_EACH}){_D}|[十百千万点块])"
    rf"|(?P<digits>[{DIGITS}两]{{2}})(?=(?:{UNITS}))"
    rf"|(?<![{NUMERALS}])(?P<one>[一幺])(?=(?:{NUMBERED}))"
    rf"|(?P<digit>[零〇二两三四五六七八九])(?=(?:{UNITS}))"
)
_STEP = {"百": 10, "千": 100, "万": 1000}  # what a digit is worth that follows without a unit


def written(text: str) -> str:
    """Spoken numbers in `text` as digits."""
    return "".join(part for part, _, _ in _parts(text))


def written_words(words: Sequence[SpokenWord]) -> tuple[SpokenWord, ...]:
    """The same for words: what makes up one number becomes one word, if need be of parts of words.

    Punctuation stays with the word before it.
    """
    text = "".join(word.text for word in words)
    made: list[SpokenWord] = []
    for part, begin, end in _parts(text):
        pieces = list(_pieces(words, begin, end))
        if part != text[begin:end]:
            pieces = [_merge(pieces, part)]
        for piece in pieces:
            if made and not any(char.isalnum() for char in piece.text):
                made[-1] = _merge([made[-1], piece], made[-1].text + piece.text)
            else:
                made.append(piece)
    return tuple(made)


def _pieces(words: Sequence[SpokenWord], begin: int, end: int) -> Iterator[SpokenWord]:
    """What characters [begin, end) of the joined words are made of."""
    at = 0
    for word in words:
        first, last = max(begin - at, 0), min(end - at, len(word.text))
        if first < last:
            yield word if last - first == len(word.text) else _slice(word, first, last)
        at += len(word.text)


def _slice(word: SpokenWord, first: int, last: int) -> SpokenWord:
    """Part of a word, its time shared out by characters."""
    per_character = (word.end_ms - word.start_ms) / len(word.text)
    return SpokenWord(
        word.text[first:last],
        round(word.start_ms + first * per_character),
        round(word.start_ms + last * per_character),
        word.confidence,
    )


def _merge(words: Sequence[SpokenWord], text: str) -> SpokenWord:
    confidence = sum(word.confidence for word in words) / len(words)
    return SpokenWord(text, words[0].start_ms, words[-1].end_ms, round(confidence, 4))


def _parts(text: str) -> Iterator[tuple[str, int, int]]:
    """(written form, begin, end) of stretches that cover `text`."""
    at = 0
    for match in _PATTERN.finditer(text):
        number = _number(match)
        if number is None:
            continue
        if match.start() > at:
            yield text[at : match.start()], at, match.start()
        yield number, match.start(), match.end()
        at = match.end()
    if at < len(text):
        yield text[at:], at, len(text)


def _number(match: re.Match[str]) -> str | None:
    """What a match is written as; None: as it was said."""
    if match["kept"]:
        return None
    if match["year"] or match["string"]:
        return match[0].translate(_TO_ARABIC)
    if match["coins"]:
        return match[0].replace("两", "二").translate(_TO_ARABIC)
    if match["percent"]:
        return _percent(match)
    if match["under"]:
        over, under = _value(match["over"]), _value(match["under"])
        return f"{over}/{under}" if over and under else None
    if match["short"]:
        return _with_rest(match["short"], match["rest"])
    if match["bare"]:
        return _with_rest(match["bare"], match["left"])
    if match["price"]:
        return f"{_value(match['price'])}块{_value(match['dime'])}"
    return _value(match[0])


def _percent(match: re.Match[str]) -> str | None:
    """百分之三十 -> 30%, 百分之三十到四十 -> 30%到40%."""
    shares = [share for share in (match["share"], match["most"]) if share]
    values = ["100" if share == "百" else _value(share) for share in shares]
    return None if None in values else (match["until"] or "").join(f"{v}%" for v in values)


def _with_rest(whole: str, rest: str) -> str | None:
    """一百五 -> 150, 三万五 -> 35000: the last digit counts the next lower unit."""
    value, digit = _value(whole), _value(rest)
    return str(int(value) + int(digit) * _STEP[whole[-1]]) if value and digit else None


def _value(spoken: str) -> str | None:
    """三百二十 -> 320; None if cn2an finds no sense in it."""
    if len(spoken) > 1 and all(char in DIGITS for char in spoken):
        return spoken.translate(_TO_ARABIC)
    try:
        number = cn2an.cn2an(spoken.replace("幺", "一").replace("〇", "零"), "smart")
    except (ValueError, LookupError):  # cn2an raises KeyError on some nonsense, as 十亿〇
        return None
    return f"{number:g}" if isinstance(number, float) else str(number)
