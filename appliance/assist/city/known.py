"""What a pack becomes when it is taken into use: its gazetteer and its category model."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.address.gazetteer import Place as Named
from appliance.assist.category.model import CategoryModel
from appliance.assist.category.rows import Labelled
from appliance.assist.category.training import train
from appliance.assist.city.pack import CityPack
from appliance.errors import LingtingError

log = logging.getLogger(__name__)

KEPT_S = 30 * 86_400.0  # of a pack that is no longer in use
MODEL = "category.model"  # trained on a city's own orders; else on the examples of its pack


def gazetteer_of(pack: CityPack) -> Gazetteer:
    """Divisions and places."""
    return Gazetteer(_named(pack))


def _named(pack: CityPack) -> Iterator[Named]:
    for division in pack.divisions:
        names = (*division.aliases, *division.old_names)
        yield Named(division.code, division.name, division.level.value, (division.code,), names)
    for number, place in enumerate(pack.places):
        names = (*place.aliases, *place.old_names)
        yield Named(f"p{number}", place.name, place.kind, tuple(place.divisions), names)


def model_of(pack: CityPack, cache: Path | None = None) -> CategoryModel:
    """Its own, or one of its examples.

    Args:
        cache: folder in which the latter is kept, since it takes seconds to make; None: nowhere.
    """
    path = pack.folder / MODEL
    if path.exists():
        return CategoryModel.load(path)
    if cache is None:
        return train(list(examples(pack)))
    return _kept(pack, cache / f"{pack.identity.name}-{pack.digest[:16]}.model")


def _kept(pack: CityPack, path: Path) -> CategoryModel:
    with contextlib.suppress(LingtingError, OSError):  # of another release, or torn: made anew
        if path.exists():
            return CategoryModel.load(path)
    model = train(list(examples(pack)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
        for old in path.parent.glob(f"{pack.identity.name}-*.model"):
            if old != path and old.stat().st_mtime < time.time() - KEPT_S:
                old.unlink(missing_ok=True)
    except (LingtingError, OSError) as error:
        log.warning("the category model is made anew at each start: %s", error)
    return model


def examples(pack: CityPack) -> Iterator[Labelled]:
    """What a pack says of its leaf categories, as texts of theirs."""
    for category in pack.taxonomy.leaves:
        for text in (category.name, *category.aliases, *category.keywords):
            yield Labelled(category.code, text, hint=True)
    for example in pack.taxonomy.examples:
        yield Labelled(example.category, example.text)
