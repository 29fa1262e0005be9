"""How alike characters sound, and what that costs."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.phonetics.sounds import FARTHEST, UNITS, sounds


def cost(heard: str, said: str, *local: tuple[str, float]) -> float:
    table = sounds(local)
    one, other = table.of(heard + said)
    return float(table.costs[one, other]) / UNITS


@pytest.mark.parametrize("pair", ["御遇", "冈刚", "秀绣", "长常", "堡保"])
def test_the_same_sound_costs_nothing(pair: str) -> None:
    assert cost(*pair) == 0


@pytest.mark.parametrize("pair", ["宁林", "新星", "根耕", "三山", "府虎", "热乐", "堡步", "长张"])
def test_what_regions_do_not_tell_apart_costs_little(pair: str) -> None:
    assert 0 < cost(*pair) <= 3


@pytest.mark.parametrize("pair", ["平大", "水火", "A平", "，平"])
def test_what_is_not_alike_costs_most(pair: str) -> None:
    assert cost(*pair) == FARTHEST


def test_costs_are_symmetric() -> None:
    costs = sounds().costs
    assert np.array_equal(costs, costs.T)
    assert np.diag(costs)[1:].max() == 0


def test_a_city_may_say_more_alike() -> None:
    assert cost("根", "工") > 1
    assert cost("根", "工", ("en-ong", 0.5)) == 0.5
    assert cost("热", "叶", ("re-ye", 0.4)) == pytest.approx(0.4, abs=1 / UNITS)
