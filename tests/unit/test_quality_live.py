"""Rules that are told while a call runs: once, of what nothing can undo, and never too early."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from appliance.assist.city import pack as packs
from appliance.assist.quality import live, rule
from appliance.assist.quality.cases import dialogue
from appliance.assist.quality.condition import Condition
from appliance.assist.quality.desk import QualityDesk
from appliance.assist.quality.evaluation import ConditionOutcome
from appliance.assist.quality.live import QualityListener
from appliance.assist.quality.rule import QualityRule, inspect
from appliance.assist.quality.settled import stays, stays_away
from appliance.feed.kept import KeptCall
from appliance.feed.kinds.quality import QualityHint
from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.messages import (
    WRITTEN,
    CallConfig,
    Emotion,
    EmotionEstimate,
    Final,
    LegRole,
    Level,
    Partial,
)
from appliance.metrics import Metrics
from appliance.settings.section import PROJECT
from tests.unit.test_quality import rule_of

A, C = LegRole.AGENT, LegRole.CITIZEN
PACK = packs.load(PROJECT / "provisioning" / "city_packs" / "datong", sealed=False)
SHIPPED = [each for each in PACK.quality if each.live]
RUDE = rule_of('live = true\nviolated = {say = ["傻子"], role = "agent"}', id="rude")
LATE = """
live = true
grace_s = 20
scope = {say = ["着火"], role = "citizen"}
violated = {not = {say = ["119"], role = "agent"}}
"""
SILENT = """
live = true
violated = {silence_s = 0.1, role = "agent", after = {mood = ["furious"]}, within = 1}
"""
FAILS = rule_of("live = true\nviolated = {silence_s = 5}", id="fails")


class HintedCall(Subscriber):
    """A running call, and the rules that are asked."""

    name = "quality"

    def __init__(self, *rules: QualityRule) -> None:
        self._asked = rules
        self.failed: list[str] = []
        config = CallConfig(live=True, leg_roles=(A, C))
        self.call = KeptCall("id", config, Metrics(), [self])
        self.call.begin()
        self._said = 0

    def listen(self, call: FollowedCall) -> Listener:
        return QualityListener(call, lambda: self._asked, self._fail, self.name)

    def _fail(self, failed: QualityRule, error: Exception) -> None:
        self.failed.append(failed.id)

    async def say(self, who: LegRole, text: str, at_s: float, mood: Emotion | None = None) -> None:
        leg, begin = (0 if who is A else 1), round(at_s * 1000)
        of = (leg, self._said, text, (), begin, begin + 1000)
        await self.call.log.put(Final(*of, 0.9, 0.0, 0.0, "zh", "cpu", "m 1", demo=False))
        if mood:
            felt = (leg, self._said, begin, begin + 1000, mood, Level.HIGH, {}, (), "m 1")
            await self.call.log.put(EmotionEstimate(*felt, demo=False))
        self._said += 1
        await self.call.settle()

    @property
    def hints(self) -> list[QualityHint]:
        return [each for each in self.call.log.events() if isinstance(each, QualityHint)]

    @property
    def told(self) -> list[str]:
        return [hint.rule for hint in self.hints]


async def test_what_is_said_is_told_at_once_and_once() -> None:
    call = HintedCall(RUDE)
    await call.say(C, "你是傻子吗", 0)
    assert not call.told
    await call.say(A, "你才是傻子", 2)
    await call.say(A, "傻子", 4)
    (hint,) = call.hints
    assert (hint.rule, hint.utterance, hint.words) == ("rude", "0.1", "傻子") and hint.at_ms >= 2000
    told = call.call.record().derived["quality"]
    assert [each["rule"] for each in told] == ["rude"] and told[0]["name"] == "规则"


async def test_what_a_call_was_told_before_is_not_told_again() -> None:
    """It goes on in another process: its events are all that is known of it."""
    call = HintedCall(RUDE)
    known = QualityHint("rude", "规则", "minor", "0.0", 0, "傻子", "")
    await call.call.log.put(known, "quality", 1)
    await call.say(A, "傻子", 0)
    assert call.hints == [known]


async def test_what_is_missing_is_told_when_its_time_has_passed() -> None:
    call = HintedCall(rule_of(LATE))
    await call.say(C, "我家着火了", 0)  # until 1 s
    await call.say(A, "您在哪里？", 10)
    await call.say(C, "在平城区", 19)
    assert not call.told, "19 s after it was said"
    await call.say(A, "哪个小区？", 20.5)
    assert call.told == ["rule"] and call.hints[0].utterance == "1.0"  # where it was heard


async def test_what_was_said_in_time_is_never_told_of() -> None:
    call = HintedCall(rule_of(LATE))
    await call.say(C, "我家着火了", 0)
    await call.say(A, "请马上打119", 5)
    for number in range(live.RECENT + 5):  # until that is no more among the newest turns
        await call.say(C, "着火了", 30 + 5 * number)
    assert not call.told


async def test_what_is_heard_badly_is_not_told() -> None:
    call = HintedCall(RUDE)
    of = (0, 0, "傻子", (), 0, 1000)
    await call.call.log.put(Final(*of, 0.3, 0.0, 0.0, "zh", "cpu", "m 1", demo=False))
    await call.call.settle()
    assert not call.told


async def test_a_silent_agent_is_told_while_silent() -> None:
    call = HintedCall(rule_of(SILENT))
    await call.say(A, "您好", 0)
    await asyncio.sleep(0.3)
    await call.say(C, "到底管不管！", 2, Emotion.FURIOUS)
    assert not call.told
    async with asyncio.timeout(5):
        while not call.told:
            await asyncio.sleep(0.02)
    assert call.hints[0].utterance == "1.1" and call.hints[0].at_ms == 3000
    await call.say(A, "对不起", 9)
    assert len(call.told) == 1


async def test_whoever_speaks_meanwhile_is_not_silent() -> None:
    call = HintedCall(rule_of(SILENT))
    await call.say(C, "到底管不管！", 2, Emotion.FURIOUS)
    call.call.log.show(Partial(0, 5, "对不", "对不", 3000, 3050))
    await asyncio.sleep(0.4)
    assert not call.told


async def test_a_rule_that_fails_loses_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = live.evaluate

    def evaluate(condition: Condition, call: Any) -> ConditionOutcome:
        if condition.silence_s:
            raise ZeroDivisionError
        return kept(condition, call)

    monkeypatch.setattr(live, "evaluate", evaluate)
    monkeypatch.setattr(rule, "evaluate", evaluate)
    call = HintedCall(FAILS, RUDE)
    await call.say(A, "傻子", 0)
    await call.say(A, "傻子", 2)
    assert call.told == ["rude"] and call.failed == ["fails"], "asked once"
    failed: list[str] = []
    made = inspect((FAILS, RUDE), dialogue("坐席：傻子"), lambda each, _: failed.append(each.id))
    assert [each.rule.id for each in made.violated] == ["rude"] and failed == ["fails"]
    assert made.total == 99
    with pytest.raises(ZeroDivisionError):  # where nobody wants to hear of it
        inspect((FAILS, RUDE), dialogue("坐席：傻子"))


def test_shipped_rules_that_are_urgent() -> None:
    told = {each.id for each in SHIPPED}
    assert {"rude_words", "danger_handed_over", "silent_to_fury"} <= told and len(told) < 10


SCENES: Sequence[tuple[str, str, bool]] = (
    ("rude_words", "坐席：闭嘴", True),
    ("rude_words", "市民：闭嘴", False),
    ("threat", "坐席：再骂我就挂了", True),
    ("silent_to_fury", "市民（愤怒高）：管不管！\n（静音6秒）\n坐席：您说", True),
    ("silent_to_fury", "市民（愤怒高）：管不管！\n（静音2秒）\n坐席：您说", False),
    ("danger_handed_over", "市民：我家着火了\n坐席：在哪里？", False),
    ("danger_handed_over", "市民：我家着火了\n（静音30秒）\n坐席：在哪里？", True),
    ("danger_handed_over", "市民：我家着火了\n坐席：我转119\n（静音30秒）\n坐席：喂", False),
)


@pytest.mark.parametrize(("name", "text", "is_told"), SCENES)
def test_a_shipped_rule_in_a_call_so_far(name: str, text: str, is_told: bool) -> None:
    (one,) = [each for each in SHIPPED if each.id == name]
    assert bool(live.asked(one, dialogue(text)).hint) is is_told


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ('{say = ["一"]}', (True, False)),
        ('{say = ["一"], last = 2}', (False, False)),
        ('{not = {say = ["一"]}}', (False, True)),
        ('{not = {not = {say = ["一"]}}}', (True, False)),
        ("{longer_s = 9}", (True, False)),
        ("{shorter_s = 9}", (False, True)),
        ('{channel = ["phone"]}', (True, True)),
        ('{lacks = ["address"]}', (False, False)),
        ('{all = [{say = ["一"]}, {not = {say = ["二"]}}]}', (False, False)),
        ('{any = [{not = {say = ["一"]}}, {not = {say = ["二"]}}]}', (False, True)),
        ('{say = ["一"], after = {say = ["二"], last = 1}}', (False, False)),
    ],
)
def test_what_later_words_can_undo(condition: str, wanted: tuple[bool, bool]) -> None:
    made = Condition(**tomllib.loads(f"c = {condition}")["c"])
    assert (stays(made), stays_away(made)) == wanted


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('violated = {not = {say = ["一"]}}', "how long the agent has"),
        ('violated = {say = ["一"]}\nscope = {not = {say = ["二"]}}', "how long the agent has"),
        ('violated = {say = ["一"], first = 2}', "neither begin nor end"),
        ('violated = {not = {say = ["一"], last_s = 9}}\ngrace_s = 9', "neither begin nor end"),
        ('violated = {hang_up = "agent"}', "when a call is over"),
        ('violated = {say = ["一"], after = {say = ["二"]}, within = 99}', "turns far"),
        ('violated = {say = ["一"]}\nlive = false\ngrace_s = 9', "for a live rule"),
        ('violated = {say = ["一"]}\ngrace_s = 0', "greater than 0"),
    ],
)
def test_a_rule_that_cannot_be_told_in_a_call_is_refused(body: str, told: str) -> None:
    given = {"live": True, **tomllib.loads(body)}
    with pytest.raises(ValidationError, match=told):
        rule_of("", **given)


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (CallConfig(live=True), True),
        (CallConfig(live=False), False),
        (CallConfig(live=True, door=WRITTEN), False),
    ],
)
def test_who_is_listened_to(config: CallConfig, wanted: bool) -> None:
    desk = QualityDesk(None, SimpleNamespace(pack=PACK), Metrics())  # type: ignore[arg-type]
    assert (desk.listen(KeptCall("id", config, Metrics())) is not None) is wanted
