"""Whether the tables of a pack agree with each other."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from appliance.assist.city.divisions import DivisionLevel, up_to
from appliance.assist.city.pack import CityPack
from appliance.assist.city.reader import PackReader
from appliance.assist.city.units import FALLBACK
from appliance.assist.orders.life import Action
from appliance.assist.quality.cases import dialogue


def check(pack: CityPack, reader: PackReader) -> None:
    """Tells `reader` of every code that leads nowhere, every cycle, every place without a unit."""
    for one in CHECKS:
        one(pack, reader)


def _divisions(pack: CityPack, reader: PackReader) -> None:
    city = pack.identity.division.ljust(12, "0")
    if city not in pack.divisions:
        reader.problem("divisions.csv", 0, f"the city itself, {city}, is missing")
    for each in pack.divisions:
        above = {up_to(each.code, level) for level in DivisionLevel} - {each.code}
        missing = [code for code in above if code not in pack.divisions]
        if missing:
            what = f"{each.name} lies in {missing[0]}, which is not there"
            reader.problem("divisions.csv", each.line, what)


def _places(pack: CityPack, reader: PackReader) -> None:
    for place in pack.places:
        _known(place.divisions, pack.divisions, "division", reader, "places.csv", place.line)


def _categories(pack: CityPack, reader: PackReader) -> None:
    parents = {each.code: each.parent for each in pack.taxonomy}
    for each in pack.taxonomy:
        if each.parent and each.parent not in pack.taxonomy:
            reader.problem("categories.csv", each.line, f"there is no parent {each.parent}")
        if _in_cycle(each.code, parents):
            reader.problem("categories.csv", each.line, f"{each.code} is above itself: a cycle")
        elif each.parent and not each.code.startswith(each.parent):
            what = f"{each.code} does not begin with its parent's code {each.parent}"
            reader.problem("categories.csv", each.line, what)
    if not len(pack.taxonomy):
        reader.problem("categories.csv", 0, "there is no category")


def _examples(pack: CityPack, reader: PackReader) -> None:
    functions, tiers = _functions(pack), {tier.code for tier in pack.tiers}
    for example in pack.taxonomy.examples:
        line = ("examples.csv", example.line)
        _known([example.category], pack.taxonomy, "category", reader, *line)
        named = ([example.main] if example.main else []) + list(example.helpers)
        _known(named, functions, "function", reader, *line)
        _known([example.tier] if example.tier else [], tiers, "tier", reader, *line)


def _units(pack: CityPack, reader: PackReader) -> None:
    parents = {unit.code: unit.parent for unit in pack.units}
    for unit in pack.units:
        _known(unit.divisions, pack.divisions, "division", reader, "units.csv", unit.line)
        if unit.parent and unit.parent not in pack.units:
            reader.problem("units.csv", unit.line, f"there is no parent {unit.parent}")
        if _in_cycle(unit.code, parents):
            reader.problem("units.csv", unit.line, f"{unit.code} is above itself: a cycle")
    for county in pack.divisions.of_level(DivisionLevel.COUNTY):
        if not pack.divisions.below(county.code):
            continue  # a heading of the statistics, where nobody lives
        fallback = pack.units.fallback(county.code)
        if fallback is None or fallback.level is DivisionLevel.CITY:
            what = f"{county.name} has no unit with the function {FALLBACK!r}: nobody's matters"
            reader.problem("units.csv", 0, f"{what} would have no fallback (兜底) there")
    if pack.units.fallback("") is None:
        reader.problem("units.csv", 0, f"the city has no unit with the function {FALLBACK!r}")


def _catalogue(pack: CityPack, reader: PackReader) -> None:
    functions = _functions(pack)
    for category in pack.taxonomy.leaves:
        if pack.catalogue.entry(category.code) is None:
            what = f"{category.code} {category.name} is nobody's: no line for it or above it"
            reader.problem("catalogue.csv", 0, what)
    for entry in pack.catalogue:
        _known((entry.category,), pack.taxonomy, "category", reader, "catalogue.csv", entry.line)
        named = (entry.main, *entry.helpers)
        _known(named, functions, "function", reader, "catalogue.csv", entry.line)
        line = ("catalogue.csv", entry.line)
        _known((entry.main,), pack.units.functions(), "unit of function", reader, *line)


def _rules(pack: CityPack, reader: PackReader) -> None:
    functions, tiers = _functions(pack), {tier.code for tier in pack.tiers}
    for rule in pack.rules:
        named = ([rule.main] if rule.main else []) + list(rule.add)
        _known(named, functions, "function", reader, "rules.toml", rule.line)
        _known([rule.tier] if rule.tier else [], tiers, "tier", reader, "rules.toml", rule.line)
        _known(rule.categories, pack.taxonomy, "category", reader, "rules.toml", rule.line)


def _order_system(pack: CityPack, reader: PackReader) -> None:
    known = {action.value for action in Action}
    for theirs, ours in pack.order_system.states.items():
        if ours not in known:
            what = f"states: {theirs} is no action of an order: {ours}"
            reader.problem("order_system.toml", 0, what)


def _tiers(pack: CityPack, reader: PackReader) -> None:
    if not len(pack.tiers):
        reader.problem("tiers.toml", 0, "there is no [[tier]]")
    if sum(tier.default for tier in pack.tiers) > 1:
        reader.problem("tiers.toml", 0, "more than one tier is the default")
    for tier in pack.tiers:
        _known(tier.categories, pack.taxonomy, "category", reader, "tiers.toml", tier.line)


def _quality(pack: CityPack, reader: PackReader) -> None:
    seen: dict[str, int] = {}
    for rule in pack.quality:
        if rule.id in seen:
            what = f"{rule.id} is the rule of line {seen[rule.id]}"
            reader.problem("quality.toml", rule.line, what)
        seen[rule.id] = rule.line
    for case in pack.quality_cases:
        _known([case.rule], seen, "rule", reader, "quality_cases.toml", case.line)
        for text in (*case.violated, *case.kept):
            try:
                dialogue(text)
            except ValueError as error:
                reader.problem("quality_cases.toml", case.line, str(error))


def _functions(pack: CityPack) -> set[str]:
    """A function may have no unit: nobody helps then."""
    return {each.function for each in pack.functions}


def _known(
    codes: Iterable[str], known: Container[str], what: str, reader: PackReader, file: str, line: int
) -> None:
    for code in codes:
        if code not in known:
            reader.problem(file, line, f"there is no {what} {code}")


def _in_cycle(code: str, parents: Mapping[str, str]) -> bool:
    seen: set[str] = set()
    at = code
    while at := parents.get(at, ""):
        if at == code:
            return True
        if at in seen:
            return False
        seen.add(at)
    return False


CHECKS = (
    _divisions,
    _places,
    _categories,
    _examples,
    _units,
    _catalogue,
    _rules,
    _tiers,
    _order_system,
    _quality,
)
