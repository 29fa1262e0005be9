"""Whose a matter is: unit, helpers, tier, refusal, danger. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.assist.city.catalogue import Emergency, Refusal, Rule
from appliance.assist.city.divisions import DivisionLevel, level_of
from appliance.assist.city.pack import CityPack
from appliance.assist.city.tiers import Tier
from appliance.assist.city.units import FALLBACK, Unit
from appliance.assist.orders.learned import NOTHING, Learned

RULED = 0.4  # what the pack's own words count for beside what its examples teach of a tier
HELPS = 0.4  # from this share on
LIKE_IT = "与样例中同类诉求的办理一致"
RETURNED_SHARE = 0.15  # of its confidence a unit loses by each return of such a matter
MOST_RETURNED = 4  # returns that count


@dataclass(frozen=True, slots=True)
class Assignment:
    """One unit's part in a matter, and why it is."""

    unit: Unit
    main: bool  # 主办; else 协办
    why: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What is proposed for a matter.

    Attributes:
        confidence: 0..1 that the main unit is right, given the category and the place.
        fallback: nobody's but the county's own.
        unsure_place: which unit it is depends on a county that is not known.
    """

    assignments: tuple[Assignment, ...]
    tier: Tier
    tier_why: str
    confidence: float
    fallback: bool = False
    unsure_place: bool = False
    returned: int = 0  # times that unit sent such matters back
    rules: tuple[str, ...] = ()

    @property
    def main(self) -> Unit | None:
        return next((each.unit for each in self.assignments if each.main), None)

    @property
    def helpers(self) -> tuple[Unit, ...]:
        return tuple(each.unit for each in self.assignments if not each.main)


@dataclass(slots=True)
class _Claims:
    """Functions that claim a matter, while rules are read."""

    main: str
    level: DivisionLevel
    why: str
    helpers: dict[str, str] = field(default_factory=dict)  # function: why
    rules: list[str] = field(default_factory=list)


Returns = Mapping[tuple[str, str], int]  # (category, unit): how often it came back


def dispatch(
    pack: CityPack,
    category: str,
    where: str,
    text: str,
    returns: Returns | None = None,
    learned: Learned = NOTHING,
) -> Dispatch:
    """Propose units and a tier.

    Args:
        category: its code; "" where it is not known.
        where: the deepest sure division's code; "" where it is not known.
        text: what the citizen said of the matter.
        learned: what examples teach of such a text; without it the catalogue alone decides.
    """
    held = [(rule, words) for rule in pack.rules if (words := rule.holds(category, text))]
    tier, tier_why = urgency(pack, category, text, [rule for rule, _ in held], learned)
    claims = _claims(pack, category, held, learned)
    main = _unit(pack, claims.main, where, claims.level) if claims.main else None
    assignments, fallback = _assign(pack, claims, main, where)
    unit = assignments[0].unit if assignments else None
    returned = (returns or {}).get((category, unit.code), 0) if unit else 0
    confidence = 0.5 if fallback else 1.0 - RETURNED_SHARE * min(returned, MOST_RETURNED)
    unsure = bool(main) and claims.level is DivisionLevel.COUNTY and _is_city_wide(where)
    return Dispatch(
        assignments=tuple(assignments),
        tier=tier,
        tier_why=tier_why,
        confidence=confidence if unit else 0.0,
        fallback=fallback,
        unsure_place=unsure,
        returned=returned,
        rules=tuple(claims.rules),
    )


def _is_city_wide(where: str) -> bool:
    return not where or level_of(where) is DivisionLevel.CITY


def _claims(
    pack: CityPack, category: str, held: Iterable[tuple[Rule, str]], learned: Learned
) -> _Claims:
    claims = _listed(pack, category)
    if learned.main:
        function, level = learned.lead
        if function != claims.main:
            claims.why = LIKE_IT
        claims.main, claims.level = function, DivisionLevel(level)
        claims.helpers = {
            helper: LIKE_IT for helper, share in learned.helpers.items() if share >= HELPS
        }
    for rule, words in held:
        why = f"{rule.name}（“{words}”）" + (f"：{rule.reason}" if rule.reason else "")
        if rule.main:
            if claims.main and claims.main != rule.main:
                claims.helpers.pop(rule.main, None)
            claims.main, claims.why = rule.main, why
        if rule.level:
            claims.level = DivisionLevel(rule.level)
        claims.helpers |= {function: why for function in rule.add if function != claims.main}
        if rule.main or rule.add or rule.level:
            claims.rules.append(rule.name)
    claims.helpers.pop(claims.main, None)
    return claims


def _listed(pack: CityPack, category: str) -> _Claims:
    """As the catalogue has it."""
    entry = pack.catalogue.entry(category) if category else None
    if entry is None:
        return _Claims("", DivisionLevel.COUNTY, "")
    claims = _Claims(entry.main, DivisionLevel(entry.level), entry.basis)
    claims.helpers = dict.fromkeys(entry.helpers, claims.why)
    return claims


def _unit(pack: CityPack, function: str, where: str, level: DivisionLevel) -> Unit | None:
    return pack.units.responsible(function, where, level)


def _assign(
    pack: CityPack, claims: _Claims, main: Unit | None, where: str
) -> tuple[list[Assignment], bool]:
    found = []
    if main:
        found.append(Assignment(main, True, claims.why))
    elif unit := pack.units.fallback(where):
        why = "没有明确的承办单位，由属地政府兜底"
        found.append(Assignment(unit, True, why))
    for function, why in claims.helpers.items():
        unit = _unit(pack, function, where, claims.level)
        if unit and all(unit.code != each.unit.code for each in found):
            found.append(Assignment(unit, False, why))
    return found, main is None or main.function == FALLBACK


def urgency(
    pack: CityPack,
    category: str,
    text: str,
    rules: Iterable[Rule] = (),
    learned: Learned = NOTHING,
) -> tuple[Tier, str]:
    """The tier, and why: what the pack's words and rules say, weighed against its examples."""
    told, why = _told(pack, category, text, rules)
    shares = {
        tier.code: learned.tier.get(tier.code, 0.0) + (RULED if tier is told else 0.0)
        for tier in pack.tiers
    }
    likeliest = pack.tiers.get(max(shares, key=lambda code: shares[code]))
    return (told, why) if likeliest is None or likeliest is told else (likeliest, LIKE_IT)


