"""The address slot: where the matters of a call are."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.assist.address.answer import answer
from appliance.assist.address.gather import Gathered, gather
from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.slots.value import Said, Value

LEAST = 0.15  # of a place that is told at all
LEAST_ALONE = 0.45  # where all that is told is one alternative


def address(said: Sequence[Said], gazetteer: Gazetteer) -> tuple[Value, ...]:
    """One value for each place that is meant, most likely the matter's first.

    A value's `parts` are its levels: county, town, village, group, street, number, compound,
    landmark, building, unit, floor, room, near; `division` is the 12-digit code of the deepest
    division that is sure and `place` the code of the compound, street or landmark; `unlisted` is
    there where a name only looks like a place's. A level that is not sure is left out: what it may
    be is in the alternatives, and the question settles it.
    """
    places = gather(said, gazetteer)
    found = [(place, answer(place, gazetteer)) for place in places]
    told = [(place, value) for place, value in found if _worth(value)]
    told.sort(key=lambda each: _rank(*each), reverse=True)
    return tuple(value for _, value in told)


def _worth(value: Value) -> bool:
    """Whether it says more than the city, where everything is."""
    more = value.parts.keys() - {"province", "city", "division"}
    least = LEAST if more or len(value.alternatives) > 1 else LEAST_ALONE
    return bool(value.text and (more or value.alternatives)) and value.confidence >= least


def _rank(place: Gathered, value: Value) -> tuple[bool, bool, int, float, int]:
    """A place that is sure goes before one that is not, where the matter is before where one
    lives, what was asked for before what came up, then what most is known of."""
    sure = bool(value.code) and "unlisted" not in value.parts
    known = len(value.parts)
    return (sure and not place.mine, place.asked_for, known, value.confidence, -place.first)
