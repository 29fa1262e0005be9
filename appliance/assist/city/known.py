"""What a pack becomes when it is taken into use: its gazetteer, and what its examples teach."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from appliance.assist.address.files import SOUNDS, local_sounds
from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.address.gazetteer import Place as Named
from appliance.assist.category.examples import pack_rows
from appliance.assist.category.model import CategoryModel
from appliance.assist.category.rows import Labelled
from appliance.assist.category.training import train
from appliance.assist.city.divisions import DivisionLevel
from appliance.assist.city.pack import CityPack, load
from appliance.assist.city.taxonomy import CategoryExample
from appliance.assist.city.units import FALLBACK
from appliance.errors import LingtingError

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).resolve().parents[3] / "provisioning" / "learned"  # a release's own
FORM = 6  # of what is made of a pack; another one is made anew
CALLS_FIRST = 10  # niceness of learning
KEPT_S = 30 * 86_400.0  # of a pack that is no longer in use
SAFE_EVERY = 3  # so many examples of ordinary matters one is learned as safe
SAFE, NOBODY = "-", "-"  # of what is no danger; of what one unit can do alone
AT = "@"  # between a function and the level of its unit


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


@dataclass(frozen=True, slots=True)
class Models:
    """What is learned of a pack's examples. None: it has none of that kind.

    Attributes:
        category: of matters.
        danger: of who has to hear of it, joined by ";"; SAFE where there is none.
        main: of functions that lead, with their level: `function@level`.
        helpers: of functions that have a part in it, joined by ";"; NOBODY where there is none.
        tier: of how urgent it is.
    """

    category: CategoryModel
    danger: CategoryModel | None = None
    main: CategoryModel | None = None
    helpers: CategoryModel | None = None
    tier: CategoryModel | None = None


def models_of(pack: CityPack, cache: Path | None = None) -> Models:
    """All of them, kept or made now: that takes a minute, and a gigabyte of memory meanwhile."""
    found = {what: _model(pack, cache, what) for what in LEARNED if _teaches(pack, what)}
    return Models(**found)


def kept_of(pack: CityPack, cache: Path | None) -> Models | None:
    """All of them as they are kept; None: some are still to be made."""
    found = {what: _kept(pack, cache, what) for what in LEARNED if _teaches(pack, what)}
    if not all(found.values()):
        return None
    return Models(**{what: model for what, model in found.items() if model})


def files_of(pack: CityPack, cache: Path) -> list[Path]:
    """What `models_of` has kept of it."""
    return [path for what in LEARNED if (path := _file(pack, cache, what)).exists()]


def _teaches(pack: CityPack, what: str) -> bool:
    """Whether there is a choice to be learned."""
    labels = {row.label for row in LEARNED[what](pack)}
    return what == CATEGORY or len(labels) > 1


def _dangers(pack: CityPack) -> Iterator[Labelled]:
    for each in pack.emergency_examples:
        yield Labelled(";".join(each.to) or SAFE, each.text)
    calm = (each for each in pack.taxonomy.examples if each.tier != next(iter(pack.tiers)).code)
    for example in islice(calm, 0, None, SAFE_EVERY):
        yield Labelled(SAFE, example.text)


def _categories(pack: CityPack) -> Iterator[Labelled]:
    return pack_rows(pack.taxonomy)


def _leading(pack: CityPack) -> Iterator[Labelled]:
    for example in _dispatched(pack):
        entry = pack.catalogue.entry(example.category)
        main = example.main or (entry.main if entry else FALLBACK)
        level = example.level or (entry.level if entry else DivisionLevel.COUNTY)
        yield Labelled(f"{main}{AT}{level}", example.text)


def _helping(pack: CityPack) -> Iterator[Labelled]:
    for example in _dispatched(pack):
        yield Labelled(";".join(sorted(example.helpers)) or NOBODY, example.text)


def _urgent(pack: CityPack) -> Iterator[Labelled]:
    for example in _dispatched(pack):
        yield Labelled(example.tier, example.text)


def _dispatched(pack: CityPack) -> Iterator[CategoryExample]:
    return (example for example in pack.taxonomy.examples if example.tier)


CATEGORY = "category"
LEARNED: Mapping[str, Callable[[CityPack], Iterator[Labelled]]] = {
    CATEGORY: _categories,
    "danger": _dangers,
    "main": _leading,
    "helpers": _helping,
    "tier": _urgent,
}


def own_model(pack: CityPack, what: str) -> Path:
    """Trained on a city's own orders, beside its pack's examples; it need not be there."""
    return pack.folder / f"{what}.model"


def _file(pack: CityPack, cache: Path, what: str) -> Path:
    return cache / f"{what}-{pack.identity.name}-{pack.digest[:16]}-{FORM}.model"


def _kept(pack: CityPack, cache: Path | None, what: str) -> CategoryModel | None:
    if (own := own_model(pack, what)).exists():
        return CategoryModel.load(own)
    for folder in (SHIPPED, cache):
        path = _file(pack, folder, what) if folder else None
        with contextlib.suppress(LingtingError, OSError):  # of another release, or torn: made anew
            if path and path.exists():
                return CategoryModel.load(path)
    return None


def _model(pack: CityPack, cache: Path | None, what: str) -> CategoryModel:
    if kept := _kept(pack, cache, what):
        return kept
    model = train(list(LEARNED[what](pack)))
    if cache is None:
        return model
    path = _file(pack, cache, what)
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


if __name__ == "__main__":  # a process of its own: calls do not wait for it
    os.nice(CALLS_FIRST)
    models_of(load(Path(sys.argv[1])), Path(sys.argv[2]))
