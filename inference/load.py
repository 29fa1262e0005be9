"""Which loader a model of model_repo/ has; heavy libraries are imported only by those asked for."""

from __future__ import annotations

from collections.abc import Mapping

from inference.answering import Model
from inference.tensors import ASR_MODEL, DIARIZATION_MODEL, EMOTION_MODEL


def load(
    name: str, parameters: Mapping[str, str], device: str = "cpu", device_index: int = 0
) -> Model:
    """Load the bundle that `parameters` name as the model `name`; see the loaders for both.

    Raises:
        BundleInvalid: the bundle is not whole, or of another kind.
        ModelUnusable: this device, or this build, cannot run it.
    """
    if name == ASR_MODEL:
        from inference.asr.load import load_asr

        return load_asr(parameters, device, device_index)
    if name == DIARIZATION_MODEL:
        from inference.diarization.load import load_diarization

        return load_diarization(parameters, device, device_index)
    if name == EMOTION_MODEL:
        from inference.emotion.load import load_emotion

        return load_emotion(parameters, device, device_index)
    raise ValueError(f"no model is called {name!r}")
