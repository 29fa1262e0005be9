"""How the speech model is loaded, the same in Triton and in a CPU worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from inference.asr.tuning import AUTO, Tuning, candidates, tuned, use_widest_vectors
from inference.asr.whisper import WhisperModel
from inference.bundles import load_manifest, read_canary
from inference.tensors import SAMPLE_RATE_HZ, Window

TRIAL_WINDOWS = 4  # of the canary, to measure with
TRIAL_S = 4.0  # of each, where the bundle has no canary


def load_asr(
    parameters: Mapping[str, str], device: str = "cpu", device_index: int = 0
) -> WhisperModel:
    """Load the bundle that `parameters` name, all strings.

    Args:
        parameters: bundle (folder); compute_type (CTranslate2's, or auto: the fastest); cores that
            this process may use; threads (0: as measured, else of one lane); tuning (file of what
            was measured before, may be empty).
        device: "cpu" or "cuda".
        device_index: which GPU.
    """
    use_widest_vectors()
    folder = Path(parameters["bundle"])
    threads, cores = int(parameters.get("threads", "0")), int(parameters.get("cores", "1"))
    compute_type = parameters.get("compute_type", AUTO)
    given = candidates(device, device_index, compute_type, 1 if threads else cores)
    if threads:
        given = [Tuning(t.compute_type, 1, threads) for t in given]
    written = parameters.get("tuning")
    trial = _trial(folder)
    return tuned(
        *(folder, given),
        lambda tuning: WhisperModel(
            folder, device=device, device_index=device_index, **asdict(tuning)
        ),
        lambda model: model.listen(trial),
        Path(written) if written else None,
    )


def _trial(folder: Path) -> list[Window]:
    """Some natural speech if the bundle brings it, else noise."""
    audio = read_canary(folder, load_manifest(folder))
    if audio is None:
        noise = np.random.default_rng(0).standard_normal(int(TRIAL_S * SAMPLE_RATE_HZ))
        audio = (0.05 * noise).astype(np.float32)
    return [Window(audio, word_times=False, retries=False)] * TRIAL_WINDOWS
