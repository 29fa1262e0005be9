from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.assist.slots.phone import phone
from appliance.assist.slots.value import Value
from tests.unit.test_slots_dialogues import AREA, CONFIDENT, talk

ASKED = "A:您的电话？\n"
HANZI = str.maketrans("0123456789", "零幺二三四五六七八九")


def heard(text: str, caller: str = "") -> Value | None:
    return phone(talk(text), caller=caller, area_code=AREA)


def text_of(value: Value | None) -> str:
    return value.text if value else ""


RIGHT = {
    "in parts, each repeated": (
        f"{ASKED}C:138\nA:138\nC:3520\nA:3520\nC:1234\nA:好的",
        "13835201234",
    ),
    "over pauses": (f"{ASKED}C:一三八\nA:嗯\nC:三五二零\nA:嗯\nC:一二三四", "13835201234"),
    "begun anew": (f"{ASKED}C:一三八，等一下啊，一三八三五二零，一二三四", "13835201234"),
    "four of one": (f"{ASKED}C:一三八三五二零，四个八", "13835208888"),
    "two and two": (f"{ASKED}C:一三八三五二零，两个八两个六", "13835208866"),
    "said twice in one breath": (
        f"{ASKED}C:幺三八三五二零幺二三四幺三八三五二零幺二三四",
        "13835201234",
    ),
    "full-width": (f"{ASKED}C:１３８３５２０１２３４。", "13835201234"),
    "traditional": ("A:您的電話？\nC:壹叁捌叁伍貳零壹貳叁肆。", "13835201234"),
    "words for digits": (f"{ASKED}C:要三八三五二零要二三四", "13835201234"),
    "landline": ("A:留个电话吧\nC:二三四五六七八", "0352-2345678"),
    "landline of another city": ("A:留个电话吧\nC:零幺零，六二三四五六七八", "010-62345678"),
    "extension": ("A:您的联系方式？\nC:0352 2345678 转 8012", "0352-2345678#8012"),
    "another's phone is wanted": (
        f"{ASKED}C:一三八三五二零一二三四。算了你打我老婆的吧，一五九三五二零一二三四",
        "15935201234",
    ),
    "changed their mind": (
        f"{ASKED}C:13835201234\nA:13835201234\nC:对\nC:哎你还是记另一个吧，15935201234\n"
        "A:15935201234\nC:对",
        "15935201234",
    ),
    "the call's, not the caller's": (
        "A:您来电是13835201234吗\nC:不是，我的是15935201234",
        "15935201234",
    ),
}
CORRECTED = {
    "最后两位是四三": "13835201243",
    "不对，最后是四三": "13835201243",
    "不对，倒数第二位是九": "13835201294",
    "不是三八，是三九": "13935201234",
    "一三九，不是一三八": "13935201234",
    "错了错了，前面是139": "13935201234",
    "不对，中间四位是三四二零": "13834201234",
    "不对，是一五九三五二零一二三四": "15935201234",
    "不是一二三四，是一二三五": "13835201235",
}
NONE = {
    "nothing": "",
    "only the agent": "A:您好\nA:您还在吗？",
    "an ID card": "C:我身份证号是140202199001011234",
    "an ID card in parts": "C:身份证是一四零二零二，一九九零零一零一，一三五八",
    "an amount": "C:一共是13800000000块钱",
    "an order": "C:订单号是13835201234，一直没到",
    "an order that was asked for": "A:您的订单号多少\nC:13835201234",
    "one to call": "A:您可以打0352 2345678咨询\nC:0352 2345678 好的",
    "one to call, unknown who": "U:您可以打0352 2345678咨询\nU:0352 2345678 好的",
    "hotlines": "C:我打了110，110让我打12345，12333也打了",
    "a plate": "C:车牌是晋B8035T，还有晋BQ8806",
    "a house": "C:我住三号楼二单元五零一",
    "another's": "C:老板的电话是13835201234，他不接",
}
ASKS_AGAIN = {
    f"{ASKED}C:一三八三五二零一二三\nA:好的": "少一位",
    f"{ASKED}C:138352012345\nA:好的": "位数不对",
    f"{ASKED}C:一三八三五二零一二三四\nA:一三八三五二零一二三四对吗\nC:不对": "请再说一遍",
}


@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT)
def test_numbers(case: tuple[str, str]) -> None:
    assert text_of(heard(case[0])) == case[1]


