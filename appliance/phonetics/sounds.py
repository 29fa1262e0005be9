"""How alike characters sound: the cost, in nats, of one heard where another was said.

A cost is minus the log of how often a recogniser, or a speaker's accent, makes the one of the
other, against leaving it as it is: 0 for the same sound, about 2 for those that whole regions do
not tell apart, 7 for any two. Characters that read alike (and in the same ways) are one *class*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from appliance.phonetics import readings

Costs = NDArray[np.int32]  # in units of 1/UNITS nat

UNITS = 16
UNLIKE = 4.5  # another initial, or another final; both together are FARTHEST
FARTHEST = 7.0
RARER = 0.8  # a character's second reading
NOTHING = 0  # the class of what has no reading: alike to nothing, itself included

INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcs")
# Whole regions say these alike.
INITIAL_PAIRS = {
    "n-l": 1.6, "z-zh": 1.0, "c-ch": 1.0, "s-sh": 1.0, "h-f": 2.0, "r-l": 2.4, "b-p": 2.4,
    "d-t": 2.4, "g-k": 2.4, "j-q": 2.4, "zh-ch": 2.4, "z-c": 2.4, "j-zh": 2.6, "q-ch": 2.6,
    "x-sh": 2.6, "j-z": 2.8, "q-c": 2.8, "x-s": 2.8, "q-x": 3.0, "c-s": 3.0, "ch-sh": 3.0,
    "zh-sh": 3.4, "z-s": 3.4, "j-x": 3.4, "g-h": 3.4, "k-h": 3.0, "m-n": 3.0, "m-l": 3.4,
    "b-m": 3.2, "b-d": 3.2, "p-t": 3.0, "t-k": 3.0, "d-g": 3.2, "d-l": 3.2, "n-d": 3.4,
    "r-": 2.8, "h-": 3.2, "l-": 3.4, "n-": 3.2, "m-": 3.2, "g-": 3.6, "k-": 3.8, "x-": 3.4,
    "q-": 3.6, "j-": 3.4, "t-q": 3.2, "d-j": 3.2, "f-": 3.4, "f-p": 3.4,
    "g-j": 3.2, "k-q": 3.4, "h-x": 3.2,
}  # fmt: skip
FINAL_PAIRS = {
    "in-ing": 0.8, "en-eng": 0.8, "an-ang": 1.4, "ian-iang": 1.6, "uan-uang": 1.4, "un-ong": 1.8,
    "vn-iong": 1.8, "un-ueng": 1.0, "en-ong": 2.6, "eng-ong": 1.8, "un-en": 1.8, "ing-eng": 2.4,
    "in-en": 2.4, "in-vn": 2.2, "ing-iong": 2.4, "e-uo": 2.2, "o-uo": 0.5, "o-e": 2.2,
    "ou-uo": 2.2, "ou-u": 2.6, "u-uo": 2.4, "ou-ao": 2.6, "ao-uo": 2.8, "iao-iu": 2.4,
    "ve-ie": 2.0, "ue-ie": 2.0, "v-i": 2.2, "v-u": 2.6, "ai-ei": 2.2, "ai-uai": 2.2, "ei-ui": 1.4,
    "uan-an": 2.0, "uang-ang": 2.0, "uang-ong": 2.2, "ua-a": 2.2, "ia-a": 2.2,
    "iao-ao": 2.2, "iu-ou": 2.2, "iang-ang": 2.2, "ian-an": 2.2, "ian-in": 2.6, "ian-ie": 2.6,
    "ian-van": 1.8, "van-uan": 1.8,
    "in-i": 3.0, "ing-i": 2.8, "ih-e": 1.8, "ih-i": 2.8, "ih-u": 3.2, "ie-e": 2.6, "ie-i": 2.8,
    "ei-e": 2.8, "ei-i": 2.8, "a-e": 2.6, "a-an": 2.8, "a-ai": 2.8, "a-uo": 3.0, "an-en": 2.6,
    "an-ai": 3.0, "ang-ong": 2.8, "ang-ao": 3.0, "ang-eng": 2.6, "en-e": 2.6, "eng-e": 2.8,
    "ong-u": 2.8, "un-u": 3.0, "un-ui": 2.8, "uan-un": 2.8, "ie-ia": 2.8, "e-u": 3.2, "er-e": 2.0,
    "v-iu": 2.8, "ong-iong": 1.8, "ve-uo": 2.6, "vn-un": 1.8, "i-iu": 3.4, "iang-ing": 3.0,
    "uai-ui": 2.6, "ua-uo": 2.6, "van-vn": 2.6, "ve-v": 2.8, "ui-u": 3.2, "ao-a": 3.0,
}  # fmt: skip
_SOUNDED = re.compile(rf"({'|'.join(INITIALS)})?(.+)")
# A syllable without an initial is written with one: yan is ian, wan is uan.
_BARE = {"yi": "i", "wu": "u", "yu": "v", "yin": "in", "ying": "ing", "you": "iu", "yong": "iong",
         "yue": "ve", "yuan": "van", "yun": "vn", "wen": "un", "wei": "ui", "weng": "ueng",
         "yo": "o", "ye": "ie", "wo": "uo", "yan": "ian"}  # fmt: skip


@dataclass(frozen=True)
class Sounds:
    """The classes of characters and what it costs to hear one for another.

    Attributes:
        costs: (classes, classes), row heard, column said; in 1/UNITS nat.
    """

    classes: Mapping[str, int] = field(repr=False)  # of characters
    costs: Costs = field(repr=False)

    def of(self, text: str) -> list[int]:
        """The class of each character; NOTHING for what is not read."""
        return [self.classes.get(char, NOTHING) for char in text]


@cache
def sounds(local: tuple[tuple[str, float], ...] = ()) -> Sounds:
    """`local`: pairs that this city's speakers do not tell apart, of initials or finals ("n-l"),
    or of syllables ("re-ye"), and what each costs in nats."""
    readings_of = _readings()
    kinds = sorted({*readings_of.values()})
    classes = {char: kinds.index(read) + 1 for char, read in readings_of.items()}
    syllables = sorted({syllable for kind in kinds for syllable in kind})
    between = _between(syllables, dict(local))
    place = {syllable: at for at, syllable in enumerate(syllables)}
    first = np.array([place[kind[0]] for kind in kinds])
    second = np.array([place[kind[-1]] for kind in kinds])
    rarer = np.array([RARER if len(kind) > 1 else 0.0 for kind in kinds])
    best = between[np.ix_(first, first)]
    for heard, more in ((first, 0.0 * rarer), (second, rarer)):
        for said, further in ((first, 0.0 * rarer), (second, rarer)):
            best = np.minimum(best, between[np.ix_(heard, said)] + more[:, None] + further)
    np.fill_diagonal(best, 0.0)
    costs = np.full((len(kinds) + 1, len(kinds) + 1), FARTHEST)
    costs[1:, 1:] = best
    return Sounds(classes, np.round(np.minimum(costs, FARTHEST) * UNITS).astype(np.int32))


def _readings() -> dict[str, tuple[str, ...]]:
    """A character's syllables, the usual one first."""
    found: dict[str, tuple[str, ...]] = {}
    for table in (readings.FIRST, readings.SECOND):
        for syllable, chars in re.findall(r"([a-z]+)([^a-z]+)", re.sub(r"\s", "", table)):
            for char in chars:
                found[char] = (*found.get(char, ()), syllable)[:2]
    return found | {char: (char,) for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _between(syllables: Sequence[str], local: Mapping[str, float]) -> NDArray[np.float64]:
    parts = [_parts(syllable) for syllable in syllables]
    by_initial = _pairs(INITIAL_PAIRS, local, sorted({initial for initial, _ in parts}))
    by_final = _pairs(FINAL_PAIRS, local, sorted({final for _, final in parts}))
    heads = np.array([sorted({i for i, _ in parts}).index(initial) for initial, _ in parts])
    tails = np.array([sorted({f for _, f in parts}).index(final) for _, final in parts])
    costs = by_initial[np.ix_(heads, heads)] + by_final[np.ix_(tails, tails)]
    for pair, cost in local.items():
        one, _, other = pair.partition("-")
        if one in syllables and other in syllables:
            at = [syllables.index(one), syllables.index(other)]
            costs[at, at[::-1]] = np.minimum(costs[at, at[::-1]], cost)
    capped: NDArray[np.float64] = np.minimum(costs, FARTHEST)
    return capped


def _pairs(
    known: Mapping[str, float], local: Mapping[str, float], names: Sequence[str]
) -> NDArray[np.float64]:
    costs = np.full((len(names), len(names)), UNLIKE)
    np.fill_diagonal(costs, 0.0)
    place = {name: at for at, name in enumerate(names)}
    for pair, cost in [*known.items(), *local.items()]:
        one, _, other = pair.partition("-")
        if one in place and other in place:
            at = [place[one], place[other]]
            costs[at, at[::-1]] = np.minimum(costs[at, at[::-1]], cost)
    return costs


def _parts(syllable: str) -> tuple[str, str]:
    """Initial and final: zhi is zh and ih (not ji's i), yuan is van, ju is j and v."""
    if syllable in _BARE:
        return "", _BARE[syllable]
    if syllable[0] in "yw" and len(syllable) > 1:
        return "", {"y": "i", "w": "u"}[syllable[0]] + syllable[1:]
    found = _SOUNDED.fullmatch(syllable)
    initial, final = (found[1] or "", found[2]) if found else ("", syllable)
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        final = "ih"
    if initial in ("j", "q", "x") and final[0] == "u":
        final = "v" + final[1:]
    return initial, final
