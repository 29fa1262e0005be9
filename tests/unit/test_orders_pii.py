"""What tells who somebody is, found and hidden; repeats and figures of orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.assist.city import pack as packs
from appliance.assist.orders import pii
from appliance.assist.orders.repeats import is_repeat
from appliance.assist.orders.statistics import GROUPS, UnitWork, statistics, unit_work
from appliance.assist.text.likeness import likeness
from appliance.settings.section import PROJECT
from appliance.store.order_rows import Order

PACK = packs.load(PROJECT / "provisioning" / "city_packs" / "datong", sealed=False)
HEATING, HOUSING = "140213-heating", "140213-housing"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("我的电话是13812345678，谢谢", "我的电话是138****5678，谢谢"),
        ("打 138 1234 5678 就行", "打 138******5678 就行"),
        ("座机0352-2345678", "座机035*****5678"),
        ("身份证14020219900101123X", "身份证140***********123X"),
        ("幺三八幺二三四五六七八", "幺**"),
        ("三号楼二单元五零一", "三号楼二单元五零一"),
        ("停水3天了，交了500块钱", "停水3天了，交了500块钱"),
    ],
)
def test_numbers_are_hidden_and_nothing_else(text: str, hidden: str) -> None:
    assert pii.masked(text) == hidden


def test_known_names_are_hidden_wherever_they_stand() -> None:
    body = {"fields": {"content": {"text": "王建国说没有暖气"}}, "notes": ["王建国要求回电"]}
    told = pii.masked_draft(body, {"王建国": pii.hidden("王建国")})
    assert told["fields"]["content"]["text"] == "王**说没有暖气"
    assert told["notes"] == ["王**要求回电"]
    assert body["notes"] == ["王建国要求回电"]  # the order itself is as it was


ADDRESS = {
    "text": "平城区丽景苑3号楼501室",
    "parts": {"county": "平城区", "compound": "丽景苑", "building": "3号楼", "room": "501室"},
    "evidence": [
        {"utterance": "0.0", "words": "丽景苑", "why": "原文"},
        {"utterance": "0.0", "words": "三号楼", "why": "门牌"},
        {"utterance": "0.0", "words": "五零一", "why": "门牌"},
    ],
}


def test_where_somebody_lives_is_hidden_to_the_compound() -> None:
    fields = {"address": ADDRESS, "content": {"text": "丽景苑三号楼五零一漏水"}}
    hidden = pii.masked_draft({"fields": fields}, pii.personal(fields))["fields"]
    assert hidden["address"]["text"] == "平城区丽景苑****"
    assert hidden["content"]["text"] == "丽景苑****漏水"
    assert hidden["address"]["parts"]["compound"] == "丽景苑"
    assert not any(each in str(hidden) for each in ("501", "五零一", "3号楼", "三号楼"))
    assert (
        pii.masked_draft({"fields": fields}, pii.personal(fields, door=False))["fields"] == fields
    )


def test_a_door_that_was_misheard_is_hidden_too() -> None:
    fields = {"content": {"text": "阳光花园三号楼耳单元五零亿，3栋2单元，12号院"}}
    hidden = pii.masked_draft({"fields": fields}, pii.personal(fields))["fields"]
    assert hidden["content"]["text"] == "阳光花园**耳单元五零亿，****，**"


def test_a_moment_is_no_number_and_a_yes_no_secret() -> None:
    phone = {
        "text": "13812345678",
        "evidence": [{"utterance": "0.1", "words": "对的", "why": "确认"}],
    }
    fields = {
        "phone": phone,
        "when": {"text": "上周三", "parts": {"start": "2026-11-18T00:00:00+08:00"}},
        "request": {"text": "对的，尽快来修"},
    }
    hidden = pii.masked_draft({"fields": fields}, pii.personal(fields))["fields"]
    assert hidden["when"] == fields["when"] and hidden["request"] == fields["request"]
    assert hidden["phone"]["text"] == "138****5678"


def test_a_transcript_marks_names_numbers_and_places() -> None:
    name = {"text": "王建国", "evidence": [{"utterance": "0.1", "words": "王建国", "why": ""}]}
    said = [("0.0", "丽景苑三号楼五零一"), ("0.1", "我叫王建国，13812345678")]
    marks = list(pii.rows(said, [{"fields": {"address": ADDRESS, "name": name}}]))
    told = {(m["kind"], dict(said)[m["utterance"]][m["start"] : m["end"]]) for m in marks}
    assert told >= {("name", "王建国"), ("phone", "13812345678"), ("address", "三号楼")}


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=5), max_size=3))
def test_hiding_never_fails(text: str, known: list[str]) -> None:
    pii.masked(text, {words: pii.hidden(words) for words in known})
    assert all(0 <= mark.start < mark.end <= len(text) for mark in pii.marks(text))


ORDER = Order(
    *("a", "1", "t", "c", 0, "phone", "draft", 1, "p", "050401", "140213009000", "投诉", "24h", ""),
    created_at=0.0,
    changed_at=0.0,
    phone="x",
    body={"fields": {"content": {"text": "家里暖气不热已经好几天了没人管"}}},
)


def other(text: str, **change: object) -> Order:
    body = {"fields": {"content": {"text": text}}}
    return replace(ORDER, id="b", body=body, **change)  # type: ignore[arg-type]


def test_a_repeat_is_of_the_same_caller_or_place_and_kind() -> None:
    same = "我家暖气不热好几天了一直没人管"
    assert is_repeat(ORDER, other(same))
    assert is_repeat(ORDER, other(same, phone="y"))  # a neighbour
    assert not is_repeat(ORDER, other(same, phone="y", division="140214000000"))
    assert not is_repeat(ORDER, other(same, category="010101"))
    assert not is_repeat(ORDER, other("楼下饭店油烟太大了晚上睡不着", phone="y"))
    assert not is_repeat(ORDER, other(same, state="merged"))


@given(st.text(max_size=60), st.text(max_size=60))
def test_likeness_is_a_share(one: str, two: str) -> None:
    assert 0.0 <= likeness(one, two) <= 1.0
    assert likeness(one, two) == likeness(two, one)


@dataclass
class KeptRow:
    id: str
    state: str = "closed"
    unit: str = HEATING
    category: str = "050401"
    division: str = "140213009000"
    created_at: float = 0.0
    solved: bool | None = None
    satisfaction: int | None = None


@dataclass
class KeptPart:
    order_id: str
    unit: str = HEATING
    ended_at: float | None = 50.0
    due_at: float = 100.0


ROWS = [
    KeptRow("in time", solved=True, satisfaction=5),
    KeptRow("late", solved=False, satisfaction=2),
    KeptRow("runs", "in_progress"),
    KeptRow("overdue", "in_progress", unit=HOUSING),  # after the first unit has sent it back
    KeptRow("merged", "merged"),
    KeptRow("draft", "draft", unit=""),
]
WORK = unit_work(
    [
        KeptPart("in time"),
        KeptPart("late", ended_at=150.0),
        KeptPart("runs", ended_at=None, due_at=10_000.0),
        KeptPart("overdue", HOUSING, ended_at=None),
        KeptPart("merged", ended_at=None),
    ],
    [("overdue", HEATING)],
)


def test_figures_of_orders() -> None:
    (told,) = statistics(PACK, ROWS, WORK, "all", now=1000.0)
    assert told["orders"] == 6
    assert told["in_time"] == pytest.approx(1 / 3, abs=1e-3)  # of three that are done or late
    assert told["returned"] == 0.25 and told["right_at_once"] == 0.75
    assert told["solved"] == 0.5 and told["satisfied"] == 0.5


def test_a_return_is_of_the_unit_that_sent_it_back() -> None:
    told = {row["code"]: row for row in statistics(PACK, ROWS, WORK, "unit", now=1000.0)}
    assert told[HEATING]["returned"] == 0.25 and told[HEATING]["in_time"] == 0.5
    assert told[HOUSING]["returned"] == 0.0 and told[HOUSING]["in_time"] == 0.0


@pytest.mark.parametrize("by", GROUPS)
def test_figures_by_every_group(by: str) -> None:
    rows = [KeptRow("a"), KeptRow("b", unit="gone", category="9999", division="x")]
    assert sum(row["orders"] for row in statistics(PACK, rows, UnitWork(), by, now=0.0)) == 2
    assert statistics(PACK, [], UnitWork(), by, now=0.0) == []
