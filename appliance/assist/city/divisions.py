"""Administrative divisions: city, county, town, village, by the 12-digit statistical code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from pydantic import Field

from appliance.assist.city.reader import PackRow, Words


class DivisionLevel(StrEnum):
    """市、县、乡、村."""

    CITY = "city"
    COUNTY = "county"
    TOWN = "town"
    VILLAGE = "village"


LEVELS = list(DivisionLevel)
_DIGITS = {  # that tell a division of each level apart
    DivisionLevel.CITY: 4,
    DivisionLevel.COUNTY: 6,
    DivisionLevel.TOWN: 9,
    DivisionLevel.VILLAGE: 12,
}


def level_of(code: str) -> DivisionLevel:
    """By the zeros that it ends in."""
    return next(level for level, digits in _DIGITS.items() if not code[digits:].strip("0"))


def up_to(code: str, level: DivisionLevel) -> str:
    """The division of that level that `code` lies in, or itself."""
    digits = min(_DIGITS[level], _DIGITS[level_of(code)])
    return code[:digits].ljust(12, "0")


def head_of(code: str) -> str:
    """The digits that all divisions in it begin with; of a part of a code, itself."""
    return code[: _DIGITS[level_of(code)]] if len(code) == 12 else code


def is_within(code: str, outer: str) -> bool:
    """Whether one division lies in another, or is it; everywhere is in none at all."""
    return not outer or (bool(code) and up_to(code, level_of(outer)) == outer)


class Division(PackRow):
    """One of them."""

    code: str = Field(pattern=r"^\d{12}$")
    name: str = Field(min_length=1)
    aliases: Words = ()
    old_names: Words = ()

    @property
    def level(self) -> DivisionLevel:
        return level_of(self.code)


class Divisions:
    """A city's, as a tree."""

    def __init__(self, divisions: Iterable[Division]) -> None:
        self._by_code = {division.code: division for division in divisions}

    def __iter__(self) -> Iterator[Division]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def get(self, code: str) -> Division | None:
        return self._by_code.get(code)

    def name(self, code: str) -> str:
        return self._by_code[code].name if code in self._by_code else code

    def chain(self, code: str) -> tuple[Division, ...]:
        """From the city down to it; those that are known."""
        codes = dict.fromkeys(up_to(code, level) for level in LEVELS)
        return tuple(self._by_code[each] for each in codes if each in self._by_code)

    def within(self, code: str, outer: str) -> bool:
        """Whether `code` lies in `outer`, or is it."""
        return is_within(code, outer)

    def below(self, code: str) -> list[Division]:
        """All that lie in it."""
        return [each for each in self if each.code != code and self.within(each.code, code)]

    def of_level(self, level: DivisionLevel) -> list[Division]:
        return [division for division in self if division.level is level]
