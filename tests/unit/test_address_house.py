"""House numbers in any spoken or written form; what looks like one and is none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.assist.address.house import bare, pieces
from appliance.assist.address.numerals import arabic
from appliance.assist.address.tokens import HOME, STREET, mended


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("三号楼二单元五零一", "3号楼 2单元 501室"),
        ("3栋2-501", "3栋 2单元 501室"),
        ("十二号楼三门", "12号楼 3单元"),
        ("锦绣花园A座602室", "A座 602室"),
        ("花园12-3-1001", "12号楼 3单元 1001室"),
        ("三杠二杠五零一", "3号楼 2单元 501室"),
        ("一单元五楼东户", "1单元 5层 东户"),
        ("8号楼西单元", "8号楼 西单元"),
        ("负一层", "负1层"),
        ("地下二层", "地下2层"),
        ("幺零二室", "102室"),
        ("五号楼一单元三百零二", "5号楼 1单元 302室"),
        ("六栋二单元顶楼", "6栋 2单元"),
        ("3号楼2单元5楼501", "3号楼 2单元 5层 501室"),
        ("三好楼二蛋园五零一", "3号楼 2单元 501室"),  # as a recogniser writes it
        ("而单元", "2单元"),
        ("小区13 2950室", "13号楼 2950室"),
        ("第三栋", "第3栋"),
    ],
)
def test_forms(text: str, told: str) -> None:
    assert " ".join(piece.text for piece in pieces(text, {})) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("新华街12号", "number 12号"),
        ("新华街甲3号", "number 甲3号"),
        ("新华街12号院3号楼", "number 12号院, building 3号楼"),
        ("新华街201-14号", "number 201号, building 14号"),
        ("新华街133-143号", "number 133-143号"),
        ("南关村45号", "number 45号"),
        ("锦绣小区3号", "building 3号"),
        ("660弄10号1411", "number 660弄, building 10号, room 1411室"),
    ],
)
def test_a_number_is_what_stands_before_it(text: str, told: str) -> None:
    found = ", ".join(f"{piece.level} {piece.text}" for piece in pieces(text, {}))
    assert found == told


@pytest.mark.parametrize(
    "text",
    [
        "三号停的水",
        "十二月三号",
        "三栋楼都停了",
        "两栋楼",
        "我们三个单元",
        "三室一厅",
        "坐12路车",
        "三十五路",
        "138 3528 4619",
        "晋B T3526",
        "编号好像是A067",
        "一座桥",
        "五户人家",
        "2000人",
        "三点半",
        "地铁三号线",
    ],
)
def test_what_is_none(text: str) -> None:
    assert pieces(text, {}) == ()


def test_a_name_that_is_known_says_what_its_number_is() -> None:
    assert pieces("鼓楼3号", {2: STREET})[0].level == "number"
    assert pieces("鼓楼3号", {2: HOME})[0].level == "building"


def test_pieces_stand_in_the_text_as_it_is() -> None:
    text = "在三好楼二单元"
    assert [text[p.start : p.end] for p in pieces(text, {})] == ["三好楼", "二单元"]


@pytest.mark.parametrize(
    ("text", "asked", "told"),
    [
        ("三号", ("building",), ["3号楼"]),
        ("嗯，三", ("unit",), ["3单元"]),
        ("五零一吧", ("room", "unit"), ["501室"]),
        ("2", ("room", "unit"), ["2单元"]),
        ("三号", (), []),
        ("我不知道", ("building",), []),
    ],
)
def test_a_bare_number_answers_a_question(
    text: str, asked: tuple[str, ...], told: list[str]
) -> None:
    assert [piece.text for piece in bare(text, asked)] == told


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("十二", "12"),
        ("五零一", "501"),
        ("三百零二", "302"),
        ("二十", "20"),
        ("两", "2"),
        ("１２", "12"),
    ],
)
def test_arabic(said: str, digits: str) -> None:
    assert arabic(said) == digits


@given(st.text(st.sampled_from("三号好楼二单蛋元园五零一0123-A座栋，的"), max_size=30))
def test_mending_moves_nothing(text: str) -> None:
    assert len(mended(text)) == len(text)
    found = pieces(text, {})
    assert all(one.end <= other.start for one, other in pairwise(found))
