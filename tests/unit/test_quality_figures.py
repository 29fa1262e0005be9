"""Figures of many inspections: intervals, agreement, rules that are often overruled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import stdev

import pytest

from appliance.assist.quality.desk import InspectionAction, carried, decided
from appliance.assist.quality.rule import Finding
from appliance.assist.quality.sampling import SampleBy, sample
from appliance.assist.quality.statistics import kappa, statistics, wilson
from appliance.errors import Conflict, InvalidRequest
from appliance.store.inspections import (
    AgentTotals,
    FindingCount,
    InspectedRow,
    KeptFinding,
    KeptInspection,
)


def agent(name: str, *totals: float) -> AgentTotals:
    return AgentTotals(name, len(totals), sum(totals), sum(each**2 for each in totals))


def finding(rule: str, now: str, first: str = "", appeal: str = "", n: int = 1) -> FindingCount:
    return FindingCount(rule, now, first or now, appeal, n)


def test_agents_by_their_mean_and_its_interval() -> None:
    told = statistics([agent("a", 90, 80), agent("b", 60)], [])
    assert [(each.agent, each.calls, each.mean) for each in told.agents] == [
        ("b", 1, 60.0),
        ("a", 2, 85.0),
    ]
    assert told.agents[0].low == 0 and told.agents[0].high == 100  # one call says nothing
    assert told.agents[1].low == pytest.approx(85 - 1.96 * stdev([90, 80]) / 2**0.5, abs=0.01)
    assert told.calls == 3 and told.mean == 76.67
    empty = statistics([], [])
    assert empty.mean is None and empty.agents == () and empty.kappa is None


def test_wilsons_interval() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(5, 10)
    assert low == pytest.approx(0.2366, abs=1e-3) and high == pytest.approx(0.7634, abs=1e-3)
    assert wilson(0, 20)[0] == pytest.approx(0) and wilson(20, 20)[1] == pytest.approx(1)


def test_kappa_is_of_agreement_beyond_chance() -> None:
    agreed = [("violated", "violated", 5), ("kept", "kept", 5)]
    assert kappa(agreed) == 1.0 and kappa([("kept", "kept", 4)]) is None
    labels = ("violated", "kept")
    assert kappa([(one, other, 2) for one in labels for other in labels]) == 0.0


def test_what_inspectors_do_gives_an_agreement() -> None:
    """Appeals alone never could: what is upheld or overridden was a violation at first."""
    kept = decided(KeptFinding("r", "kept", 0.0, "kept"), InspectionAction.CONFIRM, 5.0)
    fault = KeptFinding("r", "violated", 5.0, "violated")
    rows = [
        finding("r", kept.finding, kept.first, kept.appeal, 40),
        *(
            finding("r", made.finding, made.first, made.appeal, n)
            for action, n in ((InspectionAction.CONFIRM, 50), (InspectionAction.OVERRIDE, 10))
            for made in [decided(fault, action, 5.0)]
        ),
    ]
    told = statistics([], rows).kappa
    assert told == pytest.approx(0.8, abs=0.01)


def test_a_rule_that_is_often_overruled_is_named() -> None:
    rows = [
        finding("good", "violated", appeal="upheld", n=6),
        finding("bad", "kept", "violated", "overridden", n=3),
        finding("bad", "violated", appeal="upheld", n=3),
        finding("bad", "unsure", n=2),
    ]
    told = {each.rule: each for each in statistics([], rows).rules}
    assert told["bad"].often_overruled and not told["good"].often_overruled
    assert told["bad"].unsure == 2 and told["bad"].calls == 6 and told["bad"].overridden == 3


def test_an_inspector_may_find_what_the_rule_did_not_and_the_agent_appeal_once() -> None:
    missed = KeptFinding("r", "kept", 0.0, "kept")
    with pytest.raises(Conflict, match="nothing was taken off"):
        decided(missed, InspectionAction.APPEAL, 5.0)
    found = decided(missed, InspectionAction.OVERRIDE, 5.0)
    assert (found.finding, found.points, found.appeal) == ("violated", 5.0, "found")
    appealed = decided(found, InspectionAction.APPEAL, 5.0)
    done = decided(appealed, InspectionAction.OVERRIDE, 5.0)
    assert (done.finding, done.points, done.appeal) == ("kept", 0.0, "overridden")
    with pytest.raises(Conflict, match="final"):
        decided(done, InspectionAction.OVERRIDE, 5.0)


def test_what_is_unsure_is_decided_as_somebody_says_not_against_the_agent() -> None:
    unsure = KeptFinding("r", "unsure", 0.0, "unsure")
    with pytest.raises(InvalidRequest, match="no opposite"):
        decided(unsure, InspectionAction.OVERRIDE, 5.0)
    kept = decided(unsure, InspectionAction.OVERRIDE, 5.0, Finding.KEPT)
    assert (kept.finding, kept.points) == ("kept", 0.0)
    fault = decided(unsure, InspectionAction.OVERRIDE, 5.0, Finding.VIOLATED)
    assert (fault.finding, fault.points, fault.appeal) == ("violated", 5.0, "found")
    with pytest.raises(Conflict, match="say what it is"):
        decided(unsure, InspectionAction.CONFIRM, 5.0)
    with pytest.raises(Conflict, match="confirm it"):
        decided(KeptFinding("r", "kept", 0.0, "kept"), InspectionAction.UPHOLD, 5.0)


def test_an_inspection_made_anew_keeps_what_people_have_said() -> None:
    before = (
        KeptFinding("a", "kept", 0, "violated", "overridden"),
        KeptFinding("b", "violated", 5, "violated", "open"),
        KeptFinding("c", "violated", 5, "violated"),
        KeptFinding("gone", "violated", 5, "violated", "upheld"),
    )
    anew = (
        KeptFinding("a", "violated", 6, "violated"),
        KeptFinding("b", "kept", 0, "kept"),
        KeptFinding("c", "violated", 7, "violated"),
    )
    of = ("call", "here", "3021")
    made = carried(KeptInspection(*of, 85, "old", before), KeptInspection(*of, 87, "new", anew))
    told = [(each.rule, each.finding, each.points, each.appeal) for each in made.findings]
    assert told == [("a", "kept", 0, "overridden"), ("b", "kept", 0, ""), ("c", "violated", 7, "")]
    assert made.total == 93 and made.pack == "new"


def ids(rows: Sequence[InspectedRow], by: SampleBy, n: int, day: str = "2026-11-29") -> list[str]:
    return [row.call_id for row in sample(rows, by, n, b"key", day)]


def test_a_random_sample_stays_for_a_day() -> None:
    rows = [InspectedRow(str(n), "a", float(n), 90.0) for n in range(100)]
    drawn = ids(rows, SampleBy.RANDOM, 10)
    assert drawn == ids(rows[::-1], SampleBy.RANDOM, 10) and len(set(drawn)) == 10
    assert drawn != ids(rows, SampleBy.RANDOM, 10, "2026-11-30")
    assert drawn != [
        row.call_id for row in sample(rows, SampleBy.RANDOM, 10, b"other", "2026-11-29")
    ]
    more = [*rows, InspectedRow("new", "a", 0.0, 90.0)]  # what comes in changes no order
    assert [each for each in ids(more, SampleBy.RANDOM, 101) if each != "new"][:10] == drawn
    assert ids([], SampleBy.RANDOM, 10) == []


def test_every_call_is_drawn_as_often() -> None:
    rows = [InspectedRow(str(n), "a", 0.0, 90.0) for n in range(10)]
    drawn = Counter(each for day in range(600) for each in ids(rows, SampleBy.RANDOM, 2, str(day)))
    assert min(drawn.values()) > 80 and max(drawn.values()) < 165  # 120 each


def test_the_riskiest_first() -> None:
    rows = [
        InspectedRow("good", "a", 1.0, 98.0, violated=1, points=2.0),
        InspectedRow("bad", "a", 1.0, 40.0, violated=4, points=60.0),
        InspectedRow("asked", "a", 1.0, 95.0, violated=1, points=5.0, open_appeals=1),
        InspectedRow("unheard", "a", 1.0, 98.0, unsure=3, points=2.0),
        InspectedRow("decided", "a", 1.0, 30.0, violated=4, decided=4),
        InspectedRow("low", "a", 1.0, 90.0, violated=1, points=2.0),
    ]
    wanted = ["bad", "asked", "unheard", "low", "good", "decided"]
    assert ids(rows, SampleBy.RISK, 10) == wanted and ids(rows, SampleBy.RISK, 2) == wanted[:2]


def test_as_many_of_each_agent_and_first_those_known_least() -> None:
    rows = [InspectedRow(f"a{n}", "a", 0.0, 90.0, decided=1) for n in range(50)]
    rows += [InspectedRow(f"b{n}", "b", 0.0, 90.0, decided=n) for n in range(3)]
    rows += [InspectedRow(f"c{n}", "c", 0.0, 90.0) for n in range(9)]
    told = ids(rows, SampleBy.AGENT, 8)
    assert [each[0] for each in told] == ["c", "b", "a", "c", "b", "a", "c", "b"]
    assert len(set(told)) == 8
    assert Counter(each[0] for each in ids(rows, SampleBy.AGENT, 100)) == {"a": 50, "b": 3, "c": 9}
    assert [each[0] for each in ids(rows, SampleBy.AGENT, 1)] == ["c"]
