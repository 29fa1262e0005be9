"""Speech bundles that an engine serves beside the one from its start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from appliance.settings import Settings
from inference.tensors import ASR_MODEL, served_name

Variants = Mapping[str, Path]  # name of the variant -> folder of its bundle


def served(variants: Variants) -> dict[str, Path]:
    """Folders by the names that Triton and workers know the variants by."""
    return {served_name(ASR_MODEL, name): folder.resolve() for name, folder in variants.items()}


def with_base(settings: Settings, bundle: Path) -> Settings:
    """Settings that name another speech bundle."""
    models = settings.models.model_copy(update={"asr": bundle})
    return settings.model_copy(update={"models": models})
