"""Quality rules hear by sound: what a recogniser writes otherwise is still what was said."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from appliance.assist.quality.cases import dialogue
from appliance.assist.quality.condition import Condition
from appliance.assist.quality.evaluation import ConditionOutcome, evaluate
from appliance.phonetics.homophones import same_sound


def condition_of(text: str) -> Condition:
    return Condition(**tomllib.loads(f"c = {text}")["c"])


def found(condition: str, text: str, **more: Any) -> ConditionOutcome:
    return evaluate(condition_of(condition), dialogue(text, **more))


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("贵姓", "贵性", True),
        ("再骂", "在骂", True),
        ("真的", "增的", True),
        ("今天", "京天", True),
        ("您说", "你说", True),
        ("重新", "中心", False),
        ("贵姓", "贵人", False),
        ("A1号", "A1好", True),
    ],
)
def test_what_sounds_the_same(one: str, other: str, wanted: bool) -> None:
    assert (same_sound(one) == same_sound(other)) is wanted
    assert len(same_sound(one)) == len(one)


@pytest.mark.parametrize(
    ("condition", "text", "wanted"),
    [
        ('{matches = "贵姓"}', "坐席：您贵性", False),
        ('{matches = "贵姓", sounds = true}', "坐席：您贵性", True),
        ('{matches = "您(?:贵)?姓", sounds = true}', "坐席：你性什么", True),
        ('{matches = "区|县", sounds = true}', "坐席：曲线", False),  # one character is too little
        ('{matches = "区|县", sounds = true}', "坐席：哪个区", True),
        ('{matches = "[\\\\d幺]{4,}", sounds = true}', "坐席：要380对吗", True),
        ('{say = ["投诉也没用"], sounds = true}', "坐席：投诉也没有", True),
        ('{say = ["投诉也没用"], sounds = true}', "坐席：我来投诉", False),
        ('{say = ["投诉也没用"], sounds = true}', "坐席：投诉\n坐席：也没用", False),  # two turns
    ],
)
def test_what_is_heard_as_said(condition: str, text: str, wanted: bool) -> None:
    assert found(condition, text).holds is wanted


def test_evidence_is_what_was_heard_and_by_whom() -> None:
    condition = '{say = ["我也没办法", "不归我们管"], sounds = true, role = "agent"}'
    told = found(condition, "坐席：您好\n市民：喂\n坐席：那我也没半法，不贵我们管")
    assert [proof.words for proof in told.proofs] == ["我也没半法", "不贵我们管"]
    assert told.turns == (2,) and told.proofs[0].utterance == "2"
    assert not found(condition, "").holds


def test_a_syllable_that_was_not_understood_hides_nothing() -> None:
    missing = '{not = {say = ["请讲"], role = "agent"}}'
    assert found(missing, "坐席（听清30%）：那。").holds is True
    assert found(missing, "坐席（听清30%）：情浆。").holds is None


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("{silence_s = 3, sounds = true}", "no matter of words"),
        ('{like = ["请您不要着急慢慢说"], sounds = true}', "no matter of words"),
        ('{matches = "[一-龥]{2}", sounds = true}', "cannot be told by sound"),
    ],
)
def test_what_cannot_be_heard_by_sound(condition: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        condition_of(condition)