def _told(pack: CityPack, category: str, text: str, rules: Iterable[Rule]) -> tuple[Tier, str]:
    """The most urgent that words or rules speak for."""
    if found := danger(pack, text):
        return next(iter(pack.tiers)), f"{found[0].name}（“{found[1]}”）"
    tier, why = pack.tiers.default, "一般事项"
    for each in pack.tiers:
        if any(word in text for word in each.not_words):
            continue
        word = next((word for word in each.words if word in text), "")
        named = category and category.startswith(each.categories) if each.categories else False
        if (word or named) and pack.tiers.more_urgent(each, tier) is each and each is not tier:
            tier = each
            why = f"“{word}”" if word else f"{pack.taxonomy.name(category)}属{each.name}"
            break
    for rule in rules:
        ruled = pack.tiers.get(rule.tier) if rule.tier else None
        if ruled and ruled is not tier and pack.tiers.more_urgent(ruled, tier) is ruled:
            tier, why = ruled, rule.reason or rule.name
    return tier, why


def refusal(pack: CityPack, text: str) -> tuple[Refusal, str] | None:
    """Why it is not accepted, if it is not, and the words that say so."""
    return next(((each, words) for each in pack.refusals if (words := each.found(text))), None)


def danger(pack: CityPack, text: str) -> tuple[Emergency, str] | None:
    """What has to be handed to 110, 119 or 120 at once, and the words that say so."""
    return next(((each, words) for each in pack.emergencies if (words := each.found(text))), None)
