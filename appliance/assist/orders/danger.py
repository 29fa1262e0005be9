"""Danger to life: heard by the pack's words, and by a model where nobody thought of the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance.assist.category.model import CategoryModel
from appliance.assist.city.known import SAFE
from appliance.assist.city.pack import CityPack
from appliance.assist.orders.dispatch import danger
from appliance.assist.orders.draft import Json
from appliance.assist.slots.contact import without
from appliance.assist.slots.value import Said

LIKELY = 0.15  # from this share on somebody is asked to look; a false one costs a glance
SURE = 0.5  # from this on it makes an order urgent, too
HARMLESS = 0.05  # below it the pack's words are a coincidence: 三个人上吊装车
LEAST = 6  # characters
WINDOW = 30  # characters that are looked at together: short turns are judged by what went before
BY_SOUND_OF_IT = "可能有危险"
REMEMBERED = 32_768  # turns, of all calls
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
        self._look = lru_cache(REMEMBERED)(self._look_at)

    def worst(self, citizen: Sequence[Said]) -> Json | None:
        """The first that is sure, else the first: what, who has to hear of it, what to say."""
        return min(self.all(citizen), key=lambda found: not found["sure"], default=None)

    def all(self, citizen: Sequence[Said], since: int = 0) -> list[Json]:
        """Those that differ, in the order in which they are told, from turn `since` on."""
        told: dict[tuple[object, ...], Json] = {}
        for number, said in list(enumerate(citizen))[since:]:
            found = self._look(said.text, _before(citizen[:number], len(said.text)))
            if found:
                told.setdefault((found.name, found.to, found.sure), _as_json(found, said))
        return list(told.values())

    def _look_at(self, text: str, before: str) -> FoundDanger | None:
        """As it was said, and without who says it and how to reach them.

        Args:
            before: what the citizen said before, where the text alone is short.
        """
        told = (self._judged(each, before) for each in (text, without(text)) if each)
        return min(filter(None, told), key=lambda found: not found.sure, default=None)

    def _judged(self, text: str, before: str) -> FoundDanger | None:
        shares = self._shares(text)
        likely = _danger(shares)
        if before and likely >= HARMLESS:
            likely = min(likely, _danger(self._shares(before + text)))
        if (found := danger(self._pack, text)) and likely >= HARMLESS:
            each, words = found
            return FoundDanger(each.name, tuple(each.to), each.say, words, likely >= LIKELY)
        called = {to: share for to, share in shares.items() if to != SAFE}
        if likely < LIKELY or not called:
            return None
        to = tuple(max(called, key=lambda label: called[label]).split(";"))
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


def _as_json(found: FoundDanger, said: Said) -> Json:
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


def _danger(shares: Mapping[str, float]) -> float:
    """How likely it is one; where nothing is known, what the pack's words say is believed."""
    return 1.0 - shares.get(SAFE, 0.0) if shares else 1.0


def _before(said: Sequence[Said], length: int) -> str:
    """As much as makes `length` characters a text of WINDOW: a name alone sounds like anything."""
    found = ""
    for each in reversed(said):
        if len(found) + length >= WINDOW:
            break
        found = f"{each.text}，{found}"
    return found
