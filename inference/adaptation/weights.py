"""A bundle's weights as training takes them: in floating point, whatever the bundle holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.asr import ct2

SCALE = "_scale"  # of int8 weights, beside them
TIED = {"decoder/projection/weight": "decoder/embeddings/weight"}  # kept once, scale and all


def float_weights(folder: Path) -> ct2.Tensors:
    """A bundle's weights as float16 or float32, whatever it holds; raises NotAModel, OSError."""
    return floated(ct2.read((folder / "model.bin").read_bytes()))


def floated(tensors: Mapping[str, NDArray[Any]]) -> ct2.Tensors:
    """int8 weights as they are meant: each row divided by its scale."""
    made: ct2.Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE):
            continue
        scale = tensors.get(f"{name}{SCALE}", tensors.get(f"{TIED.get(name)}{SCALE}"))
        if scale is None or tensor.dtype != np.int8:
            made[name] = tensor
            continue
        rows = scale.astype(np.float32).reshape(-1, *[1] * (tensor.ndim - 1))
        made[name] = (tensor.astype(np.float32) / rows).astype(np.float16)
    return made
