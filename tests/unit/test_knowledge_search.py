"""The knowledge base's search: what is found, where and when it holds, and how sure it is."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from appliance.assist.knowledge.confidence import confidence
from appliance.assist.knowledge.library import Library, changed, crowded, library, tidied
from appliance.assist.knowledge.opinions import opinions
from appliance.assist.knowledge.passages import highlights, passages
from appliance.assist.knowledge.rows import one_row, weight
from appliance.assist.text import grams
from appliance.assist.text.grams import counts
from appliance.assist.text.index import indexed, joined, query_of
from appliance.store.asked import AgentVerdict
from appliance.store.knowledge import EntryState, KnowledgeEntry

TODAY = date(2026, 11, 28)
CITY, COUNTY, TOWN = "140200000000", "140213000000", "140213001000"
TEXTS = {
    "fund": ("租房怎么提取住房公积金", "无自有住房的，可以提取住房公积金支付房租，每人每年一次。"),
    "heat": ("供暖温度不达标怎么办", "室内低于18度的，先打供热单位电话，二十四小时内上门测温。"),
    "card": ("老年公交卡怎么办", "年满六十五周岁的老人带身份证到公交公司办老年卡，免费乘车。"),
    "idcard": ("身份证丢了怎么补办", "到就近派出所补办身份证，工本费40元，二十个工作日领取。"),
}


def entry(name: str, sequence: int = 1, **more: object) -> KnowledgeEntry:
    title, answer = TEXTS[name]
    given = {"state": EntryState.LIVE, "sequence": sequence, **more}
    return KnowledgeEntry(name, (title,), answer, **given)


def shelf() -> Library:
    return library([entry(name, at) for at, name in enumerate(TEXTS, 1)])


def ids(found: Library, question: str, day: date = TODAY, place: str = "") -> list[str]:
    return [each.entry.id for each in found.search(query_of([(question, 1)]), day=day, place=place)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("我租的房子，公积金能取吗", "fund"),
        ("家里暖气温度不够找谁", "heat"),
        ("六十五岁坐公交车要钱不", "card"),
        ("身份证掉了", "idcard"),
    ],
)
def test_it_finds_what_answers(question: str, first: str) -> None:
    assert ids(shelf(), question)[0] == first


def test_nothing_in_common_finds_nothing() -> None:
    assert ids(shelf(), "xyz") == [] and ids(shelf(), "") == [] and ids(Library(), "公积金") == []


def test_counting_knows_width_case_and_borders_of_texts() -> None:
    found = counts(["Ａ3区", "a3 区", "", "区"])
    of = [set(found.key[found.text == at].tolist()) for at in range(4)]
    assert of[0] == of[1] and of[2] == set() and of[3] < of[0] and found.texts == 4
    together = counts(["公积", "金"])
    assert set(together.key.tolist()) < set(counts(["公积金"]).key.tolist())
    many = counts(["4G 5G 4G", "G4", "𠀀"])  # beyond 16 bits: punctuation
    assert many.count[many.text == 0].tolist() == [2, 1] or sorted(
        many.count[many.text == 0].tolist()
    ) == [1, 2]
    assert not set(many.key[many.text == 0]) & set(many.key[many.text == 1])
    assert not (many.text == 2).any()


def test_an_index_scores_as_if_every_pair_were_looked_at() -> None:
    rng = np.random.default_rng(3)
    texts = ["".join(rng.choice(list("公积金提取房租供暖"), 12)) for _ in range(60)]
    index, question = indexed(counts(texts)), query_of([("公积金提取", 1.0), ("房租", 0.5)])
    whole = index.scores(question)
    alone = [
        float(indexed(counts([text]), [index.statistics]).scores(question, index.statistics)[0])
        for text in texts
    ]
    assert np.allclose(whole, alone, rtol=1e-4)


def test_indexes_put_together_are_one_index_of_the_texts_that_are_kept() -> None:
    rng = np.random.default_rng(4)
    texts = ["".join(rng.choice(list("公积金提取房租供暖A1"), 9)) for _ in range(50)]
    keep = rng.random(50) < 0.7
    whole = indexed(counts([text for text, kept in zip(texts, keep, strict=True) if kept]))
    parts = [indexed(counts(texts[begin : begin + 10])) for begin in range(0, 50, 10)]
    made = joined([(part, keep[10 * at : 10 * at + 10]) for at, part in enumerate(parts)])
    for name in ("keys", "holding", "texts"):
        assert np.array_equal(getattr(made.statistics, name), getattr(whole.statistics, name))
    assert np.array_equal(made.begin, whole.begin) and np.array_equal(made.text, whole.text)
    nothing = joined([(part, np.zeros(10, bool)) for part in parts])
    assert len(nothing) == 0 and not len(nothing.scores(query_of([("公积金", 1)])))


def test_texts_are_counted_alike_however_many_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["公积金提取", "", "房租A1 房租", "提取" * 300, "供暖"]
    whole = counts(texts)
    monkeypatch.setattr(grams, "TOGETHER", 4)
    parts = counts(texts)
    for name in ("text", "key", "count"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert whole.count.max() == grams.MOST_COUNTED and np.all(np.diff(whole.key) >= 0)


def test_what_changes_while_rows_are_put_together_stays_changed() -> None:
    made = Library()
    for at, name in enumerate(TEXTS, 1):
        made = changed(made, [entry(name, at)])
    some = crowded(made)
    one = one_row(some)
    made = changed(made, [entry("fund", 8, state=EntryState.RETIRED), entry("heat", 9, version=2)])
    made = tidied(made, some, one)
    assert "fund" not in ids(made, "租房提取公积金") and set(made.by_id) == set(TEXTS) - {"fund"}
    told = made.search(query_of([("供暖温度不达标", 1)]), day=TODAY)
    assert [each.entry.version for each in told if each.entry.id == "heat"] == [2]
    assert sum(len(row) for row in made.rows) == 3


def test_many_changes_give_what_one_gives() -> None:
    rng = np.random.default_rng(5)
    now: dict[str, KnowledgeEntry] = {}
    step, most = Library(), 0
    for at in range(1, 120):
        name = f"e{rng.integers(40)}"
        title, answer = TEXTS[str(rng.choice(list(TEXTS)))]
        state = EntryState.RETIRED if rng.random() < 0.2 else EntryState.LIVE
        now[name] = KnowledgeEntry(
            name, (f"{title}{name}",), f"{answer}{at}", state=state, sequence=at
        )
        step = changed(step, [now[name]])
        while some := crowded(step):
            step = tidied(step, some, one_row(some))
        most = max(most, len(step.rows))
    live = {key for key, each in now.items() if each.state is EntryState.LIVE}
    assert set(step.by_id) == live and step.sequence == 119
    for question in ("公积金提取", "供暖温度", "e7"):
        found = step.search(query_of([(question, 1)]), day=TODAY, most=100)
        assert {each.entry.id for each in found} <= live
        assert all(each.entry == now[each.entry.id] for each in found)
    assert most < 10


def test_what_came_in_many_parts_is_found_as_if_it_had_come_at_once() -> None:
    rng = np.random.default_rng(8)
    words = list("公积金提取房租供暖身份证医保社区投诉电动车充电")
    made = [
        KnowledgeEntry(
            f"e{at}",
            (f"第{at}问",),
            "".join(rng.choice(words, 60)),
            state=EntryState.LIVE,
            sequence=at,
        )
        for at in range(1, 400)
    ]
    step = Library()
    for at in range(0, len(made), 7):
        step = changed(step, made[at : at + 7])
        while some := crowded(step):
            step = tidied(step, some, one_row(some))
    once = library(made)
    for at in range(1, 400, 20):
        question = query_of([(made[at].answer[10:22], 1)])
        one, other = (each.search(question, day=TODAY)[0] for each in (once, step))
        assert one.entry == other.entry == made[at]
        assert other.score == pytest.approx(one.score, rel=0.05)


@pytest.mark.parametrize(
    ("scope", "place", "wanted"),
    [
        ("", "", 1.0),
        ("", TOWN, 1.0),
        (CITY, TOWN, 1.0),
        (COUNTY, TOWN, 1.0),
        (TOWN, TOWN, 1.0),
        (TOWN, COUNTY, 0.8),  # they may be in it
        (COUNTY, "", 0.8),
        (COUNTY, "140214000000", 0.0),
    ],
)
def test_where_an_entry_holds(scope: str, place: str, wanted: float) -> None:
    assert weight(scope, place) == wanted


def test_when_an_entry_holds() -> None:
    found = library([entry("fund", valid_from="2026-01-01", valid_to="2026-12-31")])
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1))
    assert [bool(ids(found, "公积金", day)) for day in days] == [False, True, True, False]


def test_it_is_sure_of_what_it_knows_and_of_nothing_else() -> None:
    found = shelf()

    def first(question: str) -> float:
        told = found.search(query_of([(question, 1)]), day=TODAY)
        return told[0].confidence if told else 0.0

    assert first("租房怎么提取公积金") > 0.5 and first("身份证丢了怎么补办") > 0.5
    assert first("孩子上小学怎么报名") < 0.3 and first("怎么办") < 0.5


def test_two_that_ask_the_same_are_no_rivals() -> None:
    twin = KnowledgeEntry(
        "twin", ("租房怎么提取住房公积金？",), TEXTS["fund"][1], state=EntryState.LIVE, sequence=9
    )
    found = changed(shelf(), [twin]).search(query_of([("租房怎么提取公积金", 1)]), day=TODAY)
    assert {each.entry.id for each in found[:2]} == {"fund", "twin"}
    assert found[0].confidence > 0.5 and found[1].confidence > 0.5


def test_confidence_never_leaves_its_range() -> None:
    question, by = query_of([("公积金", 1)]), indexed(counts(["公积金"])).statistics
    for scores in ([], [1e-9], [1e9, 1e9], [5.0, 4.9, 0.1]):
        assert all(0 <= each <= 1 for each in confidence(scores, question, by))


def test_what_agents_take_comes_first_and_what_they_reject_last() -> None:
    same = [
        KnowledgeEntry(name, ("公积金提取",), answer, state=EntryState.LIVE, sequence=at)
        for at, (name, answer) in enumerate([("a", "公积金提取一。"), ("b", "公积金提取二。")], 1)
    ]
    plain = library(same)
    first, second = ids(plain, "公积金提取")
    verdicts = [(second, True), (first, False)]
    said = opinions([AgentVerdict("c", name, taken, "w", "公积金提取") for name, taken in verdicts])
    assert ids(library(same, said), "公积金提取") == [second, first]
    other = opinions([AgentVerdict("c", second, True, "w", "供暖温度不达标")])
    assert ids(library(same, other), "公积金提取") == [first, second]


def test_passages_are_whole_sentences_and_cover_the_text() -> None:
    text = "".join(f"第{n}条，办理住房公积金提取需要材料若干。" for n in range(40))
    parts = passages(text)
    assert "".join(text[part.begin : part.end] for part in parts) == text
    assert all(text[part.end - 1] == "。" for part in parts) and len(parts) > 4
    assert passages("") == () and len(passages("无标点" * 500)) == 1


def test_the_passage_that_fits_is_told() -> None:
    long = "".join(f"第{n}条，关于其他事项的规定。" * 4 for n in range(9))
    answer = f"{long}提取公积金须带身份证和无房证明。{long}"
    found = library(
        [KnowledgeEntry("x", ("办法",), answer, state=EntryState.LIVE, sequence=1)]
    ).search(query_of([("提取公积金带什么证明", 1)]), day=TODAY)[0]
    assert "无房证明" in answer[found.passage.begin : found.passage.end]
    assert found.passage.end - found.passage.begin < len(answer) / 2


def test_marks_are_what_was_asked() -> None:
    text = "可以提取住房公积金，4G卡除外"
    marked = [text[a:b] for a, b in highlights(text, query_of([("公积金怎么提取4G", 1)]))]
    assert marked == ["提取", "公积金", "4G"]
