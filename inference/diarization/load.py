"""How a diarization bundle is loaded, the same in Triton and in a CPU worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inference.bundles import BundleInvalid, verify
from inference.diarization.model import DiarizationModel, Networks
from inference.diarization.recipe import load_recipe

KIND = "pyannote-diarization"


def load_diarization(
    parameters: Mapping[str, str], device: str = "cpu", device_index: int = 0
) -> DiarizationModel:
    """Load the bundle that `parameters` name, all strings.

    Args:
        parameters: bundle (folder), runtime ("pyannote" or "onnx"), threads
            ("0" or absent: as many as `cores`, else one).
        device: "cpu" or "cuda"; the ONNX runtime is for the CPU.
        device_index: which GPU.
    """
    folder = Path(parameters["bundle"])
    manifest = verify(folder)
    if manifest.kind != KIND:
        raise BundleInvalid(f"{folder} is a {manifest.kind} bundle, not {KIND}")
    recipe = load_recipe(folder)
    networks: Networks
    if parameters.get("runtime") == "pyannote":
        from inference.diarization.pyannote_networks import PyannoteNetworks

        where = f"{device}:{device_index}" if device == "cuda" else device
        networks = PyannoteNetworks(folder, recipe, where)
    else:
        from inference.diarization.onnx_networks import OnnxNetworks

        threads = int(parameters.get("threads", 0)) or int(parameters.get("cores", 1))
        networks = OnnxNetworks(folder, recipe, threads)
    return DiarizationModel(manifest, recipe, networks)
