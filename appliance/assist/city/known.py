"""What a pack becomes when it is taken into use: its gazetteer and its category model."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.assist.address.files import SOUNDS, local_sounds
from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.address.gazetteer import Place as Named
from appliance.assist.category.examples import pack_rows
from appliance.assist.category.model import CategoryModel
from appliance.assist.category.rows import Labelled
from appliance.assist.category.training import train
from appliance.assist.city.pack import CityPack
from appliance.errors import LingtingError

log = logging.getLogger(__name__)

FORM = 2  # of what is made of a pack; another one is made anew
KEPT_S = 30 * 86_400.0  # of a pack that is no longer in use
SAFE = "-"  # of what is no danger
MODEL = "category.model"  # trained on a city's own orders; else on the examples of its pack


def gazetteer_of(pack: CityPack) -> Gazetteer:
    """Divisions and places."""
    return Gazetteer(_named(pack), local_sounds(pack.folder / SOUNDS))


def _named(pack: CityPack) -> Iterator[Named]:
    for division in pack.divisions:
        names = (*division.aliases, *division.old_names)
        yield Named(division.code, division.name, division.level.value, (division.code,), names)
    for number, place in enumerate(pack.places):
        names = (*place.aliases, *place.old_names)
        yield Named(f"p{number}", place.name, place.kind, tuple(place.divisions), names)


def model_of(pack: CityPack, cache: Path | None = None) -> CategoryModel:
    """Of categories: a city's own, or one of its pack's examples.

    Args:
        cache: folder in which the latter is kept, since it takes seconds to make; None: nowhere.
    """
    path = pack.folder / MODEL
    if path.exists():
        return CategoryModel.load(path)
    return _kept(pack, cache, "category", lambda: list(pack_rows(pack.taxonomy)))


def danger_model_of(pack: CityPack, cache: Path | None = None) -> CategoryModel | None:
    """Of who has to hear of a danger, SAFE where there is none; None: the pack has no examples."""
    if not pack.emergency_examples:
        return None
    return _kept(pack, cache, "danger", lambda: list(_dangers(pack)))


def _dangers(pack: CityPack) -> Iterator[Labelled]:
    for each in pack.emergency_examples:
        yield Labelled(";".join(each.to) or SAFE, each.text)
    for example in pack.taxonomy.examples:
        yield Labelled(SAFE, example.text)


def _kept(
    pack: CityPack, cache: Path | None, what: str, rows: Callable[[], list[Labelled]]
) -> CategoryModel:
    if cache is None:
        return train(rows())
    path = cache / f"{what}-{pack.identity.name}-{pack.digest[:16]}-{FORM}.model"
    with contextlib.suppress(LingtingError, OSError):  # of another release, or torn: made anew
        if path.exists():
            return CategoryModel.load(path)
    model = train(rows())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
        _drop_old(path, f"{what}-{pack.identity.name}-*.model")
    except (LingtingError, OSError) as error:
        log.warning("the %s model is made anew at each start: %s", what, error)
    return model


def _drop_old(kept: Path, pattern: str) -> None:
    for old in kept.parent.glob(pattern):
        if old != kept and old.stat().st_mtime < time.time() - KEPT_S:
            old.unlink(missing_ok=True)