@pytest.mark.parametrize(("said", "right"), CORRECTED.items())
def test_corrections(said: str, right: str) -> None:
    call = f"{ASKED}C:一三八三五二零一二三四\nA:一三八三五二零一二三四\nC:{said}"
    value = heard(call)
    assert text_of(value) == right
    assert value and value.confidence < CONFIDENT and right[:3] in value.question
    sure = heard(f"{call}\nA:{right}，对吗？\nC:对了")
    assert text_of(sure) == right and sure and sure.confidence >= CONFIDENT


@pytest.mark.parametrize("call", NONE.values(), ids=NONE)
def test_what_is_no_phone(call: str) -> None:
    value = heard(call) if call else phone([])
    assert text_of(value) == "" and (value is None or not value.confidence)


@pytest.mark.parametrize(("call", "question"), ASKS_AGAIN.items())
def test_asks_again(call: str, question: str) -> None:
    value = heard(call)
    assert value and not value.text and question in value.question


def test_no_question_while_digits_may_come() -> None:
    assert heard(f"{ASKED}C:一三八三五") is None


def test_the_number_of_the_call() -> None:
    value = heard("A:您的电话？\nC:就打这个来电的号吧", caller="13753215062")
    assert value and value.text == "13753215062" and value.confidence >= CONFIDENT
    assert value.parts["source"] == "caller"
    assert heard("C:暖气不热", caller="13753215062") is None
    assert heard("A:联系您打这个号可以吗？\nC:不行，这个号我不常用", caller="13753215062") is None


def test_tail_of_the_callers_number_is_confirmed() -> None:
    value = heard("A:联系电话还是尾号5062这个吗？\nC:是的", caller="13753215062")
    assert value and value.text == "13753215062" and value.parts["confirmed"]


def test_confidence_grows_with_what_is_said() -> None:
    once = heard(f"{ASKED}C:13835201234")
    read = heard(f"{ASKED}C:13835201234\nA:13835201234")
    sure = heard(f"{ASKED}C:13835201234\nA:13835201234\nC:对")
    twice = heard(f"{ASKED}C:13835201234，13835201234")
    assert once and read and sure and twice
    assert once.confidence < read.confidence < CONFIDENT <= twice.confidence < sure.confidence


def test_a_read_back_that_differs_is_not_sure() -> None:
    value = heard(f"{ASKED}C:13835201234\nA:13835201235，对吗？\nC:对")
    assert value and value.text == "13835201235" and value.confidence < CONFIDENT
    assert value.alternatives[0].text == "13835201234"


def test_contradicting_numbers_are_asked_about() -> None:
    value = heard("A:您的电话？\nC:13835201234\nA:您再说一遍电话\nC:15935207777")
    assert value and value.confidence < 0.6 and "哪一个" in value.question


def test_a_spare_number_is_an_alternative() -> None:
    value = heard(
        f"{ASKED}C:13835201234\nA:13835201234\nC:对，还有一个手机你也记上，打不通打这个，15935201234"
    )
    assert value and value.text == "13835201234" and value.confidence >= CONFIDENT
    assert [each.text for each in value.alternatives] == ["15935201234"]


def test_evidence_says_where() -> None:
    value = heard(f"{ASKED}C:记一下，13835201234")
    assert value and [(each.utterance, each.words) for each in value.evidence] == [
        ("u1", "13835201234")
    ]


numbers = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
pauses = st.sampled_from(["，", " ", "，嗯，", "、", "，然后是，", "…", "，啊，"])


@given(numbers, st.sets(st.integers(1, 10), max_size=4), st.data())
def test_however_it_is_grouped(digits: str, cuts: set[int], data: st.DataObject) -> None:
    spoken = digits.translate(HANZI) if data.draw(st.booleans()) else digits
    edges = [0, *sorted(cuts), 11]
    parts = [spoken[a:b] for a, b in pairwise(edges)]
    line = parts[0] + "".join(data.draw(pauses) + part for part in parts[1:])
    value = heard(f"{ASKED}C:{line}\nA:{digits}，对吗？\nC:对的")
    assert text_of(value) == digits and value and value.confidence >= CONFIDENT


@given(numbers, st.integers(2, 4), st.text("0123456789", min_size=4, max_size=4))
def test_whatever_end_is_corrected(digits: str, count: int, end: str) -> None:
    right = digits[:-count] + end[:count]
    value = heard(f"{ASKED}C:{digits}\nA:{digits}\nC:不对，最后是{end[:count]}")
    assert right == digits or text_of(value) == right


@given(numbers)
def test_digits_that_lack_are_never_made_up(digits: str) -> None:
    value = heard(f"{ASKED}C:{digits[:-1]}\nA:好的")
    assert value and not value.text and value.question
