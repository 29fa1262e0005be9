from __future__ import annotations

from appliance.assist.slots.matters import MatterSaid, matters
from appliance.assist.slots.subjects import subjects
from tests.unit.test_slots_dialogues import talk

TWO = "C:我家暖气不热，才十五度。另外我们门口的路灯也坏了，黑灯瞎火的。"


def words(matter: MatterSaid) -> str:
    return "".join(each.text for each in matter.said)


def test_nothing_said() -> None:
    assert matters([]) == ()
    assert matters(talk("A:您好，请讲。")) == ()


def test_one_matter_has_all_of_the_call() -> None:
    said = talk("A:您好\nC:我家暖气不热，才十五度\nA:您贵姓\nC:姓王")
    (only,) = matters(said)
    assert list(only.said) == said and only.confidence == 1.0 and not only.evidence


def test_the_utterance_is_cut_where_the_other_begins() -> None:
    first, second = matters(talk(TWO))
    assert words(first) + words(second) == TWO[2:]
    assert words(second).startswith("另外") and 0.5 < second.confidence < 1.0
    assert second.evidence[0].words in words(second)
    assert first.said[0].end_ms <= second.said[0].start_ms


def test_after_the_agent_asked_for_more() -> None:
    call = "C:我们小区路灯全不亮\nA:好的，还有其他问题吗？\nC:%s"
    assert len(matters(talk(call % "有，我妈的养老金这个月没发"))) == 2
    assert len(matters(talk(call % "没有了，就是尽快处理"))) == 1


def test_more_of_the_same_is_one() -> None:
    for more in (
        "还有北门那边的路灯也不亮",
        "还有就是你们处理完了给我回个电话",
        "另外我的电话不要透露",
        "还有就是希望快点给修",
    ):
        assert len(matters(talk(f"C:我们小区路灯全不亮，黑得很。{more}。"))) == 1, more


def test_three() -> None:
    call = """
    C:我说三个事，一个是我们小区路灯不亮
    A:好的
    C:再一个是门口的垃圾好几天没人清运
    A:嗯
    C:第三个是我妈的养老金认证弄不了
    """
    assert len(matters(talk(call))) == 3


def test_a_topic_decides_where_there_is_one() -> None:
    assert len(matters(talk(TWO), topic=lambda text: "市政")) == 1
    split = matters(talk(TWO), topic=lambda text: "路灯" if "路灯" in text else "供暖")
    assert [each.about for each in split] == ["供暖", "路灯"]
    assert len(matters(talk(TWO), topic=lambda text: None)) == 1


def test_without_marks() -> None:
    call = "C:我家暖气不热才十五度还有一个事就是门口的路灯坏了黑灯瞎火的没人管"
    assert len(matters(talk(call))) == 2


def test_places_are_no_subjects() -> None:
    assert subjects("医院门口那个停车场") == {"停车"}
    assert subjects("今天") == frozenset()
