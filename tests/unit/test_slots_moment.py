from __future__ import annotations

from datetime import datetime

import pytest

from appliance.assist.slots.moment import moment
from appliance.assist.slots.value import Value
from tests.unit.test_slots_dialogues import HOLIDAYS, talk

AT = datetime.fromisoformat("2025-12-08T10:20:00+08:00")  # a Monday


def heard(text: str, at: datetime = AT) -> Value | None:
    return moment(talk(text), at=at, holidays=HOLIDAYS)


def start_of(text: str) -> str:
    value = heard(text)
    return value.parts["start"] if value else ""


STARTS = {
    "C:昨天晚上八点多有人砸门": "2025-12-07T20:00",
    "C:昨晚十点多有人砸门": "2025-12-07T22:00",
    "C:昨天晚上十二点还在打桩": "2025-12-08T00:00",
    "C:昨天凌晨两点": "2025-12-07T02:00",
    "C:今早停的水": "2025-12-08T05:00",
    "C:今天早上，八点半左右吧": "2025-12-08T08:30",
    "C:昨天下的火车，晚上十点多": "2025-12-07T22:00",
    "C:从早上六点就没电": "2025-12-08T06:00",
    "C:前天在市场买的肉": "2025-12-06T00:00",
    "C:夜来后晌在村口看见的": "2025-12-07T12:00",
    "C:上周三下午在门口摔了": "2025-12-03T12:00",
    "C:上上个礼拜交的钱": "2025-11-24T00:00",
    "C:停电三天了": "2025-12-05T00:00",
    "C:楼道灯坏了一个月了": "2025-11-08T00:00",
    "C:有两三个月了": "2025-09-08T00:00",
    "C:漏水半年了": "2025-06-08T00:00",
    "C:三天前挖的沟": "2025-12-05T00:00",
    "C:从去年11月开始就没水": "2024-11-01T00:00",
    "C:去年冬天就不热": "2024-12-01T00:00",
    "C:上个月中旬挖的": "2025-11-11T00:00",
    "C:从十一月初就开始了": "2025-11-01T00:00",
    "C:从这个月三号开始没水": "2025-12-03T00:00",
    "C:十一月三十号退的房": "2025-11-30T00:00",
    "C:2025年12月3号": "2025-12-03T00:00",
    "C:２０２５年１２月３号": "2025-12-03T00:00",
    "C:二零二五年十二月三号": "2025-12-03T00:00",
    "C:2025-12-03交的钱": "2025-12-03T00:00",
    "C:国庆节期间去旅游被坑了": "2025-10-01T00:00",
    "C:双十一的时候买的": "2025-11-11T00:00",
    "C:五一期间在景区": "2025-05-01T00:00",
}
NO_TIMES = [
    "C:三号楼二单元五零一",
    "C:4/5G信号都没有",
    "C:每个工作日早上八点上班吗",
    "C:请问七天内能答复吗",
    "C:你们说24小时之内回复",
    "C:我明天去办行不行",
    "A:七个工作日内答复您\nC:好的，那就等七天",
    "C:合同到2026年3月到期",
    "C:一个月三千五的工资",
    "C:物业费一年涨了三回",
    "C:我今年五十八了",
    "C:我在这儿住了三十年了",
    "C:五一路修路",
    "C:十一号楼没水",
    "C:周六日上班不",
    "C:二月三十号",
    "C:999年99月99日 99点",
    "C:最早一班是几点",
]


@pytest.mark.parametrize(("call", "start"), STARTS.items())
def test_starts(call: str, start: str) -> None:
    assert start_of(call).startswith(start)
    assert start_of(call).endswith("+08:00")


@pytest.mark.parametrize("call", NO_TIMES)
def test_what_is_no_time_of_the_matter(call: str) -> None:
    assert start_of(call) == ""


def test_days_end_with_the_next() -> None:
    value = heard("C:前天在市场买的肉")
    assert value and value.parts["end"] == "2025-12-07T00:00:00+08:00"
    assert value.parts["kind"] == "at" and value.parts["precision"] == "day"


def test_what_lasts_goes_on_until_the_call() -> None:
    value = heard("C:停电三天了")
    assert value and value.text == "三天了" and value.parts["kind"] == "since"
    assert value.parts["end"] == AT.isoformat()


def test_what_comes_again_has_no_interval() -> None:
    value = heard("C:每天晚上十点以后吵得睡不着")
    assert value and value.text == "每天晚上十点以后"
    assert value.parts["kind"] == "recurring" and not value.parts["start"]


def test_since_and_again() -> None:
    value = heard("C:每天晚上十点半以后还跳，从六月份跳到现在了")
    assert value and value.parts["start"].startswith("2025-06-01")
    assert value.parts["recurring"] == "每天晚上十点半以后"


def test_vague_times_are_asked_about() -> None:
    value = heard("C:最近老停水")
    assert value and value.text == "最近" and not value.parts["start"] and value.question


def test_what_answers_the_question_counts() -> None:
    call = "C:上周五我看见的\nA:从什么时候开始的？\nC:从这个月一号"
    value = heard(call)
    assert value and value.parts["start"].startswith("2025-12-01") and value.confidence >= 0.9


def test_the_more_exact_of_two_that_agree() -> None:
    value = heard("A:什么时候退的？\nC:上个月月底退的，十一月三十号")
    assert value and value.parts["start"].startswith("2025-11-30")


def test_an_exact_time_goes_before_about_how_long() -> None:
    value = heard("A:您什么时候申请的？\nC:六月一号申请的，这都半年了")
    assert value and value.parts["start"].startswith("2025-06-01")


def test_a_call_made_before_is_no_matter() -> None:
    assert start_of("C:我上个礼拜三给你们打过一次电话") == ""


def test_the_year_turns() -> None:
    at = datetime.fromisoformat("2026-01-20T19:40:00+08:00")
    value = heard("C:从元旦那天就没水", at)
    assert value and value.parts["start"].startswith("2026-01-01")
    value = heard("C:十二月二十号停的", at)
    assert value and value.parts["start"].startswith("2025-12-20")


def test_addresses_are_cut_out() -> None:
    said = talk("C:三月三号院门口有个坑")
    assert moment(said, at=AT, spans={"u0": [(0, 5)]}) is None


def test_evidence_is_what_was_said() -> None:
    value = heard("A:您好\nC:我前天在市场买的肉")
    assert value and [(each.utterance, each.words) for each in value.evidence] == [("u1", "前天")]
