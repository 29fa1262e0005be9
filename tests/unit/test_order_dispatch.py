"""Whose a matter is, by the shipped pack: catalogue, rules, place, returns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.assist.city import pack as packs
from appliance.assist.city.catalogue import Catalogue
from appliance.assist.city.units import FALLBACK
from appliance.assist.orders.dispatch import danger, dispatch, refusal
from appliance.settings.section import PROJECT

PACK = packs.load(PROJECT / "provisioning" / "city_packs" / "datong", sealed=False)
PINGCHENG, YUHE = "140213000000", "140213009000"
LEAF = next(
    leaf.code
    for leaf in PACK.taxonomy.leaves
    if (entry := PACK.catalogue.entry(leaf.code)) and entry.level == "county"
)


def test_a_county_matter_goes_to_the_county_it_is_in() -> None:
    here, there = dispatch(PACK, LEAF, YUHE, ""), dispatch(PACK, LEAF, "140221000000", "")
    assert here.main and there.main and here.main.function == there.main.function
    assert here.main.divisions == (PINGCHENG,) and there.main.divisions == ("140221000000",)


def test_without_a_county_it_is_the_citys_and_unsure() -> None:
    found = dispatch(PACK, LEAF, "", "")
    assert found.main and found.main.level == "city" and found.unsure_place


def test_what_is_nobodys_is_the_governments_and_said_so() -> None:
    nobody = replace(PACK, catalogue=Catalogue(()), rules=())
    found = dispatch(nobody, LEAF, YUHE, "")
    assert found.fallback and found.main and found.main.function == FALLBACK
    assert found.main.divisions == (PINGCHENG,) and "兜底" in found.assignments[0].why


def test_returns_lower_a_unit_and_are_told() -> None:
    first = dispatch(PACK, LEAF, YUHE, "")
    assert first.main
    again = dispatch(PACK, LEAF, YUHE, "", {(LEAF, first.main.code): 2})
    assert again.returned == 2 and again.confidence < first.confidence


def test_every_rule_is_reached_by_its_own_words() -> None:
    """A rule whose words cannot occur together is a mistake."""
    for rule in PACK.rules:
        text = "".join((*rule.all, *rule.words[:1]))
        category = rule.categories[0] if rule.categories else "01"
        assert rule.holds(category, text), rule.name


@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("我们楼上着火了，冒着黑烟，快来人", "119"),
        ("有人要跳楼，站在楼顶上", "110"),
        ("消防通道被私家车堵了好几个月", ""),
        ("这个月的煤气费怎么这么高", ""),
        ("去年着火那次赔偿的事还没解决", ""),
    ],
)
def test_danger_is_told_from_what_only_sounds_like_it(text: str, to: str) -> None:
    found = danger(PACK, text)
    assert (to in found[0].to) if to and found else (not to and found is None)


def test_what_is_not_accepted_has_its_wording() -> None:
    found = refusal(PACK, "法院判决我不服，你们给我改判")
    assert found and found[0].wording and found[0].goes_to
