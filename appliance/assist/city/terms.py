"""A pack's words that are to be heard right: its hotwords, and all that it names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from appliance.assist.address.forms import proper
from appliance.assist.city.pack import CityPack
from appliance.terms.correction import Terms, pairs_in
from appliance.terms.term import LONGEST_TERM, MOST_TERMS, Term


def terms_of_city(pack: CityPack) -> Terms:
    """The first MOST_TERMS; takes some tenths of a second."""
    named = (term for term in _named(pack) if len(term.text) <= LONGEST_TERM)
    return Terms(list(islice(named, MOST_TERMS)), pairs_of(pack))


def pairs_of(pack: CityPack) -> dict[str, int]:
    """What is usual to say: of characters side by side in the pack's examples."""
    return pairs_in([example.text for example in pack.taxonomy.examples])


def _named(pack: CityPack) -> Iterator[Term]:
    """What people say most, first."""
    for word in pack.hotwords:
        yield Term(word.text, word.weight, word.category)
    for place in pack.places:
        for name in (place.name, *place.aliases, *place.old_names):
            yield Term(name, category=place.kind)
    for division in pack.divisions:
        for name in (proper(division.name), *division.aliases, *division.old_names):
            yield Term(name, category="division")
    for unit in pack.units:
        for name in (unit.name, *unit.aliases):
            yield Term(name, category="unit")
