"""How many copies of the weights are worth their memory, and whether they fit at all.

A process of its own for each core answers soonest, but holds its own copy; where copies are large
beside the memory, one process runs several lanes over the same weights.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from appliance.errors import BundleError
from appliance.settings import Settings
from inference.tensors import ASR_MODEL, Priority

MOST_COPIES = 4
COPIES_SHARE = 0.05  # of the memory that copies beyond the first may take
GPU = Path("/proc/driver/nvidia/gpus")
WEIGHTS = "model.bin"
# Resident memory of a process that serves, beside its weights: libraries, and a batch under way.
PROCESS_BYTES = 150e6
UNPACKED = 1.2  # of the file, loaded
DECODER_BYTES = 60e6  # of a process that decodes compressed audio: PyAV and its buffers
DECODERS_SHARE, LEAST_DECODERS = 0.125, 4


def on_gpu(settings: Settings) -> bool:
    """Whether Triton will find a GPU to run on."""
    kind = settings.triton.kind
    return kind == "gpu" or (kind == "auto" and GPU.is_dir() and any(GPU.iterdir()))


def triton_instances(settings: Settings) -> int:
    """Of the speech model in Triton (per GPU, if on GPUs)."""
    if settings.triton.instances:
        return settings.triton.instances
    return 1 if on_gpu(settings) else _copies(settings.models.asr)


def queue_places(settings: Settings) -> dict[Priority, int]:
    """How many questions of each kind may wait for a model of Triton's."""
    triton = settings.triton
    return {
        Priority.PROBE: triton.queue_final,
        Priority.FINAL: triton.queue_final,
        Priority.PARTIAL: triton.queue_partial,
        Priority.RECORDING: triton.queue_recording,
    }


def cpu_workers(settings: Settings) -> int:
    """Worker processes on the CPU; 0 if that path is off."""
    return min(settings.cpu.workers, _copies(settings.models.bundles(standby=True)[ASR_MODEL]))


def _copies(bundle: Path) -> int:
    beyond = int(COPIES_SHARE * psutil.virtual_memory().total / max(1, _size(bundle)))
    return max(1, min(os.cpu_count() or 1, MOST_COPIES, 1 + beyond))


def check_memory(settings: Settings) -> None:
    """Raises BundleError, with what would fit, before weights are loaded that do not."""
    needed, models = 0.0, settings.models
    if settings.triton.mode == "child" and not on_gpu(settings):
        needed += triton_instances(settings) * _process_bytes(models.asr)
    if settings.cpu.workers and not settings.cpu.socket:
        needed += cpu_workers(settings) * _process_bytes(models.asr_standby or models.asr)
    free = psutil.virtual_memory().available
    if needed > free:
        name = models.asr.name
        raise BundleError(
            "load the speech model",
            f"{name} needs some {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free",
            "set triton.mode to off or cpu.workers to 1, or take a smaller bundle: whisper-base "
            f"needs {_process_bytes(models.asr.with_name('whisper-base')) / 1e9:.1f} GB a process",
        )


def _process_bytes(bundle: Path) -> float:
    return PROCESS_BYTES + UNPACKED * _size(bundle)


def _size(bundle: Path) -> int:
    """Of its weights, bytes; 0 if they are not there, which their loading will say better."""
    path = bundle / WEIGHTS
    return path.stat().st_size if path.is_file() else 0


def most_decoders() -> int:
    """Processes that decode compressed audio: as many as a share of the memory holds."""
    return max(LEAST_DECODERS, int(DECODERS_SHARE * psutil.virtual_memory().total / DECODER_BYTES))
