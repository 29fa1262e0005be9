"""Samples as the training of models handles them: float32, 16 kHz, resampled exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]

RATE_HZ = 16_000


def as_audio(samples: npt.ArrayLike) -> Audio:
    """`samples` as float32."""
    return np.asarray(samples, dtype=np.float32)


def fast_length(samples: int) -> int:
    """The next length, a multiple of 64, whose Fourier transform is quick."""
    length = -(-samples // 64) * 64
    while True:
        rest = length
        for factor in (2, 3, 5, 7):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 64


def resample(audio: Audio, ratio: float) -> Audio:
    """`audio` with `ratio` times its samples, band-limited (through its spectrum)."""
    samples, padded = round(len(audio) * ratio), fast_length(len(audio) + 64)
    return _resample(np.pad(audio, (0, padded - len(audio))), ratio)[:samples]


def _resample(audio: Audio, ratio: float) -> Audio:
    length = fast_length(round(len(audio) * ratio))
    if abs(length / len(audio) / ratio - 1) > 1e-4:
        length = round(len(audio) * ratio)
    spectrum = np.fft.rfft(audio.astype(np.float32))
    kept = np.zeros(length // 2 + 1, dtype=spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return (np.fft.irfft(kept, length) * (length / len(audio))).astype(np.float32)
