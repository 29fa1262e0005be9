"""The county that is named in passing (我是广灵的), where nothing closer is known of the place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.assist.city.divisions import DivisionLevel, Divisions
from appliance.assist.slots.value import Said, Value

NAMED = 0.75  # that the matter lies in the only county that was named


class Counties:
    """Of one city, by the names that people use."""

    def __init__(self, divisions: Divisions) -> None:
        counties = divisions.of_level(DivisionLevel.COUNTY)
        self._names = {each.code: each.name for each in counties}
        self._codes = {name: each.code for each in counties for name in (each.name, *each.aliases)}
        longest = sorted(self._codes, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest)) or "(?!)")

    def named(self, said: Sequence[Said]) -> Value | None:
        """The one that is; None where none is, or several are."""
        hits = [(each, match) for each in said for match in self._pattern.finditer(each.text)]
        codes = {self._codes[match[0]] for _, match in hits}
        if len(codes) != 1:
            return None
        code, (first, match) = codes.pop(), hits[0]
        name = self._names[code]
        return Value(
            text=name,
            confidence=NAMED,
            evidence=(first.evidence(match.start(), match.end(), "提到的县区"),),
            code=code,
            parts={"county": name, "division": code},
            question=f"请问是在{name}的什么地方？",
        )
