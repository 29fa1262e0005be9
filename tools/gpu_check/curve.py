"""How fast a model is on this device, by batch: in one process, without Triton.

`python -m tools.gpu_check.curve BUNDLE --device cuda` prints one JSON object. Run for itself, so
that the memory of one model is free before the next is loaded.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

import ctranslate2
import numpy as np

from inference.asr.load import load_asr
from inference.asr.whisper import WhisperModel
from inference.bundles import load_manifest, read_canary
from inference.tensors import SAMPLE_RATE_HZ, Window

WINDOW_S = 4.0
FULL_S = 30
ROUNDS = 3
# Encoder passes in a row, of which one and the reading of its output are taken off.
ENCODINGS = {"cuda": 6, "cpu": 2}
PEAK_SIZE = 8192  # of the square matrices that the card's limit is measured with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--batches", default="1,2,4,8,16,32,64")
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--like", type=Path, help="a bundle whose canary is heard")
    given = parser.parse_args()
    begun = time.monotonic()
    parameters = {"bundle": str(given.bundle), "compute_type": given.compute_type}
    model = load_asr(parameters, given.device)
    loaded_s = time.monotonic() - begun
    batches = [int(n) for n in given.batches.split(",")]
    clip = _clip(given.like or given.bundle)
    windows = {n: _windows_per_s(model, clip, n) for n in batches}
    encoder = {n: _encoder_tflops(model, n) for n in batches}
    peak = _peak_tflops() if given.device == "cuda" else None
    best = max(encoder.values())
    print(
        json.dumps(
            {
                "model": model.card.name,
                "compute_type": model.card.compute_type,
                "loaded_s": round(loaded_s, 1),
                "windows_per_s": {n: round(rate, 1) for n, rate in windows.items()},
                "encoder_tflops": {n: round(rate, 2) for n, rate in encoder.items()},
                "peak_tflops": peak and round(peak),
                "encoder_share_of_peak": peak and round(best / peak, 3),
            }
        )
    )


def _clip(bundle: Path) -> np.ndarray:
    audio = read_canary(bundle, load_manifest(bundle))
    if audio is None:
        audio = 0.05 * np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ)
    return np.resize(audio, int(WINDOW_S * SAMPLE_RATE_HZ)).astype(np.float32)


def _windows_per_s(model: WhisperModel, clip: np.ndarray, together: int) -> float:
    """Finals of WINDOW_S, heard whole: features, encoder, text."""
    window = Window(clip, language="zh", word_times=False, retries=False)
    return together / _seconds(lambda: model.listen([window] * together))


def _encoder_tflops(model: WhisperModel, together: int) -> float:
    """Over full windows."""
    inner = model._model
    frames = np.zeros((together, inner.n_mels, 100 * FULL_S), np.float32)
    features = ctranslate2.StorageView.from_array(frames)
    shape = inner.encode(features).shape

    def encode(times: int) -> None:
        """Encoding returns before it is done; reading the last output waits for all."""
        for _ in range(times - 1):
            inner.encode(features)
        inner.encode(features, to_cpu=True)

    times = ENCODINGS[model.device]
    seconds = _seconds(lambda: encode(times)) - _seconds(lambda: encode(1))
    flops = (times - 1) * together * _flops(shape[1], shape[2], model)
    return flops / max(seconds, 1e-9) / 1e12


def _flops(steps: int, width: int, model: WhisperModel) -> float:
    """Of one window's encoder: matrix products alone, two operations each."""
    layers = _layers(model)
    products = 12 * width**2 * steps + 2 * steps**2 * width
    convolutions = 2 * steps * 3 * model._model.n_mels * width + steps * 3 * width**2
    return 2.0 * (layers * products + convolutions)


def _layers(model: WhisperModel) -> int:
    from inference.training.shapes import SHAPES

    width = {s.d_model: s.encoder_layers for s in SHAPES.values()}
    return width[model._model.encode(_one(model)).shape[2]]


def _one(model: WhisperModel) -> object:
    return ctranslate2.StorageView.from_array(np.zeros((1, model._model.n_mels, 200), np.float32))


def _seconds(work: object) -> float:
    work()  # type: ignore[operator]
    took = []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        work()  # type: ignore[operator]
        took.append(time.monotonic() - begun)
    return median(took)


def _peak_tflops() -> float | None:
    """What one large product of half-precision matrices reaches, where torch is there to ask."""
    try:
        import torch
    except ImportError:
        return None
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE, device="cuda", dtype=torch.float16) for _ in "ab")

    def multiply() -> None:
        a @ b
        torch.cuda.synchronize()

    return 2 * PEAK_SIZE**3 / _seconds(multiply) / 1e12


if __name__ == "__main__":
    main()
