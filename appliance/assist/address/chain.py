"""What places together mean: which of all that were heard agree, and how likely each reading is.

A reading has a deepest place, its leaf, and supports: other places heard elsewhere that the leaf
lies in, or that lie where it does. What it tells is the sum of what they tell, less how rare the
leaf is among its kind; the odds of two readings are the difference, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.address import common
from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.address.match import OUTER, STRONG, Match, depth

AGAIN, MOST_AGAIN = 0.1, 1.0  # of what a place tells that was named before; nats
NAMED_TOO = 1.0  # nats that the county of what was named must outweigh, or noise adds up
APART = 4.0  # nats against two compounds, named at two times, being one place
ELSEWHERE = 2.0  # nats that speak against another place being named
MOST_SUPPORTS = 28  # matches that are weighed
REMEMBERED = 1024


Rivals = Mapping[int, Sequence[tuple[float, int]]]  # of each that was heard, by its id()


@dataclass(frozen=True, slots=True)
class Heard:
    """A match in one of several texts."""

    text: int  # its number, in the order they were said
    match: Match

    def clashes(self, other: Heard) -> bool:
        return self.text == other.text and self.match.overlaps(other.match)


@dataclass(frozen=True, slots=True)
class Meant:
    """One reading of all that was heard.

    Attributes:
        used: leaf first.
        division: the trimmed code of the deepest division that all of it lies in.
        unlisted: that the name which was heard is in no gazetteer; `used` is what else was.
    """

    used: tuple[Heard, ...]
    score: float
    division: str
    unlisted: bool = False

    @property
    def leaf(self) -> int:
        return self.used[0].match.place


def readings(heard: Sequence[Heard], gazetteer: Gazetteer) -> Sequence[Meant]:
    """One for each place that can be the leaf; the likeliest first."""
    return _readings(tuple(heard), gazetteer)


@lru_cache(REMEMBERED)  # a call is read again after every final
def _readings(heard: tuple[Heard, ...], gazetteer: Gazetteer) -> tuple[Meant, ...]:
    ranked = sorted(heard, key=lambda each: -each.match.score)[:MOST_SUPPORTS]
    rivals = {id(each): _rivals(each, ranked, gazetteer) for each in ranked}
    best: dict[int, Meant] = {}
    for leaf in ranked:
        meant = _meant(leaf, ranked, rivals, gazetteer)
        known = best.get(meant.leaf)
        if known is None or meant.score > known.score:
            best[meant.leaf] = meant
    return tuple(sorted(best.values(), key=lambda meant: -meant.score))


def odds(found: Sequence[Meant], nothing: float = 0.0) -> list[float]:
    """The probability of each reading, against each other and that nothing was meant."""
    top = max([nothing, *(meant.score for meant in found)])
    weights = [math.exp(meant.score - top) for meant in found]
    total = sum(weights) + math.exp(nothing - top)
    return [weight / total for weight in weights]


def _rivals(each: Heard, others: Sequence[Heard], gazetteer: Gazetteer) -> list[tuple[float, int]]:
    """Better explanations of the same words: what each would tell as a place of its own."""
    return [
        (other.match.score - gazetteer.rarity(other.match.place) - ELSEWHERE, other.match.place)
        for other in others
        if other.match.score > each.match.score and other.clashes(each)
    ]


def _meant(leaf: Heard, ranked: Sequence[Heard], rivals: Rivals, gazetteer: Gazetteer) -> Meant:
    used = [leaf]
    deepest = depth(gazetteer, leaf.match)
    lies = gazetteer.lies[leaf.match.place]
    score, lost = leaf.match.score - gazetteer.rarity(leaf.match.place), 0.0
    for each in ranked:
        gain = _gain(each, used, deepest, gazetteer)
        left = common.within(lies, gazetteer.lies[each.match.place]) if gain > 0 else ()
        if not left:
            continue
        gain -= _rivalled(rivals[id(each)], used, gazetteer)
        gain -= _between(each, used, ranked, gazetteer)
        losing = max(lost, _rivalled(rivals[id(leaf)], [*used[1:], each], gazetteer))
        if gain > losing - lost:
            used.append(each)
            score, lies, lost = score + gain - (losing - lost), left, losing
    lies = common.within(lies, gazetteer.listed[leaf.match.place]) or lies
    return Meant(tuple(used), score, common.prefix(lies))


def _between(
    each: Heard, used: Sequence[Heard], ranked: Sequence[Heard], gazetteer: Gazetteer
) -> float:
    """What speaks against a place going with another when a third is named between the two, to
    which it does not belong."""
    near = [other.match for other in used if other.text == each.text]
    if not near:
        return 0.0
    start = max((m.end for m in near if m.end <= each.match.start), default=each.match.end)
    end = min((m.start for m in near if m.start >= each.match.end), default=each.match.start)
    for third in ranked:
        if third.match.score < STRONG or third.text != each.text:
            continue
        inside = start <= third.match.start and third.match.end <= each.match.start
        inside = inside or (each.match.end <= third.match.start and third.match.end <= end)
        if inside and not gazetteer.agree(third.match.place, each.match.place):
            return APART
    return 0.0


def _rivalled(
    rivals: Sequence[tuple[float, int]], used: Sequence[Heard], gazetteer: Gazetteer
) -> float:
    """What is given up when words are taken to mean a place that goes with `used`, though they
    better mean one that does not."""
    lost = 0.0
    for told, place in rivals:
        if told > lost and not all(gazetteer.agree(place, each.match.place) for each in used):
            lost = told
    return lost


def _gain(each: Heard, used: Sequence[Heard], deepest: int, gazetteer: Gazetteer) -> float:
    """What a support adds; 0 or less for what is none."""
    place = each.match.place
    level = depth(gazetteer, each.match)
    if any(each.clashes(other) for other in used):
        return 0.0
    if any(other.match.place == place for other in used):
        return min(MOST_AGAIN, AGAIN * each.match.score)
    if level > deepest or (level == deepest and level < OUTER):
        return 0.0
    if level < OUTER:
        taken = any(depth(gazetteer, other.match) == level for other in used)
        if taken or gazetteer.places[place].name == gazetteer.city:
            return 0.0
        around = gazetteer.around(place, used[0].match.place)
        return each.match.score - (NAMED_TOO if around else gazetteer.rarity(place))
    kind = gazetteer.places[place].kind
    apart = any(
        other.text != each.text and gazetteer.places[other.match.place].kind == kind
        for other in used
    )
    return each.match.score - gazetteer.rarity(place) - (APART if apart else 0.0)
