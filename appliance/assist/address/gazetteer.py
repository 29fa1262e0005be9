"""A city's places: what they are called and what lies in what."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.assist.address.forms import DIVISIONS, GENERAL, WORTH, Form, forms, proper
from appliance.assist.address.written import WrittenNames
from appliance.phonetics.names import Names, Sounded, SoundedName
from appliance.phonetics.sounds import UNITS, sounds

_COMMUNITY = re.compile("(?:社区|小区|村)$")
# Of places named in calls, how many are of a kind.
SPOKEN_OF = {
    "city": 0.2, "county": 0.35, "town": 0.15, "village": 0.2, "compound": 0.2, "street": 0.15,
}  # fmt: skip
SELDOM = 0.015  # of any other kind
MOST_SOUNDED = 20_000  # places of a gazetteer whose names are found though misheard

# How many digits of a division's code tell it: 14 province, 1402 city, 140213 county ...
_DIGITS = {2: "province", 4: "city", 6: "county", 9: "town", 12: "village"}


@dataclass(frozen=True, slots=True)
class Place:
    """Something with a name: a division, a street, a compound, a landmark.

    Attributes:
        code: of a division its 12 digits (shorter ones are filled up); else any unique word.
        kind: province, city, county, town or village; else street, compound or what it is.
        divisions: 12-digit codes of where it lies, of any level; several where it crosses them.
        names: others that it goes by, old ones too.
    """

    code: str
    name: str
    kind: str
    divisions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def trimmed(code: str) -> str:
    """A division's code without what its level does not need: 140213000000 -> 140213."""
    for digits in _DIGITS:
        if not code[digits:].strip("0"):
            return code[:digits]
    return code


def level_of(code: str) -> str:
    """province, city, county, town or village."""
    return _DIGITS.get(len(trimmed(code)), "")


COUNTY = 6  # digits of its code


class Gazetteer:
    """Places and how they lie in one another. Never changes once made.

    Attributes:
        division_names: of counties and towns, whole and without 区 or 镇.
        as_written: too many to be listened for; names are found only as they are written.

    Args:
        places: of one city, or of a country (then names are only found as they are written).
        local: what this city's speakers say alike, see `sounds`.
    """

    def __init__(self, places: Iterable[Place], local: tuple[tuple[str, float], ...] = ()) -> None:
        self.places = tuple(places)
        self.local = local
        self.listed = tuple(self._listed(place) for place in self.places)
        self.lies = tuple(map(_lying, self.places, self.listed))
        self._by_code = {
            trimmed(p.code): n for n, p in enumerate(self.places) if p.kind in DIVISIONS
        }
        self._by_code |= {p.code: n for n, p in enumerate(self.places) if p.kind not in DIVISIONS}
        kinds = Counter(place.kind for place in self.places)
        self._rarity = {
            kind: math.log(count + 1) - math.log(SPOKEN_OF.get(kind, SELDOM))
            for kind, count in kinds.items()
        }
        cities = [p.name for p in self.places if p.kind == "city"]
        self.city = cities[0] if len(cities) == 1 else ""
        self.division_names = frozenset(self._division_names())
        self.forms = tuple(self._forms())
        self._sounds = sounds(local)
        self.as_written = len(self.places) > MOST_SOUNDED
        self._names = (
            WrittenNames(self.forms, self.lies)
            if self.as_written
            else Names([_sounded(form) for form in self.forms], self._sounds)
        )

    def place(self, code: str) -> Place | None:
        """By the code of a division (12 digits, or fewer) or of another place."""
        number = self._by_code.get(code, self._by_code.get(trimmed(code)))
        return None if number is None else self.places[number]

    def ancestors(self, code: str) -> tuple[Place, ...]:
        """The divisions that a division lies in, and itself last; of those that are known."""
        code = trimmed(code)
        chain = [self._by_code.get(code[:digits]) for digits in _DIGITS if digits <= len(code)]
        return tuple(self.places[number] for number in chain if number is not None)

    def rarity(self, number: int) -> float:
        """Minus the log of how often a place that is named is this one, in nats."""
        return self._rarity[self.places[number].kind]

    def agree(self, one: int, other: int) -> bool:
        """Whether both can be parts of one address: where they lie is one within the other."""
        return any(
            a.startswith(b) or b.startswith(a) for a in self.lies[one] for b in self.lies[other]
        )

    def around(self, division: int, other: int) -> bool:
        """Whether a division holds a place, or a part of it."""
        code = self.lies[division][0]
        return any(each.startswith(code) for each in self.lies[other])

    def alike(self, heard: str, said: str) -> bool:
        """Whether one character may have been heard for the other."""
        one, other = self._sounds.of(heard + said)
        return heard == said or int(self._sounds.costs[one, other]) <= 2 * UNITS

    def heard(self, text: str) -> Iterator[Sounded]:
        """Names in `text`; of a city's gazetteer, borne through recognition errors."""
        return self._names.heard(text)

    def _listed(self, place: Place) -> tuple[str, ...]:
        if place.kind in DIVISIONS:
            return (trimmed(place.code),)
        return tuple(trimmed(code) for code in place.divisions) or ("",)

    def _division_names(self) -> Iterator[str]:
        """Of counties and towns, whole and without 区 or 镇."""
        for place in self.places:
            if place.kind in DIVISIONS[:4]:
                for form in forms(0, place.kind, place.name, ""):
                    yield form.text
                    yield form.text[slice(*form.core)]

    def _forms(self) -> Iterator[Form]:
        divisions = self.division_names
        for number, place in enumerate(self.places):
            texts: set[str] = set()
            names = [name for name in place.names if not GENERAL.fullmatch(name)]
            for name in (place.name, *names):
                for form in forms(number, place.kind, name, self.city, divisions):
                    if form.text not in texts:
                        texts |= {form.text, form.text[slice(*form.core)]}
                        yield form


def _sounded(form: Form) -> SoundedName:
    return SoundedName(form.text, tuple(WORTH[weight] for weight in form.weights))


def short_name(place: Place) -> str:
    """As it stands in an address."""
    return proper(place.name)


def core_name(place: Place) -> str:
    """Without its 社区, 小区 or 村: 苹果园 of 苹果园社区."""
    return core_of(proper(place.name))


def core_of(name: str) -> str:
    """The same of a name as it is used."""
    return _COMMUNITY.sub("", name)


def _lying(place: Place, listed: tuple[str, ...]) -> tuple[str, ...]:
    """A street goes on in the next town: what stands there says which."""
    if place.kind != "street":
        return listed
    return tuple(dict.fromkeys(code[:COUNTY] for code in listed))
