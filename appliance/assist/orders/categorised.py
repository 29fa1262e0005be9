"""What a matter is about: to the level that is sure, and the words that say so."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.assist.category.model import CategoryModel, Guess
from appliance.assist.city.pack import CityPack
from appliance.assist.slots.value import Alternative, Evidence, Said, Value

MOST_LOOKED_AT = 40  # turns
MOST = 3  # alternatives, and words


def category_of(
    pack: CityPack, model: CategoryModel, said: Sequence[Said], guesses: Sequence[Guess]
) -> Value | None:
    """The category of what was said, to the level that is sure, empty where none is.

    Its alternatives are the three likeliest leaves. None: nothing was said.
    """
    if not guesses:
        return None
    code, confidence = _deepest(guesses, model.sure)
    known = code in pack.taxonomy
    return Value(
        text=pack.taxonomy.name(code) if known else "",
        confidence=confidence or guesses[0].probability,
        evidence=tuple(_carried(pack, model, said, code)) if known else (),
        code=code if known else "",
        alternatives=tuple(
            Alternative(pack.taxonomy.name(each.label), each.probability, each.label)
            for each in guesses[:MOST]
        ),
    )


def _deepest(guesses: Sequence[Guess], sure: float) -> tuple[str, float]:
    """The best leaf if it is sure, else the best above it that is."""
    best = guesses[0].label
    for digits in range(len(best), 0, -2):
        head = best[:digits]
        share = sum(each.probability for each in guesses if each.label.startswith(head))
        if share >= sure:
            return head, share
    return "", 0.0


def _carried(
    pack: CityPack, model: CategoryModel, said: Sequence[Said], code: str
) -> list[Evidence]:
    """The words that spoke most for it, keywords first."""
    category = pack.taxonomy.get(code)
    found = []
    for each in said:
        for word in category.keywords if category else ():
            if (at := each.text.find(word)) >= 0:
                found.append(each.evidence(at, at + len(word), "关键词"))
    for each in said[-MOST_LOOKED_AT:] if not found else ():
        for span in model.carried(each.text, code, 2):
            found.append(each.evidence(span.start, span.end, f"模型 {span.weight:.2f}"))
    return found[:MOST]
