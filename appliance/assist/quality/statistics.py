"""Figures of many inspections: by agent, by rule, and how far inspectors agree with the rules."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

Z = 1.96  # of a 95 % interval
OFTEN = 0.2  # share of violations overridden, from which on a rule is named
DECIDED = ("upheld", "overridden")
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
    """kappa: Cohen's, between rules and inspectors, over decided findings; None: too few."""

    calls: int
    mean: float | None
    agents: tuple[AgentFigures, ...]
    rules: tuple[RuleFigures, ...]
    kappa: float | None


def statistics(calls: Sequence[Any], findings: Sequence[Any]) -> QualityStatistics:
    """Of rows: calls with agent and total; findings with rule, finding, first, appeal, agent."""
    scored = [row for row in calls if row.total is not None]
    totals: defaultdict[str, list[float]] = defaultdict(list)
    violated: defaultdict[str, int] = defaultdict(int)
    for row in scored:
        totals[row.agent].append(row.total)
    for row in findings:
        violated[row.agent] += row.finding == "violated"
    agents = [_agent(name, some, violated[name]) for name, some in totals.items()]
    of_rule = defaultdict(list)
    for row in findings:
        of_rule[row.rule].append(row)
    rules = [_rule(name, some) for name, some in of_rule.items()]
    return QualityStatistics(
        len(scored),
        round(mean(row.total for row in scored), 2) if scored else None,
        tuple(sorted(agents, key=lambda each: (each.mean, each.agent))),
        tuple(sorted(rules, key=lambda each: (-each.violated, each.rule))),
        kappa((row.first, row.finding) for row in findings if row.appeal in DECIDED),
    )


def _agent(name: str, totals: Sequence[float], violated: int) -> AgentFigures:
    middle = mean(totals)
    wide = Z * stdev(totals) / math.sqrt(len(totals)) if len(totals) > 1 else 100.0
    low, high = max(0.0, middle - wide), min(100.0, middle + wide)
    middle, low, high = (round(each, 2) for each in (middle, low, high))
    return AgentFigures(name, len(totals), middle, low, high, violated)


def _rule(name: str, rows: Sequence[Any]) -> RuleFigures:
    judged = [row for row in rows if row.finding != "unsure"]
    violated = sum(row.finding == "violated" for row in judged)
    low, high = wilson(violated, len(judged))
    decided = sum(row.appeal in DECIDED for row in rows)
    overridden = sum(row.appeal == "overridden" for row in rows)
    return RuleFigures(
        name,
        len(judged),
        violated,
        round(violated / len(judged), 4) if judged else 0.0,
        round(low, 4),
        round(high, 4),
        len(rows) - len(judged),
        sum(bool(row.appeal) for row in rows),
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


def kappa(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Cohen's, of what a rule and then an inspector said."""
    told = list(pairs)
    if len(told) < LEAST_DECIDED:
        return None
    n = len(told)
    agree = sum(one == other for one, other in told) / n
    labels = {each for pair in told for each in pair}
    chance = sum(
        sum(one == label for one, _ in told) * sum(other == label for _, other in told) / n / n
        for label in labels
    )
    return round((agree - chance) / (1 - chance), 4) if chance < 1 else 1.0
