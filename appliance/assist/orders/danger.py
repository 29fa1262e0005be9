"""Danger to life: heard by the pack's words, and by a model where nobody thought of the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.category.model import CategoryModel
from appliance.assist.city.known import SAFE
from appliance.assist.city.pack import CityPack
from appliance.assist.orders.dispatch import danger
from appliance.assist.orders.draft import Json
from appliance.assist.slots.value import Said

LIKELY = 0.2  # from this share on somebody is asked to look; a false one costs a glance
SURE = 0.5  # from this on it makes an order urgent, too
HARMLESS = 0.05  # below it the pack's words are a coincidence: 三个人上吊装车
LEAST = 6  # characters
BY_SOUND_OF_IT = "可能有危险"
MOST = 40  # classes of the model that are looked at


@dataclass(frozen=True, slots=True)
class FoundDanger:
    """Who has to hear of it, what to say, and the words.

    Attributes:
        sure: not only worth a look.
    """

    name: str
    to: tuple[str, ...]
    say: str
    words: str
    sure: bool


class Dangers:
    """Of one pack."""

    def __init__(self, pack: CityPack, model: CategoryModel | None) -> None:
        self._pack, self._model = pack, model
        self._look = lru_cache(4096)(self._look_at)

    def first(self, citizen: Sequence[Said]) -> Json | None:
        """The first that a citizen tells of: what, who has to hear of it, what to say, and when."""
        for said in citizen:
            if found := self._look(said.text):
                at = max(said.text.find(found.words), 0)
                shown = said.evidence(at, at + len(found.words), found.name)
                return {
                    "name": found.name,
                    "to": list(found.to),
                    "say": found.say,
                    "sure": found.sure,
                    "utterance": said.id,
                    "at_ms": shown.end_ms,
                    "words": found.words,
                }
        return None

    def _look_at(self, text: str) -> FoundDanger | None:
        shares = self._shares(text)
        likely = 1.0 - shares.pop(SAFE, 0.0) if shares else 1.0
        if (found := danger(self._pack, text)) and likely >= HARMLESS:
            each, words = found
            return FoundDanger(each.name, tuple(each.to), each.say, words, likely >= LIKELY)
        if likely < LIKELY or not shares:
            return None
        to = tuple(max(shares, key=lambda label: shares[label]).split(";"))
        return FoundDanger(BY_SOUND_OF_IT, to, self._say(to), text, likely >= SURE)

    def _shares(self, text: str) -> dict[str, float]:
        """Of who has to hear of it; nothing where there is no model, or little to go by."""
        if self._model is None or len(text) < LEAST:
            return {}
        return {each.label: each.probability for each in self._model.guesses(text, MOST)}

    def _say(self, to: tuple[str, ...]) -> str:
        """What the pack says first of an emergency for the same."""
        same = (each.say for each in self._pack.emergencies if set(each.to) == set(to))
        return next(same, "")
