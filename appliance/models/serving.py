"""Which bundles this box serves: what was activated, else what the settings name."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path

from appliance.errors import LingtingError
from appliance.models.library import ModelLibrary
from appliance.models.lineup import Lineup
from appliance.models.signing import TrustedKeys
from appliance.models.slots import SLOTS
from appliance.settings import Settings, load_settings
from appliance.settings.section import PROJECT

RELEASED = PROJECT / "bundles"  # what came with this release
log = logging.getLogger(__name__)


def library_of(settings: Settings) -> ModelLibrary:
    """This box's."""
    models = settings.models
    named = [folder for slot in SLOTS if (folder := getattr(models, slot))]
    released = [*RELEASED.glob("*"), *(f for f in named if not f.is_relative_to(models.library))]
    shipped = dict.fromkeys(folder.resolve() for folder in released)
    signers = TrustedKeys(models.trusted)
    return ModelLibrary(models.library, signers, [*shipped], version("lingting"))


def lineup_of(settings: Settings) -> Lineup:
    """What this box serves beside what is active."""
    return Lineup(settings.models.library, library_of(settings))


def serving_settings() -> Settings:
    """The settings, with what was activated in the place of what they name.

    A bundle that is not what it was is not served: the log names the file, and what served before
    serves again.
    """
    settings = load_settings()
    library = library_of(settings)
    chosen = {slot: folder for slot in SLOTS if (folder := _folder(library, slot))}
    if not chosen:
        return settings
    return settings.model_copy(update={"models": settings.models.model_copy(update=chosen)})


def loaded_settings(since: Settings) -> Settings:
    """For a service that holds the models: as it began, but with the recogniser that the gateway
    wants now, which changes when no call is heard by the one before any more.

    Args:
        since: `serving_settings` at its start.
    """
    lineup = lineup_of(since)
    if not lineup.is_kept:
        return since
    try:
        base = lineup.base() or load_settings().models.asr
    except LingtingError as error:
        log.error("%s", error)
        return since
    return since.model_copy(update={"models": since.models.model_copy(update={"asr": base})})


def _folder(library: ModelLibrary, slot: str) -> Path | None:
    try:
        state = library.slots()[slot]
    except LingtingError as error:
        log.error("%s", error)
        return None
    if not state.active:
        return None
    for ref in filter(None, (state.active, state.before)):
        try:
            bundle = library.find(ref)
            library.check(bundle)
        except LingtingError as error:
            log.error("%s does not serve as %s: %s", ref, slot, error)
        else:
            return bundle.folder
    return None
