"""ITU-T G.711: one byte of telephone speech -> one 16-bit sample, by table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32]  # [256] sample values in -1..1, by code


def _fields(codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return (codes >> 4) & 7, codes & 15  # segment, step within it


def _alaw() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.int32) ^ 0x55  # sent with every second bit inverted
    segment, step = _fields(codes)
    # 13-bit values shifted left by three; half a step is added so that an error is symmetric.
    linear = np.where(segment == 0, (step << 4) + 8, ((step << 4) + 0x108) << (segment - 1).clip(0))
    return np.where(codes & 0x80, linear, -linear).astype(np.int16)


def _mulaw() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.int32) ^ 0xFF  # sent inverted
    segment, step = _fields(codes)
    bias = 33 << 2  # of the 14-bit law, shifted left by two like the values
    linear = (((step << 3) + bias) << segment) - bias
    return np.where(codes & 0x80, -linear, linear).astype(np.int16)


ALAW_S16, MULAW_S16 = _alaw(), _mulaw()  # [256] int16
ALAW: Table = (ALAW_S16 / np.float32(32768)).astype(np.float32)
MULAW: Table = (MULAW_S16 / np.float32(32768)).astype(np.float32)


def encode(audio: NDArray[np.float32], table: Table) -> bytes:
    """Samples -> the code of the nearest value each."""
    order = np.argsort(table)
    values = table[order]
    bounds = (values[1:] + values[:-1]) / 2
    return bytes(order.astype(np.uint8)[np.searchsorted(bounds, audio)].tobytes())
