"""How the speech model is loaded, the same in Triton and in a CPU worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inference.asr.whisper import WhisperModel

# Below this size a second thread costs more in waiting than it computes.
SMALL_BYTES = 100_000_000


def load_asr(
    parameters: Mapping[str, str], device: str = "cpu", device_index: int = 0
) -> WhisperModel:
    """Load the bundle that `parameters` name, all strings.

    Args:
        parameters: bundle (folder), compute_type, threads (0: one for small models, else all
            cores), cores (that this process may use).
        device: "cpu" or "cuda".
        device_index: which GPU.
    """
    folder = Path(parameters["bundle"])
    weights = folder / "model.bin"
    small = weights.exists() and weights.stat().st_size < SMALL_BYTES
    cores = 1 if small else int(parameters.get("cores", "0"))
    return WhisperModel(
        folder,
        device=device,
        device_index=device_index,
        threads=int(parameters.get("threads", "0")) or cores,
        compute_type=parameters.get("compute_type", "default"),
    )
