"""Units (承办单位): who may be given an order, and for where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from appliance.assist.city.divisions import LEVELS, DivisionLevel, Divisions, level_of, up_to
from appliance.assist.city.reader import PackRow, Words

FUNCTIONS = "functions.csv"
FALLBACK = "government"  # the function of who takes what is nobody's (兜底)


class Function(PackRow):
    """What units are for, and what they are called at each level."""

    function: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    city: str = ""
    county: str = ""
    town: str = ""
    village: str = ""
    aliases: Words = ()
    responsibilities: str = ""
    hours: str = ""


class Unit(PackRow):
    """One.

    Attributes:
        function: what it is for; units of one function at several levels share it.
        divisions: its jurisdiction, by code.
        sample: whether it is made up, to be replaced by the city's own.
    """

    code: str = Field(min_length=1)
    name: str = Field(min_length=1)
    level: DivisionLevel
    parent: str = ""
    function: str = ""
    divisions: Words = ()
    aliases: Words = ()
    responsibilities: str = ""
    hours: str = ""
    phone: str = ""
    sample: bool = False


class Units:
    """All of a city's."""

    def __init__(self, units: Iterable[Unit], divisions: Divisions) -> None:
        self._by_code = {unit.code: unit for unit in units}
        self._divisions = divisions
        self._by_function: dict[str, list[Unit]] = {}
        for unit in self:
            self._by_function.setdefault(unit.function, []).append(unit)

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def get(self, code: str) -> Unit | None:
        return self._by_code.get(code)

    def functions(self) -> set[str]:
        return set(self._by_function) - {""}

    def responsible(self, function: str, where: str, level: DivisionLevel) -> Unit | None:
        """Of that function, for the place with that division code ("": somewhere in the city):
        at `level` or, where there is none, the nearest one above."""
        covering = [
            unit
            for unit in self._by_function.get(function, ())
            if LEVELS.index(unit.level) <= LEVELS.index(level) and self._covers(unit, where)
        ]
        return max(covering, key=lambda unit: LEVELS.index(unit.level), default=None)

    def fallback(self, where: str) -> Unit | None:
        """Who takes what is nobody's there: the county's government, else the city's."""
        at = DivisionLevel.COUNTY
        county = up_to(where, at) if where and level_of(where) is not DivisionLevel.CITY else ""
        return self.responsible(FALLBACK, county, at)

    def _covers(self, unit: Unit, where: str) -> bool:
        if unit.level is DivisionLevel.CITY:
            return True
        return bool(where) and any(self._divisions.within(where, own) for own in unit.divisions)
