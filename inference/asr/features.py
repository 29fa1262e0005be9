"""Log-mel features as Whisper defines them, for any geometry a bundle's preprocessor names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inference.tensors import SAMPLE_RATE_HZ, Audio

FLOOR = 1e-10  # smallest mel power
DYNAMIC_RANGE = 8.0  # log10 units kept below the loudest bin of a window
SLANEY_HZ_PER_MEL = 200.0 / 3
SLANEY_LOG_START_HZ = 1000.0
SLANEY_LOG_STEP = np.log(6.4) / 27.0


def mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear below 1 kHz, logarithmic above."""
    linear = mels * SLANEY_HZ_PER_MEL
    start = SLANEY_LOG_START_HZ / SLANEY_HZ_PER_MEL
    return np.where(
        mels < start, linear, SLANEY_LOG_START_HZ * np.exp(SLANEY_LOG_STEP * (mels - start))
    )


def mel_filters(n_mels: int, n_fft: int) -> NDArray[np.float32]:
    """Triangular filters of equal area, 0-8 kHz: [n_mels, n_fft // 2 + 1]."""
    nyquist_mel = SLANEY_LOG_START_HZ / SLANEY_HZ_PER_MEL + np.log(8.0) / SLANEY_LOG_STEP
    corners = mel_to_hz(np.linspace(0.0, nyquist_mel, n_mels + 2))
    bins = np.fft.rfftfreq(n_fft, 1.0 / SAMPLE_RATE_HZ)
    slopes = corners[:, None] - bins[None, :]
    widths = np.diff(corners)[:, None]
    rising, falling = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]
    area = 2.0 / (corners[2:] - corners[:-2])
    filters = np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]
    return filters.astype(np.float32)


@dataclass(frozen=True)
class LogMel:
    """Feature extractor; field names are those of preprocessor_config.json."""

    feature_size: int = 80  # mel bands
    hop_length: int = 160  # samples between frames
    n_fft: int = 400  # samples per frame
    chunk_length: int = 30  # s, the longest window

    @cached_property
    def _filters(self) -> NDArray[np.float32]:
        return mel_filters(self.feature_size, self.n_fft)

    @cached_property
    def _window(self) -> NDArray[np.float32]:
        return np.hanning(self.n_fft + 1)[:-1].astype(np.float32)

    @property
    def frames_per_s(self) -> float:
        return SAMPLE_RATE_HZ / self.hop_length

    def __call__(self, batch: Audio) -> NDArray[np.float32]:
        """[b, n] samples -> [b, feature_size, n // hop_length], each window scaled on its own."""
        edge = self.n_fft // 2
        padded = np.pad(batch, ((0, 0), (edge, edge)), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft, axis=1)
        frames = frames[:, :: self.hop_length][:, : batch.shape[1] // self.hop_length]
        spectrum = np.fft.rfft(frames * self._window, axis=-1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        mel = self._filters @ power.swapaxes(1, 2)
        log = np.log10(np.maximum(mel, FLOOR))
        log = np.maximum(log, log.max(axis=(1, 2), keepdims=True) - DYNAMIC_RANGE)
        return np.ascontiguousarray((log + 4.0) / 4.0, dtype=np.float32)
