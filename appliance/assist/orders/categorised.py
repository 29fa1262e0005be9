"""What a matter is about: the model's guess, with the pack's own words on top."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.assist.category.model import CategoryModel, Guess
from appliance.assist.city.pack import CityPack
from appliance.assist.slots.value import Alternative, Evidence, Said, Value

KEYWORD = 0.25  # share of the others that a category's own word gives it
MOST, MOST_GUESSES = 3, 20


def guesses_of(pack: CityPack, model: CategoryModel, text: str) -> list[Guess]:
    """The likeliest leaves of what was said, best first; none of nothing."""
    if not text.strip():
        return []
    guesses = list(model.guesses(text, MOST_GUESSES))
    if guesses and guesses[0].probability < model.sure:
        guesses = _with_keywords(pack, guesses, text)
    return guesses


def category_of(
    pack: CityPack, model: CategoryModel, said: Sequence[Said], guesses: Sequence[Guess]
) -> Value | None:
    """The category of what was said, to the level that is sure; None: it is not known.

    Its alternatives are the three likeliest leaves.
    """
    if not guesses:
        return None
    code, confidence = _deepest(guesses, model.sure)
    if not code or code not in pack.taxonomy:
        return None
    return Value(
        text=pack.taxonomy.name(code),
        confidence=confidence,
        evidence=tuple(_carried(pack, model, said, code)),
        code=code,
        alternatives=tuple(
            Alternative(pack.taxonomy.name(each.label), each.probability, each.label)
            for each in guesses[:MOST]
        ),
    )


def _with_keywords(pack: CityPack, guesses: Sequence[Guess], text: str) -> list[Guess]:
    """Where the model is unsure, one of its three best whose own word was said goes first."""

    def said(guess: Guess) -> bool:
        category = pack.taxonomy.get(guess.label)
        return category is not None and any(word in text for word in category.keywords)

    best = [each for each in guesses[:MOST] if said(each)][:1]
    share = KEYWORD * (1 - best[0].probability) if best else 0.0
    return sorted(
        (
            Guess(each.label, each.probability + share)
            if each in best
            else Guess(each.label, each.probability * (1 - KEYWORD if best else 1.0))
            for each in guesses
        ),
        key=lambda guess: -guess.probability,
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
    for each in said if not found else ():
        for span in model.carried(each.text, code, 2):
            found.append(each.evidence(span.start, span.end, f"模型 {span.weight:.2f}"))
    return found[:MOST]
