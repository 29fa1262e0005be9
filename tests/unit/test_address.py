"""Where the matters of a call are: names misheard, said bit by bit, taken back, agreed to."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.assist.address.address import address
from appliance.assist.address.find import find
from appliance.assist.address.gazetteer import Gazetteer, Place
from appliance.assist.slots.value import Said, Value
from appliance.messages import LegRole, SpokenWord

ROLES = {"A": LegRole.AGENT, "C": LegRole.CITIZEN, "U": LegRole.UNKNOWN}


def _division(code: str, name: str, kind: str, *names: str) -> Place:
    return Place(code.ljust(12, "0"), name, kind, (), names)


PLACES = (
    _division("1402", "大同市", "city", "大同"),
    _division("140213", "平城区", "county", "平城", "城区"),
    _division("140214", "云冈区", "county", "云冈", "南郊区"),
    _division("140215", "云州区", "county", "云州", "大同县"),
    _division("140225", "浑源县", "county", "浑源"),
    _division("140213054", "振华街道", "town"),
    _division("140213057", "御河街道", "town"),
    _division("140214200", "口泉乡", "town"),
    _division("140215102", "周士庄镇", "town"),
    _division("140225100", "永安镇", "town"),
    _division("140213057001", "康吉社区居民委员会", "village"),
    _division("140214200205", "南关村村委会", "village"),
    _division("140225100206", "南关村委会", "village"),
    Place("p0", "锦绣花园", "compound", ("140213054000",), ("锦绣小区",)),
    Place("p1", "阳光花园", "compound", ("140213057000",)),
    Place("p2", "阳光花园", "compound", ("140225100000",)),
    Place("p3", "翡翠城一期", "compound", ("140213057000",)),
    Place("p4", "新华街", "street", ("140213054000",)),
    Place("p5", "新华街", "street", ("140225100000",)),
    Place("p6", "御河西路", "street", ("140213057000", "140213054000")),
    Place("p7", "大同市第三人民医院", "hospital", ("140213054000",), ("三医院",)),
    Place("p8", "永安西街", "street", ("140225100000",)),
    Place("p9", "周士庄火车站", "station", ("140215102000",)),
)
CITY = Gazetteer(PLACES)


def call(*lines: str) -> list[Said]:
    """`C:我住……`: the citizen says so."""
    return [
        Said(str(at), ROLES[line[0]], line[2:], at * 2000, at * 2000 + 1900)
        for at, line in enumerate(lines)
    ]


def told(*lines: str) -> Value:
    found = address(call(*lines), CITY)
    assert found, lines
    return found[0]


@pytest.mark.parametrize(
    ("text", "code", "part", "name"),
    [
        ("我住在提城区遇河街道", "140213057000", "town", "御河街道"),
        ("云刚区口泉乡那边的路灯坏了", "140214200000", "town", "口泉乡"),
        ("在平城区那个进秀花园三号楼", "140213054000", "compound", "锦绣花园"),
        ("浑圆县的新华街没有路灯", "140225100000", "street", "新华街"),
        ("我们是周是庄镇的", "140215102000", "town", "周士庄镇"),
        ("我在御河街道康吉社区", "140213057001", "village", "康吉社区"),
        ("在平城区锦绣小区，没人管", "140213054000", "compound", "锦绣花园"),  # an alias
        ("在大同县周士庄镇", "140215102000", "county", "云州区"),  # an old name
        ("就在三医院门口", "140213054000", "landmark", "大同市第三人民医院"),
    ],
)
def test_a_misheard_name_is_borne(text: str, code: str, part: str, name: str) -> None:
    value = told(f"C:{text}")
    assert (value.code, value.parts[part]) == (code, name)
    assert value.parts["division"] == code
    assert value.confidence >= 0.85


def test_evidence_says_where_it_was_heard() -> None:
    words = tuple(
        SpokenWord(char, 100 * at, 100 * at + 90, 1.0) for at, char in enumerate("我在遇河街道")
    )
    value = address([Said("u7", LegRole.CITIZEN, "我在遇河街道", 0, 600, words)], CITY)[0]
    shown = value.evidence[0]
    assert (shown.utterance, shown.start_ms, shown.end_ms) == ("u7", 200, 590)
    assert (shown.words, shown.why) == ("遇河街道", "近音")


class TestNotSure:
    def test_one_name_in_two_counties_is_asked_for(self) -> None:
        value = told("C:我在阳光花园")
        assert "county" not in value.parts
        assert value.confidence < 0.85
        assert {each.text for each in value.alternatives} == {"平城区阳光花园", "浑源县阳光花园"}
        assert value.question == "请问是平城区阳光花园，还是浑源县阳光花园？"

    def test_the_county_settles_it(self) -> None:
        value = told("C:我在阳光花园", "A:是平城区的阳光花园，还是浑源县的？", "C:浑源县的")
        assert value.parts["place"] == "p2"
        assert value.question == ""

    def test_villages_of_one_name(self) -> None:
        assert "village" not in told("C:我们南关村没水了").parts
        assert told("C:浑源县永安镇南关村没水了").code == "140225100206"

    def test_another_phase_of_a_compound_is_not_this_one(self) -> None:
        assert told("C:我在平城区翡翠城一期").parts.get("place") == "p3"
        assert told("C:我在平城区翡翠城二期").parts.get("place") != "p3"

    def test_another_street_is_not_this_one(self) -> None:
        assert told("C:我在浑源县永安东街").parts.get("place") != "p8"

    def test_a_town_is_not_its_station(self) -> None:
        assert "landmark" not in told("C:在云州区周士庄镇").parts

    def test_a_name_that_no_gazetteer_has_is_told_as_such(self) -> None:
        value = told("C:我住在平城区永泰小区三号楼")
        assert (value.parts["compound"], value.parts["building"]) == ("永泰小区", "3号楼")
        assert value.parts["unlisted"] is True
        assert value.confidence <= 0.5
        assert value.code == "140213000000"
        assert "永泰小区" in value.question

    def test_only_a_house_number(self) -> None:
        value = told("C:三号楼二单元停水了")
        assert value.confidence < 0.5
        assert "小区" in value.question

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "我想问一下社保卡怎么办理",
            "他三号来的，二十三号晚上走的",
            "我们这三栋楼都停水了",
            "新城区规划什么时候公布",  # 城区 inside another word
            "西南关系到老百姓的利益",  # 南关 inside other words
            "坐三十五路公交车",
            "138 3528 4619",
            "<script>alert('xss')</script>",
            "大同市的天气怎么样",
        ],
    )
    def test_nothing_is_made_of_nothing(self, text: str) -> None:
        assert not [v for v in address(call(f"C:{text}"), CITY) if v.code]


class TestOverACall:
    def test_house_numbers_come_one_by_one(self) -> None:
        value = told(
            "C:我家住平城区锦绣花园", "A:几号楼？", "C:三号", "A:几单元几零几？", "C:二单元五零一"
        )
        assert value.text == "平城区振华街道锦绣花园3号楼2单元501室"

    def test_another_building_has_other_rooms(self) -> None:
        value = told("C:锦绣花园三号楼五零一", "C:不对，是五号楼")
        assert value.parts["building"] == "5号楼"
        assert "room" not in value.parts

    def test_a_correction_holds(self) -> None:
        assert told("C:我在平城区", "A:您在平城区对吗？", "C:不对，是云州区").code == "140215000000"
        assert told("C:不是平城区，是云州区的周士庄镇").code == "140215102000"

    def test_a_compound_does_not_outweigh_a_correction(self) -> None:
        value = told("C:我在锦绣花园", "A:平城区的锦绣花园，是吗？", "C:不对，我说的是浑源县")
        assert value.code == "140225000000"
        assert value.parts.get("place") != "p0"

    def test_what_an_agent_says_counts_once_it_is_agreed_to(self) -> None:
        assert not address(call("A:您是在平城区锦绣花园对吗？", "C:喂，听不清"), CITY)
        value = told("A:您是在平城区锦绣花园对吗？", "C:对")
        assert value.parts["place"] == "p0"
        assert value.evidence[-1].why == "确认"

    def test_where_it_goes_is_not_where_it_is(self) -> None:
        assert not address(call("C:我家没暖气", "A:我给您转到平城区城管局", "C:好的"), CITY)

    def test_a_place_that_was_found_wrong_is_doubted(self) -> None:
        sure = told("C:我在锦绣花园")
        doubted = told("C:我在锦绣花园", "A:平城区锦绣花园，对吗？", "C:不对不对")
        assert doubted.confidence < sure.confidence / 2

    def test_two_places_and_the_matter_first(self) -> None:
        found = address(call("C:我住锦绣花园，现在浑源县新华街堵车"), CITY)
        assert [value.parts["place"] for value in found] == ["p5", "p0"]

    def test_where_streets_cross(self) -> None:
        value = told("C:平城区新华街和御河西路交叉口往东五十米")
        assert value.parts["street"] == "新华街"
        assert value.parts["near"] == "与御河西路交叉口往东五十米"

    @pytest.mark.parametrize("near", ["对面", "旁边", "门口", "附近", "后面", "往东五十米", "北门"])
    def test_beside_a_place(self, near: str) -> None:
        assert told(f"C:就在三医院{near}").parts["near"] == near

    def test_roles_that_nobody_knows_are_guessed(self) -> None:
        value = told("U:您好，12345，请讲", "U:我家住平城区锦绣花园", "U:请问几号楼", "U:三号楼")
        assert value.text == "平城区振华街道锦绣花园3号楼"

    def test_the_same_again_is_the_same_place(self) -> None:
        assert len(address(call(*["C:我在平城区锦绣花园"] * 3), CITY)) == 1

    def test_it_is_pure(self) -> None:
        lines = call("C:我家住平城区锦绣花园", "A:几号楼？", "C:三号")
        assert address(lines, CITY) == address(lines, CITY)
        assert address(lines[:1], CITY) == address(lines[:1], CITY)


class TestSpans:
    def test_what_is_no_date_is_told(self) -> None:
        text = "我住锦绣花园三号楼二单元五零一，前天三号停的水"
        covered = {at for start, end in find(text, CITY).spans for at in range(start, end)}
        assert {text.index("三号楼"), text.index("五零一")} <= covered
        assert text.rindex("三号") not in covered

    @settings(max_examples=150, deadline=None)
    @given(
        st.text(
            st.sampled_from(
                "平城区御河街道锦绣花园三号楼二单元五零一新华街和对面的，。<>3-5A座 不是我在南关村"
            )
            | st.characters(),
            max_size=80,
        )
    )
    def test_spans_lie_in_the_text(self, text: str) -> None:
        reading = find(text, CITY)
        assert all(0 <= start < end <= len(text) for start, end in reading.spans)
        for value in address([Said("0", LegRole.CITIZEN, text)], CITY):
            assert 0 <= value.confidence <= 1
            assert all(each.words in text for each in value.evidence)


def test_hours_of_talk_are_read() -> None:
    text = "我们这里没有水也没有电。" * 2000 + "我在平城区御河街道。" + "嗯" * 20_000
    began = time.perf_counter()
    assert told(f"C:{text}").code == "140213057000"
    assert time.perf_counter() - began < 20


def test_a_call_that_goes_on_is_read_again_at_little_cost() -> None:
    lines = call(*["C:我在平城区锦绣花园，下水道堵了", "A:几号楼？", "C:三号楼"] * 60)
    address(lines, CITY)
    began = time.perf_counter()
    address(lines, CITY)
    assert time.perf_counter() - began < 0.5
