"""Which loader a model of model_repo/ has; heavy libraries are imported only by those asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from inference.answering import Model
from inference.tensors import ASR_MODEL, DIARIZATION_MODEL, EMOTION_MODEL

MODELS = (ASR_MODEL, DIARIZATION_MODEL, EMOTION_MODEL)  # each a folder beside this file


def load(
    name: str, parameters: Mapping[str, str], device: str = "cpu", device_index: int = 0
) -> Model:
    """Load the bundle that `parameters` name as the model `name`; see the loaders for both.

    Raises:
        BundleInvalid: the bundle is not whole, or of another kind.
        ModelUnusable: this device, or this build, cannot run it.
    """
    kind = name.partition(".")[0]  # of a variant
    if kind not in MODELS:
        raise ValueError(f"no model is called {name!r}")
    loader = getattr(import_module(f"inference.{kind}.load"), f"load_{kind}")
    model: Model = loader(parameters, device, device_index)
    return model
