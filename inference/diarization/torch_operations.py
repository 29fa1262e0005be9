"""campplus.py in torch, on any device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from inference.diarization.campplus import Operations


class TorchOperations(Operations[Tensor]):
    """Over weights by name, on one device."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights

    def has(self, name: str) -> bool:
        return f"{name}.weight" in self._weights

    def image(self, features: Tensor) -> Tensor:
        return features.transpose(1, 2)[:, None]

    def flat(self, image: Tensor) -> Tensor:
        return image.flatten(1, 2)

    def convolved(
        self, x: Tensor, name: str, *, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias")
        if weight.ndim == 4:
            return functional.conv2d(x, weight, bias, (stride, 1), padding, dilation)
        return functional.conv1d(x, weight, bias, stride, padding, dilation)

    def normed(self, x: Tensor, name: str) -> Tensor:
        learned = (self._weights.get(f"{name}.{each}") for each in ("weight", "bias"))
        seen = (self._weights[f"{name}.running_{each}"] for each in ("mean", "var"))
        return functional.batch_norm(x, *seen, *learned)

    def positive(self, x: Tensor) -> Tensor:
        return functional.relu(x)

    def gate(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def multiplied(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    def joined(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat((x, y), dim=1)

    def mean(self, x: Tensor) -> Tensor:
        return x.mean(dim=-1, keepdim=True)

    def stretches(self, x: Tensor, frames: int) -> Tensor:
        means = functional.avg_pool1d(x, frames, frames, ceil_mode=True)
        return means.repeat_interleave(frames, dim=-1)[..., : x.shape[-1]]

    def statistics(self, x: Tensor) -> Tensor:
        return torch.cat((x.mean(dim=-1), x.std(dim=-1)), dim=1)[..., None]
