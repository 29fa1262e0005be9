"""Whisper in torch, over the tensors of a CTranslate2 model: what is trained is what is served.

Names, fused projections and layer order are CTranslate2's, so nothing is renamed on the way in or
out. Windows may be of any length up to the position table; stock implementations insist on 30 s.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Tensors = Mapping[str, NDArray[Any]]


class Linear(nn.Module):
    """A frozen projection and, once `adapt` was called, what is learned beside it."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.name = name
        self.weight = nn.Buffer(_tensor(tensors[f"{name}/weight"]))
        bias = tensors.get(f"{name}/bias")
        self.bias = None if bias is None else nn.Buffer(_tensor(bias))
        self.down: nn.Parameter | None = None  # [rank, in]
        self.up: nn.Parameter | None = None  # [out, rank]
        self.scale, self.dropout = 0.0, 0.0

    def adapt(self, rank: int, scale: float, dropout: float = 0.0) -> None:
        """Add an adapter that changes nothing yet."""
        out, into = self.weight.shape
        self.down = nn.Parameter(torch.empty(rank, into))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)
        self.up = nn.Parameter(torch.zeros(out, rank))
        self.scale, self.dropout = scale, dropout

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = functional.linear(inputs, self.weight, self.bias)
        if self.down is None or self.up is None or not self.scale:
            return outputs
        given = functional.dropout(inputs, self.dropout, self.training)
        learned = functional.linear(functional.linear(given, self.down), self.up)
        return outputs + self.scale * learned


class Norm(nn.Module):
    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.gamma = nn.Buffer(_tensor(tensors[f"{name}/gamma"]))
        self.beta = nn.Buffer(_tensor(tensors[f"{name}/beta"]))

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs, self.gamma.shape, self.gamma, self.beta)


class SelfAttention(nn.Module):
    def __init__(self, tensors: Tensors, name: str, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.norm = Norm(tensors, f"{name}/layer_norm")
        self.project = Linear(tensors, f"{name}/linear_0")  # queries, keys, values
        self.out = Linear(tensors, f"{name}/linear_1")
        self._heads, self._causal = heads, causal

    def forward(self, states: Tensor) -> Tensor:
        parts = self.project(self.norm(states)).chunk(3, dim=-1)
        queries, keys, values = (_split(part, self._heads) for part in parts)
        mixed = functional.scaled_dot_product_attention(
            queries, keys, values, is_causal=self._causal
        )
        return states + cast(Tensor, self.out(_join(mixed)))


class CrossAttention(nn.Module):
    def __init__(self, tensors: Tensors, name: str, heads: int) -> None:
        super().__init__()
        self.norm = Norm(tensors, f"{name}/layer_norm")
        self.query = Linear(tensors, f"{name}/linear_0")
        self.project = Linear(tensors, f"{name}/linear_1")  # keys, values
        self.out = Linear(tensors, f"{name}/linear_2")
        self._heads = heads

    def forward(self, states: Tensor, heard: Tensor) -> Tensor:
        queries = _split(self.query(self.norm(states)), self._heads)
        keys, values = (_split(part, self._heads) for part in self.project(heard).chunk(2, dim=-1))
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        return states + cast(Tensor, self.out(_join(mixed)))


class FeedForward(nn.Module):
    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.norm = Norm(tensors, f"{name}/layer_norm")
        self.widen = Linear(tensors, f"{name}/linear_0")
        self.narrow = Linear(tensors, f"{name}/linear_1")

    def forward(self, states: Tensor) -> Tensor:
        wide = functional.gelu(self.widen(self.norm(states)))
        return states + cast(Tensor, self.narrow(wide))


class TrainedEncoder(nn.Module):
    """[b, mels, frames] -> [b, frames / 2, width]."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        heads = int(tensors["encoder/num_heads"])
        self.first = nn.ParameterList(_conv(tensors, "encoder/conv1"))
        self.second = nn.ParameterList(_conv(tensors, "encoder/conv2"))
        self.positions = nn.Buffer(_tensor(tensors["encoder/position_encodings/encodings"]))
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (
                    SelfAttention(tensors, f"{name}/self_attention", heads, causal=False),
                    FeedForward(tensors, f"{name}/ffn"),
                )
            )
            for name in _layers(tensors, "encoder")
        )
        self.norm = Norm(tensors, "encoder/layer_norm")

    def forward(self, mel: Tensor) -> Tensor:
        states = functional.gelu(functional.conv1d(mel, *self.first, padding=1))
        states = functional.gelu(functional.conv1d(states, *self.second, stride=2, padding=1))
        states = states.transpose(1, 2)
        states = states + self.positions[: states.shape[1]]
        for attention, feed in cast("list[nn.ModuleList]", self.layers):
            states = feed(attention(states))
        return cast(Tensor, self.norm(states))


class TrainedDecoder(nn.Module):
    """Tokens [b, n] and what the encoder heard -> states [b, n, width]."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        heads = int(tensors["decoder/num_heads"])
        self.embeddings = nn.Buffer(_tensor(tensors["decoder/embeddings/weight"]))
        self.positions = nn.Buffer(_tensor(tensors["decoder/position_encodings/encodings"]))
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (
                    SelfAttention(tensors, f"{name}/self_attention", heads, causal=True),
                    CrossAttention(tensors, f"{name}/attention", heads),
                    FeedForward(tensors, f"{name}/ffn"),
                )
            )
            for name in _layers(tensors, "decoder")
        )
        self.norm = Norm(tensors, "decoder/layer_norm")

    def forward(self, tokens: Tensor, heard: Tensor) -> Tensor:
        states = functional.embedding(tokens, self.embeddings) + self.positions[: tokens.shape[1]]
        for attention, cross, feed in cast("list[nn.ModuleList]", self.layers):
            states = feed(cross(attention(states), heard))
        return cast(Tensor, self.norm(states))


