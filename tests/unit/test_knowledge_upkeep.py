"""What keeps a knowledge base good: gaps, duplicates, contradictions, what is proposed when."""

from __future__ import annotations

import csv
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from appliance.assist.knowledge.contradicting import all_contradictions, contradicting
from appliance.assist.knowledge.duplicates import duplicates, merged
from appliance.assist.knowledge.edits import contradictions
from appliance.assist.knowledge.gaps import gaps
from appliance.assist.knowledge.library import FoundEntry, library
from appliance.assist.knowledge.outcome import answer_to
from appliance.assist.knowledge.passages import AnswerPassage
from appliance.assist.knowledge.proposal import ShownEntries, proposal
from appliance.assist.knowledge.titles import Titles
from appliance.assist.knowledge.want import want
from appliance.assist.slots.value import Said
from appliance.assist.text.clusters import clusters
from appliance.assist.text.likeness import likeness, likenesses
from appliance.messages import LegRole
from appliance.store.asked import OpenQuestion
from appliance.store.knowledge import EntryState, KnowledgeEntry

ASKED = Path(__file__).parents[1] / "knowledge" / "asked.csv"
AGENT, CITIZEN = LegRole.AGENT, LegRole.CITIZEN


def said(*turns: tuple[LegRole, str]) -> list[Said]:
    return [Said(str(at), role, text) for at, (role, text) in enumerate(turns)]


def entry(name: str, title: str, answer: str, **more: object) -> KnowledgeEntry:
    return KnowledgeEntry(name, (title,), answer, **more)  # type: ignore[arg-type]


def found(name: str, confidence: float) -> FoundEntry:
    return FoundEntry(entry(name, name, name), 1.0, confidence, AnswerPassage(0, 1))


# --- what is wanted


def test_the_question_is_of_the_last_turns_not_the_last_utterance() -> None:
    asks = want(
        said(
            (AGENT, "您好，请问有什么可以帮您？"),
            (CITIZEN, "我在外面租房住，想问一下公积金能不能提取。"),
            (AGENT, "好的，请问您贵姓？"),
            (CITIZEN, "我姓王，电话13800001111。"),
            (CITIZEN, "嗯。"),
        )
    )
    assert "公积金能不能提取" in asks.text and asks.asks
    assert "嗯" not in [text for text, _ in asks.parts]


def test_what_was_said_last_counts_most_and_questions_more_than_the_rest() -> None:
    later = "我家住在平城区。公积金怎么提取？"
    asks = want(said((CITIZEN, "供暖温度多少算达标？"), (CITIZEN, later)))
    weights = dict(asks.parts)
    assert weights["公积金怎么提取？"] > weights["供暖温度多少算达标？"] > 0
    assert weights["公积金怎么提取？"] > weights["我家住在平城区"] > 0


def test_what_an_agent_repeats_is_part_of_it() -> None:
    asks = want(said((CITIZEN, "那个取钱的事。"), (AGENT, "您是想问租房提取公积金的手续对吗？")))
    assert "租房提取公积金" in asks.text


def test_nobody_asked_anything() -> None:
    assert not want([]).parts and not want(said((CITIZEN, "嗯嗯。"), (AGENT, "您好。"))).asks


# --- what is proposed


def test_it_changes_only_for_something_better() -> None:
    shown = proposal(ShownEntries(), [found("a", 0.6)], set())
    assert shown.ids == ("a",)
    assert proposal(shown, [found("b", 0.55), found("a", 0.5)], set()).ids == ("a",)
    assert proposal(shown, [found("b", 0.9), found("a", 0.1)], set()).ids == ("b", "a")
    assert proposal(shown, [found("b", 0.2)], set()).ids == ("a",)  # it does not know
    assert proposal(ShownEntries(), [found("b", 0.2)], set()).ids == ()


def test_three_at_most_and_none_that_was_refused() -> None:
    many = [found("a", 0.5), *(found(name, 0.2) for name in "bcde")]
    assert len(proposal(ShownEntries(), many, set()).ids) == 3
    assert proposal(ShownEntries((found("a", 0.9),)), many, {"a"}).ids == ()


# --- gaps


def test_questions_land_in_the_gap_of_their_own_matter() -> None:
    with ASKED.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(7).shuffle(rows)
    asked = [OpenQuestion(str(at), 0, row["text"], at=at) for at, row in enumerate(rows)]
    matter = {str(at): row["matter"] for at, row in enumerate(rows)}
    made = gaps(asked)
    inside = [Counter(matter[each.call_id] for each in gap.questions) for gap in made]
    pure = sum(each.most_common(1)[0][1] for each in inside)
    largest = {name: max(each[name] for each in inside) for name in set(matter.values())}
    assert pure / len(asked) >= 0.8 and sum(largest.values()) / len(asked) >= 0.8


def test_the_order_of_asking_changes_nothing() -> None:
    texts = [
        "公积金怎么提取",
        "提取公积金要什么",
        "供暖温度不够",
        "暖气温度低找谁",
        "公积金提取条件",
    ]
    asked = [OpenQuestion(str(at), 0, text, at=at) for at, text in enumerate(texts)]
    one = {frozenset(each.text for each in gap.questions) for gap in gaps(asked)}
    other = {frozenset(each.text for each in gap.questions) for gap in gaps(asked[::-1])}
    assert one == other and gaps([]) == []


def test_an_answer_is_the_most_typical_of_agents() -> None:
    answers = ("到公积金中心办理提取", "带身份证到公积金中心办理", "不清楚", "")
    asked = [
        OpenQuestion(str(at), 0, "公积金怎么提取", answer, at=at)
        for at, answer in enumerate(answers)
    ]
    assert "公积金中心" in gaps(asked)[0].answer


