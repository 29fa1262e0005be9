from __future__ import annotations

import pytest

from appliance.assist.slots.name import name
from appliance.assist.slots.surnames import alike, spelled
from appliance.assist.slots.value import Value
from tests.unit.test_slots_dialogues import talk

ASKED = "A:您贵姓？\n"


def heard(text: str) -> Value | None:
    return name(talk(text))


def text_of(value: Value | None) -> str:
    return value.text if value else ""


NAMES = {
    "A:您贵姓？\nC:姓王\nA:王女士您好": "王女士",
    "A:您贵姓？\nC:王": "王",
    "A:您贵姓？\nC:大陆的陆\nA:陆先生是吧\nC:对": "陆先生",
    "A:您贵姓？\nC:我姓张，立早章的章\nA:章先生": "章先生",
    "A:您贵姓？\nC:我姓章，弓长张": "张",
    "A:您贵姓？\nC:姓汪，三点水的汪": "汪",
    "A:您贵姓？\nC:姓王，三点水那个": "汪",
    "A:您贵姓？\nC:姓傅，付钱的付\nA:付女士": "付女士",
    "A:您贵姓？\nC:姓解\nA:谢先生是吧\nC:不是，是解放的解": "解先生",
    "A:您贵姓？\nC:李\nA:黎女士是吗\nC:不是，木子李": "李女士",
    "A:您贵姓？\nC:复姓欧阳\nA:欧阳先生": "欧阳先生",
    "A:您贵姓？\nC:令狐，令狐冲的令狐\nA:令狐女士": "令狐女士",
    "A:您的姓名？\nC:王芳，芬芳的芳": "王芳",
    "C:您好 我叫张伟 我电话一三八三五二零一二三四": "张伟",
    "C:我叫陈永祥，耳东陈，永远的永，强大的强": "陈永强",
    "A:您是崔女士？\nC:对，崔秀英": "崔秀英",
    "C:叫我老李就行": "李",
    "A:您怎么称呼\nC:你就写个李女士": "李女士",
}
ANONYMOUS = [
    "A:您贵姓？\nC:这个就不说了吧",
    "A:怎么称呼您？\nC:不方便",
    "C:我匿名举报\nA:好的",
    "A:您贵姓？\nC:不敢说姓，怕他们知道",
]
NOBODY = [
    "C:我老板姓王，他不给我工资",
    "C:那个司机姓李，叫李强",
    "A:你好\nC:我叫车去拉货",
    "A:您贵姓？\nC:你管我姓什么呢",
    "C:我是李家庄的",
    "C:我是高山镇的",
    "C:我是马军营街道的居民",
    "C:我是金牛小区业主",
    "A:您怎么称呼\nC:是这样的，我家暖气不热",
    "A:您贵姓？\nC:都行",
    "A:您贵姓？\nC:和你有什么关系",
    "A:您要找的人叫什么名字？\nC:王建军",
    "C:请问王主任在吗",
    "A:您记得工作人员的姓名吗？\nC:姓李，李什么娟",
]


@pytest.mark.parametrize(("call", "right"), NAMES.items())
def test_names(call: str, right: str) -> None:
    assert text_of(heard(call)) == right


@pytest.mark.parametrize("call", ANONYMOUS)
def test_anonymous(call: str) -> None:
    value = heard(call)
    assert value and value.text == "匿名" and value.parts["anonymous"]


@pytest.mark.parametrize("call", NOBODY)
def test_what_is_no_name_of_theirs(call: str) -> None:
    assert heard(call) is None


def test_told_after_all() -> None:
    assert text_of(heard("C:我匿名举报\nA:那没法转办\nC:那行，我叫王刚")) == "王刚"


def test_refusing_something_else_keeps_the_name() -> None:
    call = "A:您贵姓\nC:张\nA:张先生，您的住址和姓名要登记\nC:这个不想说"
    assert text_of(heard(call)) == "张先生"


def test_anothers_name_is_not_the_callers() -> None:
    call = "A:您妈妈贵姓？\nC:我妈姓王，王桂兰，我叫赵海涛\nA:赵先生"
    value = heard(call)
    assert value and value.parts == {
        "surname": "赵",
        "given": "海涛",
        "gender": "男",
        "anonymous": False,
    }


def test_confidence_grows_with_what_is_said() -> None:
    stated = heard(f"{ASKED}C:姓张")
    echoed = heard(f"{ASKED}C:姓张\nA:张先生是吧\nC:对")
    explained = heard(f"{ASKED}C:姓张，弓长张")
    assert stated and echoed and explained
    assert stated.confidence < 0.9 <= echoed.confidence < explained.confidence


def test_given_names_are_sure_only_when_explained() -> None:
    stated, explained = heard("C:我叫李建国"), heard("C:我叫李强，强大的强")
    assert stated and explained and stated.confidence < 0.9 <= explained.confidence


def test_homophones_heard_from_both_are_asked_about() -> None:
    value = heard(f"{ASKED}C:姓张\nA:章先生您好")
    assert value and value.confidence < 0.7 and "张" in value.question and "章" in value.question
    assert value.alternatives[0].text == "章"


def test_explanations_do_not_make_another_name() -> None:
    assert spelled("我姓李，住在古月小区", "李") == ""
    assert spelled("我姓吴，口天吴", "武") == "吴"
    assert "汪" in alike("王") and "王" not in alike("王")
