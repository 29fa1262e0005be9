"""Figures of many inspections: intervals, agreement, rules that are often overruled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from appliance.assist.quality.desk import InspectionAction, carried, decided
from appliance.assist.quality.sampling import SampleBy, sample
from appliance.assist.quality.statistics import kappa, statistics, wilson
from appliance.errors import Conflict
from appliance.store.inspections import InspectedRow, KeptFinding, KeptInspection


def call(agent: str, total: float | None) -> SimpleNamespace:
    return SimpleNamespace(agent=agent, total=total)


def finding(rule: str, now: str, first: str = "", appeal: str = "") -> SimpleNamespace:
    return SimpleNamespace(rule=rule, finding=now, first=first or now, appeal=appeal, agent="a")


def test_agents_by_their_mean_and_its_interval() -> None:
    told = statistics([call("a", 90), call("a", 80), call("b", 60), call("b", None)], [])
    assert [(each.agent, each.calls, each.mean) for each in told.agents] == [
        ("b", 1, 60.0),
        ("a", 2, 85.0),
    ]
    assert told.agents[0].low == 0 and told.agents[0].high == 100  # one call says nothing
    assert told.calls == 3 and told.mean == 76.67
    empty = statistics([], [])
    assert empty.mean is None and empty.agents == () and empty.kappa is None


def test_wilsons_interval() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(5, 10)
    assert low == pytest.approx(0.2366, abs=1e-3) and high == pytest.approx(0.7634, abs=1e-3)
    assert wilson(0, 20)[0] == pytest.approx(0) and wilson(20, 20)[1] == pytest.approx(1)


def test_kappa_is_of_agreement_beyond_chance() -> None:
    agreed = [("violated", "violated")] * 5 + [("kept", "kept")] * 5
    assert kappa(agreed) == 1.0 and kappa(agreed[:4]) is None
    labels = ("violated", "kept")
    halves = [(one, other) for one in labels for other in labels]
    assert kappa(halves * 2) == 0.0


def test_a_rule_that_is_often_overruled_is_named() -> None:
    upheld = [finding("good", "violated", appeal="upheld")] * 6
    overruled = [finding("bad", "kept", "violated", "overridden")] * 3
    rows = [*upheld, *overruled, *[finding("bad", "violated", appeal="upheld")] * 3]
    rows += [finding("bad", "unsure")] * 2
    told = {each.rule: each for each in statistics([], rows).rules}
    assert told["bad"].often_overruled and not told["good"].often_overruled
    assert told["bad"].unsure == 2 and told["bad"].calls == 6 and told["bad"].overridden == 3


def test_an_inspector_may_find_what_the_rule_did_not() -> None:
    missed = KeptFinding("r", "kept", 0.0, "kept")
    done = decided(missed, InspectionAction.OVERRIDE, 5.0)
    assert (done.finding, done.points, done.first) == ("violated", 5.0, "kept")
    with pytest.raises(Conflict, match="final"):
        decided(done, InspectionAction.OVERRIDE, 5.0)
    with pytest.raises(Conflict, match="nothing was taken off"):
        decided(missed, InspectionAction.APPEAL, 5.0)


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
