from __future__ import annotations

from appliance.assist.slots.complete import ASK_CALLER, ELEMENTS, QUESTIONS, complete, refused
from appliance.assist.slots.value import Value
from tests.unit.test_slots_dialogues import talk

FILLED = {field: Value("有", 0.9) for field in ELEMENTS}


def test_all_is_missing_at_first() -> None:
    done = complete({}, [])
    assert done.missing == ELEMENTS and done.share == 0.0
    assert done.asks == "cause" and done.question == QUESTIONS["cause"]


def test_nothing_is_missing_at_last() -> None:
    done = complete(FILLED, [])
    assert done.missing == () and done.question == "" and done.share == 1.0


def test_what_is_unsure_is_not_filled() -> None:
    done = complete({**FILLED, "name": Value("王", 0.3), "place": None}, [])
    assert done.missing == ("place", "name") and done.asks == "place"


def test_a_place_that_is_not_clear_comes_first() -> None:
    values = {"place": Value("永泰小区", 0.7, question="是永泰南路还是永泰街的永泰小区？")}
    done = complete(values, [])
    assert done.asks == "place" and done.question.startswith("是永泰南路")


def test_a_number_is_read_back_before_anything_new() -> None:
    values = {"phone": Value("13835201234", 0.8, question="跟您核对一下")}
    assert complete(values, []).question == "跟您核对一下"


def test_the_callers_number_is_offered() -> None:
    values = {**FILLED, "phone": None}
    assert complete(values, [], caller="13835201234").question == ASK_CALLER
    assert complete(values, []).question == QUESTIONS["phone"]


def test_what_was_refused_is_not_asked_again() -> None:
    said = talk("A:您方便留个姓名和联系方式吗？\nC:不方便说")
    assert refused(said) == {"name", "phone"}
    done = complete({**FILLED, "name": None, "phone": None}, said)
    assert done.missing == () and done.question == ""


def test_refused_by_the_way() -> None:
    assert refused(talk("A:方便留个姓和电话吗？\nC:姓侯，电话不留了")) == {"phone"}
    assert refused(talk("C:我匿名举报")) == {"name"}


def test_told_after_all() -> None:
    call = "A:您贵姓？\nC:不想说\nA:不留姓名没法转办，您怎么称呼？\nC:那就姓王吧"
    assert "name" not in refused(talk(call))


def test_an_answer_with_digits_is_no_refusal() -> None:
    assert not refused(talk("A:您的电话？\nC:13835201234，你们记不住啊"))


def test_fields_of_the_category() -> None:
    asked = complete(FILLED, talk("C:出租车不打表"), fields=["plate", "amount"])
    assert asked.missing == ("plate", "amount") and asked.question == QUESTIONS["plate"]
    told = complete(FILLED, talk("C:晋B T3526，问我要三十块钱"), fields=["plate", "amount"])
    assert told.missing == ()


def test_who_does_not_know_is_not_asked_twice() -> None:
    said = talk("C:出租车不打表\nA:您记得车牌号吗？\nC:没记住")
    assert complete(FILLED, said, fields=["plate"]).missing == ()
