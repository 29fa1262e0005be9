"""The scorer: what counts as the same text, and what as an error."""

from __future__ import annotations

import pytest

from inference.cer import cer, digit_accuracy, digits, invented_characters, normalise, score


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("您好，请问？", "您好请问"),
        ("电话 138-0013", "电话一三八零零一三"),
        ("幺三九", "一三九"),
        ("１２３４５", "一二三四五"),  # full width
        ("二〇二四年", "二零二四年"),
        ("ABC Wi-Fi", "abcwifi"),
        ("\n\t　", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_punctuation_and_digit_style_are_no_errors() -> None:
    assert cer("我的电话是幺三九。", "我的电话是 139") == 0.0


def test_each_edit_counts_once() -> None:
    assert cer("水管漏了", "水官漏") == pytest.approx(2 / 4)


def test_rate_may_exceed_one_and_empty_reference_is_no_crash() -> None:
    assert cer("好", "好的好的") == 3.0
    assert cer("", "") == 0.0
    assert cer("。", "您好") == float("inf")


def test_a_set_is_weighted_by_characters_not_by_sentences() -> None:
    total = score([("一二三四五六七八九", "一二三四五六七八九"), ("好", "不")])
    assert (total.edits, total.characters) == (1, 10)
    assert total.rate == pytest.approx(0.1)


def test_digits_are_counted_apart_from_the_words_around_them() -> None:
    assert digits("电话幺三九，对吗？") == "一三九"
    assert digit_accuracy([("电话幺三九", "店话幺三九")]) == 1.0
    assert digit_accuracy([("电话幺三九零", "电话幺三零")]) == pytest.approx(0.75)


def test_invented_digits_cost_at_most_what_the_item_has() -> None:
    assert digit_accuracy([("幺幺零", "一二三四五六七八九九九九九"), ("一二三", "一二三")]) == 0.5
    assert digit_accuracy([("没有数字", "没有数字")]) == 1.0


def test_invented_characters() -> None:
    assert invented_characters(["", "。", "好的。"]) == 2
