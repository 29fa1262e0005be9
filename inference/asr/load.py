"""How the speech model is loaded, the same in Triton and in a CPU worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inference.asr.whisper import WhisperModel


def load_asr(
    parameters: Mapping[str, str], device: str = "cpu", device_index: int = 0
) -> WhisperModel:
    """Load the bundle that `parameters` name: bundle, threads, compute_type (all strings)."""
    return WhisperModel(
        Path(parameters["bundle"]),
        device=device,
        device_index=device_index,
        threads=int(parameters.get("threads", "0")),
        compute_type=parameters.get("compute_type", "default"),
    )
