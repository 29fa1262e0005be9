"""Training text, and the held-out sets that must stay out of it. No torch, no espeak."""

from __future__ import annotations

import random

import pytest

from inference.training.text import (
    TextGrammar,
    WordList,
    characters,
    plain,
    read_digits,
    read_number,
)


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        (0, "零"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (105, "一百零五"),
        (110, "一百一十"),
        (1010, "一千零一十"),
        (2300, "二千三百"),
        (10050, "一万零五十"),
        (120000, "十二万"),
    ],
)
def test_numbers_as_they_are_said(value: int, spoken: str) -> None:
    assert read_number(value) == spoken


def test_phone_digits() -> None:
    assert read_digits("1390") == "幺三九零"
    assert read_digits("1390", yao=False) == "一三九零"


def test_vocabulary_is_fixed_and_without_doubles() -> None:
    vocabulary = characters()
    assert len(vocabulary) == len(set(vocabulary)) == 3000
    assert set("，。？零一二三四五六七八九幺") <= set(vocabulary)


@pytest.mark.parametrize("rule", ["citizen", "agent", "everyday"])
def test_grammar_leaves_no_slot_and_is_seeded(rule: str) -> None:
    drawn = [TextGrammar(random.Random(7)).expand(rule) for _ in range(2)]
    assert drawn[0] == drawn[1]
    many = TextGrammar(random.Random(8))
    for _ in range(500):
        sentence = many.expand(rule)
        assert sentence and not set(sentence) & set("{}#|~*0123456789")


def test_word_sequences_stay_in_the_vocabulary() -> None:
    allowed = set(characters())
    words = WordList(random.Random(1), allowed)
    for _ in range(200):
        assert allowed.issuperset(words.sentence())


def test_no_held_out_sentence_is_drawn() -> None:
    from inference.training.text import Sentences

    drawn = {plain(Sentences(3).draw("template")) for _ in range(1)}
    sentences = Sentences(3, frozenset(drawn))
    assert all(plain(sentences.draw("template")) not in drawn for _ in range(2000))


def test_held_out_sets_are_complete_and_their_voices_unheard() -> None:
    from inference.training.heldout import SETS, forbidden, load_set
    from inference.training.voice import HELD_OUT_VOICES, TRAINING_VOICES

    assert not set(HELD_OUT_VOICES) & set(TRAINING_VOICES)
    for name in SETS:
        items = load_set(name)
        assert len(items) >= (30 if name == "nonspeech" else 60)
        assert len({item.id for item in items}) == len(items)
        for item in items:
            assert item.codec in ("pcm", "alaw")
            assert (item.voice is None) == (name == "nonspeech") == (item.text == "")
            assert item.text == "" or plain(item.text) in forbidden()
    unseen = {item.voice.variant for item in load_set("unseen_voices") if item.voice}
    assert unseen <= set(HELD_OUT_VOICES)
