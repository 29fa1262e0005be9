"""A city's rules for its agents, and what they make of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from appliance.assist.city.reader import PackRow, Words
from appliance.assist.quality.condition import Condition
from appliance.assist.quality.dialogue import InspectedCall
from appliance.assist.quality.evaluation import RuleProof, evaluate
from appliance.assist.quality.settled import not_live, stays

FULL = 100.0  # points of a call without a fault
EASED = 0.5  # what a fault counts that something before it excuses


class Finding(StrEnum):
    """What a rule says of a call."""

    VIOLATED = "violated"
    KEPT = "kept"
    UNSURE = "unsure"  # too much was heard badly
    IDLE = "idle"  # not for such calls


class QualityRule(PackRow):
    """quality.toml's [[rule]].

    Attributes:
        id: never changed afterwards: statistics go by it.
        points: taken off where it is violated.
        live: told while the call runs, of its last turns.
        grace_s: of a live rule whose fault may yet be undone, such as words that are missing:
            the agent has so long for them from when the scope holds.
        scope: holds of the calls that it is for; none: of all with an agent in them.
        violated: holds where it is violated.
        eased: where this holds it counts half: an agent who was abused is judged by that, too.
        advice: to the agent.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{1,31}$")
    name: str = Field(min_length=1)
    group: str = Field(min_length=1)
    severity: Literal["minor", "major", "critical"] = "minor"
    points: float = Field(ge=0, le=FULL)
    live: bool = False
    grace_s: float | None = Field(None, gt=0, le=600)
    channels: Words = ("phone", "recording")
    scope: Condition | None = None
    violated: Condition
    eased: Condition | None = None
    advice: str = ""

    @model_validator(mode="after")
    def _can_be_live(self) -> QualityRule:
        asked = [each for each in (self.violated, self.scope) if each]
        if self.grace_s and not self.live:
            raise ValueError("grace_s is for a live rule: live = true")
        if not self.live:
            return self
        if why := next(filter(None, map(not_live, asked)), ""):
            raise ValueError(f"it is live, but {why}")
        if self.grace_s is None and not all(map(stays, asked)):
            what = "what is said later can undo it: say how long the agent has (grace_s)"
            raise ValueError(f"it is live, but {what}")
        return self


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """What one rule says of a call."""

    rule: QualityRule
    finding: Finding
    points: float = 0.0  # taken off
    proofs: tuple[RuleProof, ...] = ()
    eased: bool = False


@dataclass(frozen=True, slots=True)
class Inspection:
    """All rules' findings; `total` is None where no agent spoke."""

    total: float | None
    findings: tuple[RuleFinding, ...]

    @property
    def violated(self) -> list[RuleFinding]:
        return [each for each in self.findings if each.finding is Finding.VIOLATED]


RuleFailed = Callable[[QualityRule, Exception], None]


def inspect(
    rules: Sequence[QualityRule], call: InspectedCall, failed: RuleFailed | None = None
) -> Inspection:
    """A call that is over; a rule that fails says nothing, if somebody wants to hear of it."""
    if not any(turn.role.value == "agent" for turn in call.turns):
        return Inspection(None, ())
    findings = []
    for rule in rules:
        try:
            findings.append(judge(rule, call))
        except Exception as error:  # the other rules go on
            if failed is None:
                raise
            failed(rule, error)
    taken = sum(each.points for each in findings)
    return Inspection(max(0.0, FULL - taken), tuple(findings))


def judge(rule: QualityRule, call: InspectedCall) -> RuleFinding:
    """One rule; a fault that is excused by what went before counts half."""
    if call.channel not in rule.channels:
        return RuleFinding(rule, Finding.IDLE)
    if rule.scope and not evaluate(rule.scope, call).holds:
        return RuleFinding(rule, Finding.IDLE)
    found = evaluate(rule.violated, call)
    if found.holds is None:
        return RuleFinding(rule, Finding.UNSURE)
    if not found.holds:
        return RuleFinding(rule, Finding.KEPT)
    eased = bool(rule.eased and evaluate(rule.eased, call).holds)
    points = rule.points * (EASED if eased else 1)
    return RuleFinding(rule, Finding.VIOLATED, points, found.proofs, eased)