class WhisperNetwork(nn.Module):
    """The whole model, frozen but for its adapters."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        self.encoder = TrainedEncoder(tensors)
        self.decoder = TrainedDecoder(tensors)
        self.vocabulary = nn.Buffer(_tensor(tensors["decoder/projection/weight"]))
        self.requires_grad_(False)

    def adapt(self, rank: int, scale: float, part: str = "", dropout: float = 0.0) -> None:
        """Give every projection whose name begins so an adapter; it changes nothing untrained."""
        for linear in self.linears():
            if linear.name.startswith(part):
                linear.adapt(rank, scale, dropout)

    @contextlib.contextmanager
    def unadapted(self) -> Iterator[None]:
        """As it was before anything was learned."""
        linears = [linear for linear in self.linears() if linear.down is not None]
        scales = [linear.scale for linear in linears]
        for linear in linears:
            linear.scale = 0.0
        try:
            yield
        finally:
            for linear, scale in zip(linears, scales, strict=True):
                linear.scale = scale

    def linears(self) -> list[Linear]:
        return [module for module in self.modules() if isinstance(module, Linear)]

    def forward(self, mel: Tensor, tokens: Tensor) -> Tensor:
        """[b, mels, frames], [b, n] -> scores of each next token [b, n, vocabulary]."""
        states = self.decoder(tokens, self.encoder(mel))
        return functional.linear(states, self.vocabulary)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))


def _conv(tensors: Tensors, name: str) -> tuple[Tensor, Tensor]:
    return _tensor(tensors[f"{name}/weight"]), _tensor(tensors[f"{name}/bias"])


def _layers(tensors: Tensors, side: str) -> list[str]:
    found = {m[0] for name in tensors if (m := re.match(rf"{side}/layer_\d+", name))}
    return sorted(found, key=lambda name: int(name.rpartition("_")[2]))


def _split(states: Tensor, heads: int) -> Tensor:
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def _join(states: Tensor) -> Tensor:
    return states.transpose(1, 2).flatten(2)
