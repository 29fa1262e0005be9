"""The smaller slots: whom it is about, what is asked, kind of call, secrecy, earlier calls."""

from __future__ import annotations

import pytest

from appliance.assist.slots.against import against
from appliance.assist.slots.appeal import APPEALS, appeal
from appliance.assist.slots.previous import previous
from appliance.assist.slots.request import request
from appliance.assist.slots.secrecy import secrecy
from appliance.assist.slots.value import Value
from tests.unit.test_slots_dialogues import talk


def text_of(value: Value | None) -> str:
    return value.text if value else ""


@pytest.mark.parametrize(
    ("call", "right"),
    [
        ("C:我投诉大同市蓝天商贸有限公司，不给职工交社保", "大同市蓝天商贸有限公司"),
        ("C:我们小区物业不管", "小区物业"),
        ("C:我们小区那个鑫盛物业，垃圾不清", "鑫盛物业"),
        ("C:楼上邻居天天半夜剁东西", "楼上邻居"),
        ("A:饭店叫什么名字？\nC:叫云冈食府，就在路口", "云冈食府"),
        ("C:楼下那个饭店，叫好味道饺子馆，往我家返水", "好味道饺子馆"),
        ("C:孩子上小学能不能报名", ""),
        ("C:我叫李建国", ""),
        ("A:物业叫什么？\nC:不知道叫什么", ""),
        ("C:暖气不热", ""),
    ],
)
def test_against(call: str, right: str) -> None:
    assert text_of(against(talk(call))) == right


@pytest.mark.parametrize(
    ("call", "right"),
    [
        ("C:他不退钱，我要求他把剩下的学费退给我", "我要求他把剩下的学费退给我"),
        ("C:路灯坏了，能不能给修一修", "能不能给修一修"),
        ("A:您的诉求是？\nC:给我退车，或者赔我差价。", "给我退车，或者赔我差价"),
        ("A:您的要求是退学费是吗？\nC:对", "退学费"),
        ("C:暖气不热", ""),
        ("C:麻烦你们了", ""),
        ("C:处理完了能不能给我回个电话", ""),
    ],
)
def test_request(call: str, right: str) -> None:
    assert text_of(request(talk(call))) == right


@pytest.mark.parametrize(
    ("call", "right"),
    [
        ("C:我问一下公积金咋取了", "咨询"),
        ("C:我要投诉你们这个公交车", "投诉"),
        ("C:我想匿名举报一个黑诊所", "举报"),
        ("C:我要表扬一个司机师傅，太感谢了", "表扬"),
        ("C:给市里提个建议，多放几个垃圾桶", "建议"),
        ("C:我们这儿停电了，天这么冷，着急呀", "求助"),
        ("C:物业乱收费，也没人管", "投诉"),
        ("C:喂", ""),
    ],
)
def test_appeal(call: str, right: str) -> None:
    value = appeal(talk(call))
    assert text_of(value) == right and (value is None or value.text in APPEALS)


def test_what_is_said_plainly_is_surer_than_cues() -> None:
    said, cues = appeal(talk("C:我要投诉物业")), appeal(talk("C:物业不管"))
    assert said and cues and said.confidence > 0.9 > cues.confidence


@pytest.mark.parametrize(
    ("call", "secret"),
    [
        ("C:你们可别说是我说的", True),
        ("C:不要透露我的信息", True),
        ("A:您的信息需要保密吗？\nC:需要", True),
        ("A:您的信息需要保密吗？\nC:不用，公开就公开", False),
        ("A:您是否同意公开个人信息？\nC:不同意", True),
        ("A:您是否同意公开个人信息？\nC:同意", False),
        ("C:我不留姓了，怕报复", True),
        ("A:您的信息会保密的\nC:好", None),
        ("C:物业说这是他们的规定", None),
    ],
)
def test_secrecy(call: str, secret: bool | None) -> None:
    value = secrecy(talk(call))
    assert (value.parts["confidential"] if value else None) is secret


@pytest.mark.parametrize(
    ("call", "order", "repeated"),
    [
        ("C:工单号是DT20251203004871，催一下", "DT20251203004871", True),
        ("A:您有工单号吗？\nC:202511280317", "202511280317", True),
        ("A:您有工单号吗？\nC:二零二五一一零六零零二三", "202511060023", True),
        ("A:您有工单号吗？\nC:等一下我看一下，二零二五一一零六零零二三", "202511060023", True),
        ("C:我这个事反映了好几次了", "", True),
        ("C:我上个礼拜三给你们打过一次电话", "", True),
        ("A:您跟物业反映过吗？\nC:反映过好几次了", "", False),
        ("C:我跟物业反映过好几次了", "", False),
        ("C:我刚才打过电话，断了", "", False),
        ("C:快递单号是SF1402771836605", "", False),
        ("A:您有工单号吗？\nC:没有，我电话13835201234", "", False),
    ],
)
def test_previous(call: str, order: str, repeated: bool) -> None:
    value = previous(talk(call))
    assert bool(value) == repeated
    assert (value.parts["order"] if value else "") == order


def test_how_often() -> None:
    value = previous(talk("C:我都打了三次了，没人管"))
    assert value and value.parts["times"] == 3
