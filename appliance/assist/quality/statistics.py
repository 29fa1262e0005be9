"""Figures of many inspections: by agent, by rule, and how far inspectors agree with the rules."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from appliance.store.inspections import AgentTotals, FindingCount

Z = 1.96  # of a 95 % interval
OFTEN = 0.2  # share of violations overridden, from which on a rule is named
OVERRULED = ("overridden", "found")
LEAST_DECIDED = 5  # decisions, before which nothing is said of a rule


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """Mean total of an agent's calls, with its 95 % interval; empty name: nobody was named."""

    agent: str
    calls: int
    mean: float
    low: float
    high: float
    violated: int


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """How often a rule is violated, with Wilson's 95 % interval, and what inspectors made of it.

    Attributes:
        calls: that it could judge.
        appealed, overridden: findings.
        often_overruled: more than a fifth of what inspectors decided on.
    """

    rule: str
    calls: int
    violated: int
    share: float
    low: float
    high: float
    unsure: int
    appealed: int
    overridden: int
    often_overruled: bool


@dataclass(frozen=True, slots=True)
class QualityStatistics:
    """kappa: Cohen's, between rules and inspectors, over decided findings; None: too few.

    Agents appeal where they see a fault in the rule: agreement in general shows in findings of
    calls drawn at random, which inspectors confirm or override without an appeal.
    """

    calls: int
    mean: float | None
    agents: tuple[AgentFigures, ...]
    rules: tuple[RuleFigures, ...]
    kappa: float | None


def statistics(
    agents: Sequence[AgentTotals], findings: Sequence[FindingCount]
) -> QualityStatistics:
    """Of sums: of calls by agent, of findings by rule and what became of them."""
    calls, total = sum(each.calls for each in agents), sum(each.total for each in agents)
    of_rule = defaultdict(list)
    for each in findings:
        of_rule[each.rule].append(each)
    rules = [_rule(name, some) for name, some in of_rule.items()]
    told = [_agent(each) for each in agents]
    return QualityStatistics(
        calls,
        round(total / calls, 2) if calls else None,
        tuple(sorted(told, key=lambda each: (each.mean, each.agent))),
        tuple(sorted(rules, key=lambda each: (-each.violated, each.rule))),
        kappa((each.first, each.finding, each.count) for each in findings if each.is_decided),
    )


def _agent(of: AgentTotals) -> AgentFigures:
    n, middle = of.calls, of.total / of.calls
    spread = math.sqrt(max(0.0, of.squares - n * middle**2) / (n - 1)) if n > 1 else math.inf
    wide = Z * spread / math.sqrt(n)
    low, high = max(0.0, middle - wide), min(100.0, middle + wide)
    middle, low, high = (round(each, 2) for each in (middle, low, high))
    return AgentFigures(of.agent, n, middle, low, high, of.violated)


def _rule(name: str, findings: Sequence[FindingCount]) -> RuleFigures:
    def count(held: Callable[[FindingCount], bool]) -> int:
        return sum(each.count for each in findings if held(each))

    judged = count(lambda each: each.finding != "unsure")
    violated = count(lambda each: each.finding == "violated")
    decided = count(lambda each: each.is_decided)
    overridden = count(lambda each: each.appeal in OVERRULED)
    low, high = wilson(violated, judged)
    return RuleFigures(
        name,
        judged,
        violated,
        round(violated / judged, 4) if judged else 0.0,
        round(low, 4),
        round(high, 4),
        count(lambda each: each.finding == "unsure"),
        count(lambda each: bool(each.appeal)),
        overridden,
        decided >= LEAST_DECIDED and overridden > OFTEN * decided,
    )


def wilson(count: int, n: int) -> tuple[float, float]:
    """95 % interval of a share."""
    if not n:
        return 0.0, 1.0
    share, z2 = count / n, Z * Z / n
    middle = (share + z2 / 2) / (1 + z2)
    wide = Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2)
    return max(0.0, middle - wide), min(1.0, middle + wide)


def kappa(pairs: Iterable[tuple[str, str, int]]) -> float | None:
    """Cohen's, of what a rule and then an inspector said, and how often."""
    told = list(pairs)
    n = sum(count for _, _, count in told)
    if n < LEAST_DECIDED:
        return None
    agree = sum(count for one, other, count in told if one == other) / n
    labels = {each for one, other, _ in told for each in (one, other)}
    chance = sum(
        sum(count for one, _, count in told if one == label)
        * sum(count for _, other, count in told if other == label)
        for label in labels
    ) / (n * n)
    return round((agree - chance) / (1 - chance), 4) if chance < 1 else 1.0
