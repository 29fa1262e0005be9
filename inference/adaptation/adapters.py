"""What adaptation learns: low-rank adapters, kept by themselves and merged into the weights.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021. A file of adapters is
some megabytes, says on which weights it stands, and is all that has to be carried to another box.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

FORMAT = "lingting-adapters 1"
DOWN, UP = ".down", ".up"

Tensors = dict[str, NDArray[Any]]


class AdaptersUnusable(ValueError):
    """The file is damaged, or stands on other weights; the message says which."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """`down` [rank, in] and `up` [out, rank] of each projection, by its name in CTranslate2."""

    base: str  # content_sha256 of the weights they were trained on: see ct2.py
    scale: float
    tensors: Tensors

    @property
    def names(self) -> list[str]:
        """Of the projections that are changed."""
        return sorted(name.removesuffix(UP) for name in self.tensors if name.endswith(UP))

    def merged(self, weights: Mapping[str, NDArray[Any]]) -> Tensors:
        """The weights with what was learned added in; raises AdaptersUnusable."""
        changed = dict(weights)
        for name in self.names:
            up, down = (self.tensors[f"{name}{end}"].astype(np.float32) for end in (UP, DOWN))
            before = weights.get(f"{name}/weight")
            if before is None or before.shape != (up.shape[0], down.shape[1]):
                raise AdaptersUnusable(f"the weights have no {name} of the shape that is adapted")
            learned = before.astype(np.float32) + self.scale * (up @ down)
            changed[f"{name}/weight"] = learned.astype(before.dtype)
        return changed

    def save(self, path: Path) -> None:
        """As float16, in safetensors."""
        half = {name: tensor.astype(np.float16) for name, tensor in self.tensors.items()}
        about = {"format": FORMAT, "base": self.base, "scale": json.dumps(self.scale)}
        save_file(half, path, about)
        path.chmod(0o644)  # which safetensors writes for its owner alone


def load(path: Path) -> Adapters:
    """Raises AdaptersUnusable, naming the file."""
    try:
        with safe_open(path, "numpy") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
        if about.get("format") != FORMAT:
            raise AdaptersUnusable(f"{path} holds no adapters of this release")
        adapters = Adapters(about["base"], float(json.loads(about["scale"])), tensors)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, AdaptersUnusable):
            raise
        raise AdaptersUnusable(f"{path} cannot be read: {error}") from error
    unpaired = {name for name in tensors if not name.endswith((UP, DOWN))}
    for name in adapters.names:
        unpaired |= {f"{name}{DOWN}"} - tensors.keys()
    if unpaired:
        raise AdaptersUnusable(f"{path}: {min(unpaired)} is without its other half")
    return adapters
