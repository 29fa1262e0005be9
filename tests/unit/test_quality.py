"""Quality rules: the shipped ones by their cases, every operator, and rules that mean nothing."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from appliance.assist.city import pack as packs
from appliance.assist.city.reader import PackError, PackReader
from appliance.assist.quality.cases import dialogue, judged
from appliance.assist.quality.condition import Condition
from appliance.assist.quality.dialogue import dialogue_of
from appliance.assist.quality.evaluation import ConditionOutcome, evaluate
from appliance.assist.quality.rule import Finding, QualityRule, inspect, judge
from appliance.messages import CallRecord, CallState, LegRole, Utterance
from appliance.settings.section import PROJECT

PACK = packs.load(PROJECT / "provisioning" / "city_packs" / "datong")
APART = "坐席：一\n坐席：三\n坐席：二"
JUDGED = judged(PACK.quality, PACK.quality_cases)


def holds(condition: str, text: str, **more: Any) -> bool | None:
    return outcome(condition, text, **more).holds


def outcome(condition: str, text: str, **more: Any) -> ConditionOutcome:
    return evaluate(Condition(**tomllib.loads(f"c = {condition}")["c"]), dialogue(text, **more))


@pytest.mark.parametrize("each", JUDGED, ids=lambda each: f"{each.rule}-{each.is_fault}")
def test_a_shipped_rule_is_right_about_its_cases(each: Any) -> None:
    assert each.is_right, (each.finding, each.text)


def test_every_shipped_rule_has_cases_of_both_kinds() -> None:
    assert len(PACK.quality) >= 40
    assert {rule.id for rule in PACK.quality} == {case.rule for case in PACK.quality_cases}


@pytest.mark.parametrize(
    ("condition", "text", "wanted"),
    [
        ('{say = ["您好"]}', "坐席：您好", True),
        ('{say = ["您好"], role = "citizen"}', "坐席：您好", False),
        ('{say = ["您好", "再见"], at_least = 2}', "坐席：您好\n坐席：您好", False),
        ('{say = ["您好", "再见"], at_least = 2}', "坐席：您好\n坐席：再见", True),
        ('{say = ["您好"], first = 1}', "坐席：喂\n坐席：您好", False),
        ('{say = ["再见"], last = 1}', "坐席：再见\n坐席：喂", False),
        ('{say = ["公积金"], sounds = true}', "坐席：功绩金怎么提", True),
        ('{say = ["公积金"]}', "坐席：功绩金怎么提", False),
        ('{say = ["公积金"], sounds = true}', "坐席：养老金怎么领", False),
        ('{matches = "第\\\\d+条"}', "坐席：第12条", True),
        ('{like = ["请您不要着急慢慢说"], alike = 0.6}', "坐席：请您不要着急慢慢讲", True),
        ('{like = ["请您稍等一下"]}', "坐席：今天天气很好", False),
        ("{silence_s = 5}", "坐席：您好\n（静音6秒）\n市民：喂", True),
        ('{silence_s = 5, role = "agent"}', "坐席：您好\n（静音6秒）\n市民：喂", False),
        ("{silence_s = 5}", "坐席：您好\n（静音6秒）", True),
        ("{faster_than = 300}", "坐席（每分钟400字）：一二三四五六七八九十一二", True),
        ("{faster_than = 300}", "坐席（每分钟400字）：您好", False),  # too short to tell
        ("{slower_than = 150}", "坐席（每分钟100字）：一二三四五六七八九十一二", True),
        ("{interrupts_ms = 800}", "坐席：请您说一下地址好吗\n市民（抢话1秒）：喂喂", True),
        ("{interrupts_ms = 800}", "坐席：请您说一下地址好吗\n市民：喂喂", False),
        ("{overlap_s = 1}", "坐席：请您说一下地址好吗\n市民（抢话2秒）：喂喂喂喂喂喂喂喂", True),
        ('{mood = ["furious"]}', "市民（愤怒高）：喂", True),
        ('{mood = ["furious"], level = "high"}', "市民（愤怒低）：喂", False),
        ("{longer_s = 1}", "坐席：您好，请问有什么可以帮您", True),
        ("{shorter_s = 1}", "坐席：您好，请问有什么可以帮您", False),
        ('{channel = ["phone"]}', "坐席：喂", True),
        ('{hang_up = "agent"}', "坐席：喂", None),  # the switch does not tell it
        ('{say = ["一"], after = {say = ["二"]}}', "坐席：一\n坐席：二", False),
        ('{say = ["一"], after = {say = ["二"]}}', "坐席：二\n坐席：一", True),
        ('{say = ["一"], before = {say = ["二"]}}', "坐席：一\n坐席：二", True),
        ('{say = ["一"], around = {say = ["二"]}, within = 1}', APART, False),
        ('{all = [{say = ["一"]}, {say = ["二"]}]}', "坐席：一", False),
        ('{any = [{say = ["一"]}, {say = ["二"]}]}', "坐席：一", True),
        ('{not = {say = ["一"]}}', "坐席：一", False),
        ('{say = ["一"], first_s = 1}', "（静音3秒）\n坐席：一", False),
        ('{say = ["一"], last_s = 1}', "坐席：一\n（静音3秒）", False),
    ],
)
def test_what_holds(condition: str, text: str, wanted: bool | None) -> None:
    assert holds(condition, text) is wanted


def test_what_was_heard_badly_convicts_nobody() -> None:
    said = '{say = ["傻子"], role = "agent"}'
    missing = '{not = {say = ["您好"], role = "agent"}}'
    assert holds(said, "坐席（听清30%）：傻子") is None
    assert holds(missing, "坐席（听清30%）：银豪") is None
    assert holds(missing, "坐席（听清30%）：银豪\n坐席：您好") is False
    rule = rule_of('violated = {say = ["傻子"]}')
    assert judge(rule, dialogue("坐席（听清30%）：傻子")).finding is Finding.UNSURE


def test_an_anchor_that_was_heard_badly_convicts_nobody() -> None:
    missing = '{not = {say = ["您好"], before = {say = ["再见"]}}}'
    assert holds(missing, "坐席：请讲\n坐席（听清30%）：再见") is None
    assert holds(missing, "坐席：请讲\n坐席：再见") is True
    assert holds(missing, "坐席：您好\n坐席：再见") is False


def test_evidence_is_the_words_and_when_they_were_said() -> None:
    (proof,) = outcome('{say = ["傻子"]}', "市民：喂喂\n坐席：你这个傻子").proofs
    assert proof.words == "傻子" and proof.utterance == "1"
    assert 0 < proof.start_ms < proof.end_ms


def test_a_fault_that_was_provoked_counts_half() -> None:
    rule = rule_of(
        'points = 10\nviolated = {say = ["傻子"], role = "agent"}\n'
        'eased = {mood = ["furious"], role = "citizen"}'
    )
    plain, provoked = "坐席：傻子", "市民（愤怒高）：混蛋\n坐席：傻子"
    assert judge(rule, dialogue(plain)).points == 10
    assert judge(rule, dialogue(provoked)).points == 5 and judge(rule, dialogue(provoked)).eased


def test_a_call_without_an_agent_has_no_score() -> None:
    assert inspect(PACK.quality, dialogue("市民：喂？")).total is None
    assert inspect(PACK.quality, dialogue("")).total is None
    assert inspect((), dialogue("坐席：您好")).total == 100


def test_a_score_never_falls_below_nothing() -> None:
    rules = [rule_of('points = 60\nviolated = {say = ["喂"]}', id=f"r{n}") for n in range(3)]
    assert inspect(rules, dialogue("坐席：喂")).total == 0


def test_a_call_as_it_is_kept() -> None:
    said = Utterance("0.0", 0, 0, LegRole.UNKNOWN, "您好，12345，请讲。", (), 0, 2000, 0.9)
    record = CallRecord(
        *(
            "c",
            "",
            CallState.FINISHED,
            True,
            "riva",
            0.0,
            5000,
            (),
            (said,),
            True,
            "zh",
            "m",
            False,
        ),
        derived={"orders": [{"missing": ["address"]}]},
    )
    call = dialogue_of(record)
    assert call.turns[0].role is LegRole.AGENT and call.lacks == {"address"}


@pytest.mark.parametrize(
    ("violated", "told"),
    [
        ("{}", "it has none"),
        ('{say = ["一"], matches = "二"}', "say and matches"),
        ('{says = ["一"]}', "Extra inputs are not permitted"),
        ('{matches = "("}', "no regular expression"),
        ('{matches = "(好*)*吗"}', "may be nothing"),
        ('{matches = "(好|好好)+吗"}', "take forever"),
        ('{matches = "(?:好?好?)*吗"}', "may be nothing"),
        ('{matches = "(?:.{0,9}){0,9}吗"}', "may be nothing"),
        ('{matches = "(?:好+){1,9}吗"}', "take forever"),
        ('{matches = ".*.*吗"}', "take forever"),
        ('{matches = "(?:(?=.)){65535}"}', "may be nothing"),
        ('{matches = "(?:.{1,99}){9}吗"}', "take forever"),
        ('{matches = "(?P<您>你)(?P<你>好)", sounds = true}', "redefinition"),
        ('{say = ["一"], first = 1, last = 1}', "shut each other out"),
        ('{say = ["一"], after = {say = ["二"]}, before = {say = ["三"]}}', "shut each other out"),
        ('{say = ["一"], at_least = 2}', "at_least is 2 of 1"),
        ('{longer_s = 3, role = "agent"}', "would change nothing"),
        ("{longer_s = -3}", "greater than 0"),
        ('{mood = ["bored"]}', "Input should be"),
        ('{not = {not = {not = {not = {not = {not = {say = ["一"]}}}}}}}', "deep"),
    ],
)
def test_a_rule_that_means_nothing_is_told(violated: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        rule_of(f"violated = {violated}")


def test_a_pack_names_file_and_line_of_what_is_wrong(tmp_path: Path) -> None:
    text = '\n\n[[rule]]\nid = "one"\nname = "x"\ngroup = "g"\npoints = 1\nviolated = {say = []}\n'
    (tmp_path / "quality.toml").write_text(text, encoding="utf-8")
    reader = PackReader(tmp_path)
    assert reader.tables("quality.toml", "rule", QualityRule) == []
    assert str(reader.problems[0]).startswith("quality.toml:3: violated")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('violated = {says = ["一"]}', "violated.says: Extra inputs"),
        ('violated = {first = 1, last = 1, say = ["一"]}', "shut each other out"),
        ("violated = {all = [{any = [{not = {}}]}]}", "violated.all.0.any.0.not: "),
        ('violated = {say = ["一"], after = {loop = 1}}', "violated.after.loop"),
        ('live = true\nviolated = {not = {say = ["一"]}}', "how long the agent has"),
    ],
)
def test_file_and_line_of_a_rule_that_means_nothing(tmp_path: Path, body: str, told: str) -> None:
    good = '[[rule]]\nid = "one"\nname = "x"\ngroup = "g"\npoints = 1\nviolated = {say = ["一"]}\n'
    bad = f'[[rule]]\nid = "bad"\nname = "x"\ngroup = "g"\npoints = 1\n{body}\n'
    (tmp_path / "quality.toml").write_text(f"{good}\n{bad}", encoding="utf-8")
    reader = PackReader(tmp_path)
    assert [each.id for each in reader.tables("quality.toml", "rule", QualityRule)] == ["one"]
    (problem,) = reader.problems
    assert told in str(problem) and str(problem).startswith("quality.toml:8: ")


def test_a_rule_that_is_there_twice_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(PACK.folder, folder)
    text = (folder / "quality.toml").read_text(encoding="utf-8")
    again = text[text.index("[[rule]]") : text.index("[[rule]]", text.index("[[rule]]") + 1)]
    (folder / "quality.toml").write_text(f"{text}\n{again}", encoding="utf-8")
    with pytest.raises(PackError, match="greeting is the rule of line"):
        packs.load(folder, sealed=False)


def test_a_line_of_a_case_that_is_no_turn_is_told() -> None:
    with pytest.raises(ValueError, match="is no turn"):
        dialogue("路人：喂")


def rule_of(body: str, **more: Any) -> QualityRule:
    given = {"id": "rule", "name": "规则", "group": "组", "points": 1.0, **more}
    return QualityRule(**{**given, **tomllib.loads(body)})
