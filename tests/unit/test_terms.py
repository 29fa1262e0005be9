"""Names are put right where they were misheard, and nothing else is touched."""

from __future__ import annotations

import pytest

from appliance.call.corrected import corrected
from appliance.call.hints import names_in
from appliance.terms.correction import HeardCharacter, Terms, corrections, pairs_in
from appliance.terms.term import MOST_TERMS, Term
from inference.tensors import Hypothesis, Word

UNSURE, SURE = 0.5, 0.98
NAMES = (
    "紫金名苑",
    "时代先锋",
    "上峰电商产业园",
    "电商产业园",
    "洁芳小区",
    "迈德来",
    "市政府宿舍区",
)


def terms(*names: str, weight: float = 0.0, usual: tuple[str, ...] = ()) -> Terms:
    return Terms([Term(name, weight) for name in names], pairs_in(usual))


def put_right(text: str, *lists: Terms, confidence: float = UNSURE) -> str:
    for like in reversed(corrections([HeardCharacter(c, confidence) for c in text], *lists)):
        text = text[: like.start] + like.term.text + text[like.end :]
    return text


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("麻烦您派到紫金明院去看一下", "麻烦您派到紫金名苑去看一下"),
        ("我住在时代先风，灯坏了", "我住在时代先锋，灯坏了"),
        ("我住在时代先锋，灯坏了", "我住在时代先锋，灯坏了"),
        (
            "上风电商产业园那条路",
            "上峰电商产业园那条路",
        ),  # the longest, though a part of it stands there
        ("紫金明院和街方小区", "紫金名苑和洁芳小区"),
        ("市政府速舍区门口", "市政府宿舍区门口"),
        ("今天天气很好，没有什么事", "今天天气很好，没有什么事"),
        ("", ""),
    ],
)
def test_names_are_put_right(heard: str, said: str) -> None:
    assert put_right(heard, terms(*NAMES)) == said


@pytest.mark.parametrize("weight", [0.0, 5.0])
@pytest.mark.parametrize(
    ("heard", "term"), [("紫金明院", "紫金名苑"), ("上风电商产业园", "上峰电商产业园")]
)
def test_what_the_recogniser_is_sure_of_stays(heard: str, term: str, weight: float) -> None:
    """However long the name, and however likely: one that is unsure of a character is another."""
    listed = terms(term, weight=weight)
    assert put_right(f"派到{heard}", listed, confidence=SURE) == f"派到{heard}"
    assert put_right(f"派到{heard}", listed, confidence=0.91) == f"派到{heard}"
    unsure = [HeardCharacter(c, 0.6 if c in "明风" else SURE) for c in heard]
    assert [like.term.text for like in corrections(unsure, listed)] == [term]


def test_a_term_that_is_seldom_said_wants_more() -> None:
    assert put_right("我住在时代先风", terms("时代先锋", weight=-5)) == "我住在时代先风"


def test_everyday_words_are_not_taken_for_names() -> None:
    usual = ("希望街道能管一管",) * 200
    assert put_right("希望街道", terms("席王街道")) == "席王街道"
    assert put_right("希望街道", terms("席王街道", usual=usual)) == "希望街道"


@pytest.mark.parametrize("term", ["一", "山", "110", "一三八", "三号"])
def test_neither_numbers_nor_single_characters_are_ever_put_in(term: str) -> None:
    for heard in ("要要零", "删", "医三八", "一一零", "山号"):
        changed = put_right(heard, terms(term, weight=5))
        assert changed == heard or (term, changed) == ("三号", "三号")


def test_digits_are_never_changed() -> None:
    assert put_right("电话是五零一二三四", terms("武林一二三寺", weight=5)) == "电话是五零一二三四"


def test_no_name_goes_across_a_pause() -> None:
    assert put_right("紫金，明院", terms("紫金名苑")) == "紫金，明院"


def test_english_is_written_as_in_the_list() -> None:
    assert put_right("我要办etc卡", terms("ETC卡")) == "我要办ETC卡"


def test_a_word_that_no_character_can_be_read_of_is_harmless() -> None:
    assert put_right("随便说点什么", terms("☎☎☎", "  ", "", "𠮷𠮷")) == "随便说点什么"


def test_of_two_lists_the_better_counts() -> None:
    city, caller = terms("紫金名园"), terms("紫金名苑", weight=1)
    assert put_right("紫金明院", caller, city) == put_right("紫金明院", city, caller) == "紫金名苑"


def test_more_names_want_more_likeness() -> None:
    """With ten thousand, something is like one of them by chance."""
    many = Terms([Term("时代先锋"), *(Term(f"第{n}") for n in range(MOST_TERMS))])
    (few_gain,) = (c.gain for c in corrections(_heard("时代先风"), terms("时代先锋")))
    (many_gain,) = (c.gain for c in corrections(_heard("时代先风"), many))
    assert many_gain < few_gain


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("平城区、云冈街道，阳光花园", ("平城区", "云冈街道", "阳光花园")),
        ("ZyntriQix, Digique Plus\n平城区。", ("ZyntriQix", "Digique Plus", "平城区")),
        ("您好，请问您有什么需要反映？", ()),
        ("市民来电", ()),
        ("停水三天了，没有人管", ()),
        ("以下是普通话的句子。今天停水，", ()),
        ("热线：平城区，云冈街道", ()),
        ("我住的地方从上周三开始一直没有暖气，也没有人来看", ()),
        ("", ()),
    ],
)
def test_a_prompt_that_lists_names_is_told_from_one_that_says_something(
    prompt: str, names: tuple[str, ...]
) -> None:
    assert names_in(prompt) == names


def test_words_keep_their_times_and_the_correction_is_told() -> None:
    words = [
        ("我", 0, 100),
        ("住", 100, 200),
        ("街", 200, 300),
        ("方", 300, 400),
        ("小区，", 400, 600),
    ]
    heard = Hypothesis(
        "我住街方小区，", "zh", tuple(Word(t, a, b, UNSURE) for t, a, b in words), confidence=0.7
    )
    right, told = corrected(heard, terms("洁芳小区"))
    assert right.text == "我住洁芳小区，"
    assert [(w.text, w.start_ms) for w in right.words[2:]] == [
        ("洁", 200),
        ("芳", 300),
        ("小区，", 400),
    ]
    (one,) = told
    assert (one.heard, one.term, one.start_ms, one.end_ms) == ("街方小区", "洁芳小区", 200, 600)
    assert one.score > 0


def test_a_character_left_out_is_put_in() -> None:
    words = tuple(Word(c, i * 100, i * 100 + 100, UNSURE) for i, c in enumerate("上风电子商产业园"))
    right, told = corrected(
        Hypothesis("上风电子商产业园", "zh", words), terms("上峰电子商务产业园")
    )
    assert right.text == "上峰电子商务产业园" == "".join(w.text for w in right.words) and told


def test_other_languages_and_texts_without_words_are_left_alone() -> None:
    words = tuple(Word(c, 0, 1, UNSURE) for c in "紫金明院")
    for heard in (Hypothesis("紫金明院", "en", words), Hypothesis("紫金明院", "zh")):
        assert corrected(heard, terms("紫金名苑")) == (heard, ())


def _heard(text: str) -> list[HeardCharacter]:
    return [HeardCharacter(c, UNSURE) for c in text]