def test_clusters_are_those_of_average_linkage() -> None:
    alike = np.array(
        [[1, 0.9, 0.1, 0.2], [0.9, 1, 0.2, 0.1], [0.1, 0.2, 1, 0.5], [0.2, 0.1, 0.5, 1]], np.float32
    )
    assert clusters(alike, 0.3) == [[0, 1], [2, 3]]
    assert clusters(alike, 0.6) == [[0, 1], [2], [3]]
    assert clusters(alike, 0.1) == [[0, 1, 2, 3]]
    assert clusters(np.zeros((0, 0), np.float32), 0.1) == []


def test_likeness_is_symmetric_and_a_text_is_like_itself() -> None:
    alike = likenesses(["公积金提取", "提取公积金", "供暖", ""], 0.6)
    assert np.allclose(alike, alike.T) and np.allclose(alike.diagonal()[:3], 1)
    assert alike[0, 1] > alike[0, 2] == 0


def test_what_an_agent_said_to_it_is_without_what_any_call_holds() -> None:
    call = said(
        (AGENT, "您好，请问有什么可以帮您？"),
        (CITIZEN, "公积金怎么提取？"),
        (AGENT, "请稍等。带身份证到公积金中心办理。请问您贵姓？"),
        (CITIZEN, "谢谢。"),
        (AGENT, "祝您生活愉快，再见。"),
    )
    assert answer_to(call, "1") == "带身份证到公积金中心办理。"


# --- duplicates and contradictions


def test_entries_that_ask_the_same_are_put_together() -> None:
    same = [
        entry("a", "租房怎么提取住房公积金", "一"),
        entry("b", "租房怎么提取住房公积金？", "二", taken=3),
        entry("c", "供暖温度不达标怎么办呢", "三"),
        entry("d", "租房怎么提取住房公积金", "四", scope="140213000000"),  # another place
    ]
    (group,) = duplicates(same)
    assert [each.id for each in group.entries] == ["b", "a"]
    assert merged(group.entries[0], group.entries[1:]).questions == (
        "租房怎么提取住房公积金？",
        "租房怎么提取住房公积金",
    )


@pytest.mark.parametrize(
    ("one", "other", "is_told"),
    [
        ("限额2000元。", "限额3000元。", True),
        ("限额2000元。", "限额2000元，三个工作日。", False),
        ("可以代办。", "不可以代办。", True),
        ("可以代办。", "可以代办，带委托书。", False),
    ],
)
def test_what_contradicts_is_told(one: str, other: str, is_told: bool) -> None:
    mine, theirs = (
        entry("a", "公积金提取限额是多少", one),
        entry("b", "公积金提取限额是多少？", other),
    )
    assert bool(contradictions(mine, [theirs])) is is_told


def test_entries_of_other_times_and_places_contradict_nothing() -> None:
    mine = entry("a", "公积金提取限额是多少", "2000元", valid_to="2026-12-31")
    later = entry("b", "公积金提取限额是多少", "3000元", valid_from="2027-01-01")
    there = entry("c", "公积金提取限额是多少", "3000元", scope="140213000000")
    assert contradictions(mine, [later, there, mine]) == []


def test_what_is_imported_contradicts_what_is_live_and_what_comes_with_it() -> None:
    asked = "公积金提取限额是多少"
    live = library([entry("a", asked, "限额2000元。", state=EntryState.LIVE, sequence=1)])
    new = [entry("b", f"{asked}？", "限额3000元。"), entry("c", asked, "限额4000元。")]
    found = {(each.entry, each.other) for each in contradicting(live, new)}
    assert {frozenset(each) for each in found} == {
        frozenset(each) for each in (("a", "b"), ("a", "c"), ("b", "c"))
    }
    assert len(found) == len(all_contradictions([*live.by_id.values(), *new])) == 3


def test_titles_are_joined_as_if_each_two_were_compared() -> None:
    rng = np.random.default_rng(6)
    matters = ["".join(rng.choice(list("公积金提取房租供暖身份证医保"), 12)) for _ in range(40)]
    made = []
    for at in range(300):
        words = list(str(rng.choice(matters)))
        words[int(rng.integers(12))] = "甲"
        made.append(entry(f"e{at:03}", "".join(words), "一", scope=str(rng.choice(["", "1"]))))
    titles = Titles(made)
    named = [(made[each[0]].scope, made[each[0]].title) for each in titles.entries]
    wanted = {
        (at, before)
        for at, (scope, title) in enumerate(named)
        for before, (there, other) in enumerate(named[:at])
        if scope == there and likeness(title, other) >= 0.7
    }
    assert wanted and set(titles.alike(0.7)) == wanted
    both = {tuple(sorted(each, reverse=True)) for each in titles.like(titles, 0.7)}
    assert both - {(at, at) for at in range(len(titles))} == wanted


@pytest.mark.parametrize("title", ["公积金提取限额是多少", "第{}号文件什么时候开始办理"])
def test_many_alike_are_put_together_in_bounded_time(title: str) -> None:
    """Two thousand of the same, and two thousand that share all but a number."""
    many = [entry(f"e{at}", title.format(at), f"限额{at}元。") for at in range(2000)]
    begun = time.process_time()
    groups, against = duplicates(many), all_contradictions(many)
    assert time.process_time() - begun < 20
    assert len(against) <= 2000 * 20
    if "{" not in title:
        assert len(groups[0].entries) == 2000
