"""What a pack's examples teach of whose a matter is and how soon, beside its catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from appliance.assist.category.model import CategoryModel, Guess
from appliance.assist.city.catalogue import Catalogue
from appliance.assist.city.known import AT, NOBODY, Models

OWN = 0.6  # share of what was learned of functions; the rest is the catalogue's, by category
MOST = 400  # labels of a model that are looked at
Shares = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Learned:
    """Probabilities; empty where nothing teaches them.

    Attributes:
        main: of functions that lead, with their level: `function@level`.
        helpers: of each function that it has a part.
        tier: of tiers.
    """

    main: Shares = field(default_factory=dict)
    helpers: Shares = field(default_factory=dict)
    tier: Shares = field(default_factory=dict)

    @property
    def lead(self) -> tuple[str, str]:
        """Function and level of who most likely leads; "" where nothing is known."""
        best = max(self.main, key=lambda each: self.main[each], default="")
        function, _, level = best.partition(AT)
        return function, level


NOTHING = Learned()


def learned(models: Models, catalogue: Catalogue, text: str, guesses: Sequence[Guess]) -> Learned:
    """Args: guesses: of the category of the same text."""
    helpers: dict[str, float] = {}
    for together, share in _shares(models.helpers, text).items():
        for helper in together.split(";"):
            helpers[helper] = helpers.get(helper, 0.0) + share
    helpers.pop(NOBODY, None)
    return Learned(_leading(models, catalogue, text, guesses), helpers, _shares(models.tier, text))


def _leading(
    models: Models, catalogue: Catalogue, text: str, guesses: Sequence[Guess]
) -> dict[str, float]:
    found = _shares(models.main, text)
    own = OWN if found else 0.0
    main = {label: share * own for label, share in found.items()}
    for guess in guesses:
        if entry := catalogue.entry(guess.label):
            label = f"{entry.main}{AT}{entry.level}"
            main[label] = main.get(label, 0.0) + guess.probability * (1 - own)
    return main


def _shares(model: CategoryModel | None, text: str) -> dict[str, float]:
    if model is None:
        return {}
    return {each.label: each.probability for each in model.guesses(text, MOST)}
