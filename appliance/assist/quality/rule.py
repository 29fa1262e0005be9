"""A city's rules for its agents, and what they make of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import Field

from appliance.assist.city.reader import PackRow, Words
from appliance.assist.quality.condition import Condition
from appliance.assist.quality.dialogue import InspectedCall
from appliance.assist.quality.evaluation import RuleProof, evaluate

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
        live: told while the call runs.
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
    channels: Words = ("phone", "recording")
    scope: Condition | None = None
    violated: Condition
    eased: Condition | None = None
    advice: str = ""


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


def inspect(rules: Sequence[QualityRule], call: InspectedCall) -> Inspection:
    """A call that is over."""
    if not any(turn.role.value == "agent" for turn in call.turns):
        return Inspection(None, ())
    findings = tuple(judge(rule, call) for rule in rules)
    taken = sum(each.points for each in findings)
    return Inspection(max(0.0, FULL - taken), findings)


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
