"""Which numbers this machine multiplies fastest: bfloat16, or float32 where it has no such units.

A processor without them works bfloat16 out piece by piece, many times slower.
"""

from __future__ import annotations

import time

import torch

SIZES = (128, 512, 1024)  # of what is multiplied: rows of a small Whisper
ROUNDS = 3


def fastest_dtype(device: str) -> torch.dtype:
    """By trying both."""
    return min((torch.float32, torch.bfloat16), key=lambda dtype: _seconds(device, dtype))


def _seconds(device: str, dtype: torch.dtype) -> float:
    """Of one product, the best of some rounds; the first one sets things up."""
    rows, shared, columns = SIZES
    left = torch.ones(rows, shared, dtype=dtype, device=device)
    right = torch.ones(shared, columns, dtype=dtype, device=device)
    taken = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        float((left @ right)[0, 0])  # asking for a number waits for the device
        taken.append(time.perf_counter() - begun)
    return min(taken[1:])
