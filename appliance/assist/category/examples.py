"""What a city pack says of its categories, as texts to learn from: works from the first day."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from appliance.assist.category.rows import Labelled
from appliance.assist.city.taxonomy import Category, Taxonomy

ENOUGH = 20  # examples, beside which names say nothing new


def pack_rows(taxonomy: Taxonomy) -> Iterator[Labelled]:
    """Its examples; for leaf categories that have few, their names, keywords and summaries."""
    counts = Counter(example.category for example in taxonomy.examples)
    for category in taxonomy.leaves:
        if counts[category.code] >= ENOUGH:
            continue
        for words in dict.fromkeys(_said_of(category)):
            yield Labelled(category.code, words, hint=True)
    for example in taxonomy.examples:
        yield Labelled(example.category, example.text)


def _said_of(category: Category) -> Iterator[str]:
    yield from (category.name, *category.aliases, *category.keywords)
    belongs = category.summary.split("；")[0]  # what follows says where other matters belong
    yield from (part for part in re.split("[、，。]", belongs) if len(part) > 1)
