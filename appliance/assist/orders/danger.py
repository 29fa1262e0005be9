"""Danger to life: heard by the pack's words, and by a model where nobody thought of the words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from appliance.assist.category.model import CategoryModel
from appliance.assist.city.known import SAFE
from appliance.assist.city.pack import CityPack
from appliance.assist.orders.dispatch import danger
from appliance.assist.orders.draft import Json
from appliance.assist.slots.value import Said

LIKELY = 0.35  # from this share on somebody is asked to look; a false one costs a glance
LEAST = 6  # characters
BY_SOUND_OF_IT = "可能有危险"
MOST = 8  # classes of the model that are looked at


class Dangers:
    """Of one pack."""

    def __init__(self, pack: CityPack, model: CategoryModel | None) -> None:
        self._pack, self._model = pack, model
        self._look = lru_cache(4096)(self._look_at)

    def first(self, citizen: Sequence[Said]) -> Json | None:
        """The first that a citizen tells of: what, who has to hear of it, what to say, and when."""
        for said in citizen:
            if found := self._look(said.text):
                name, to, say, words = found
                at = max(said.text.find(words), 0)
                shown = said.evidence(at, at + len(words), name)
                return {
                    "name": name,
                    "to": list(to),
                    "say": say,
                    "utterance": said.id,
                    "at_ms": shown.end_ms,
                    "words": words,
                }
        return None

    def _look_at(self, text: str) -> tuple[str, tuple[str, ...], str, str] | None:
        if found := danger(self._pack, text):
            each, words = found
            return each.name, tuple(each.to), each.say, words
        if self._model is None or len(text) < LEAST:
            return None
        shares = {each.label: each.probability for each in self._model.guesses(text, MOST)}
        safe = shares.pop(SAFE, 0.0)
        if 1.0 - safe < LIKELY or not shares:
            return None
        to = tuple(max(shares, key=lambda label: shares[label]).split(";"))
        return BY_SOUND_OF_IT, to, self._say(to), text

    def _say(self, to: tuple[str, ...]) -> str:
        """What the pack says first of an emergency for the same."""
        same = (each.say for each in self._pack.emergencies if set(each.to) == set(to))
        return next(same, "")
