"""campplus.py as an ONNX graph, for the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.diarization.campplus import DIMENSION, MELS, Operations, voiceprint
from provisioning.weights.onnx_graph import FLOAT, Graph

FLAT = 32 * MELS // 8  # channels and bands of what the head makes
EPSILON = 1e-5  # of batch normalisation, as in torch
UNBIASED = np.array(1, np.float32)


def write_voiceprint(weights: Mapping[str, NDArray[Any]], path: Path) -> None:
    """features [1, frames, 80] -> voiceprint [1, 192, 1], as a file that onnxruntime loads."""
    graph = Graph()
    result = voiceprint(OnnxOperations(graph, weights), "features")
    graph.write(path, {"features": (1, "frames", MELS)}, result, (1, DIMENSION, 1))


class OnnxOperations(Operations[str]):
    """Values are names of edges in the graph that grows."""

    def __init__(self, graph: Graph, weights: Mapping[str, NDArray[Any]]) -> None:
        self._weights = weights
        self._node, self._tensor, self._whole = graph.node, graph.tensor, graph.whole

    def has(self, name: str) -> bool:
        return f"{name}.weight" in self._weights

    def image(self, features: str) -> str:
        turned = self._node("Transpose", [features], perm=(0, 2, 1))
        return self._node("Unsqueeze", [turned, self._whole(1)])

    def flat(self, image: str) -> str:
        return self._node("Reshape", [image, self._whole(1, FLAT, -1)])

    def convolved(
        self, x: str, name: str, *, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> str:
        ways = self._weights[f"{name}.weight"].ndim - 2
        inputs = [x, self._weight(f"{name}.weight")]
        inputs += [self._weight(f"{name}.bias")] if f"{name}.bias" in self._weights else []
        strides = (stride, 1) if ways == 2 else (stride,)
        pads, dilations = (padding,) * 2 * ways, (dilation,) * ways
        return self._node("Conv", inputs, strides=strides, pads=pads, dilations=dilations)

    def normed(self, x: str, name: str) -> str:
        mean = self._weights[f"{name}.running_mean"]
        learned = {"weight": np.ones_like(mean), "bias": np.zeros_like(mean)}
        for each, neutral in learned.items():
            learned[each] = self._weights.get(f"{name}.{each}", neutral)
        parts = [self._tensor(f"{name}.{each}", value) for each, value in learned.items()]
        parts += [self._weight(f"{name}.running_{each}") for each in ("mean", "var")]
        return self._node("BatchNormalization", [x, *parts], epsilon=EPSILON)

    def positive(self, x: str) -> str:
        return self._node("Relu", [x])

    def gate(self, x: str) -> str:
        return self._node("Sigmoid", [x])

    def added(self, x: str, y: str) -> str:
        return self._node("Add", [x, y])

    def multiplied(self, x: str, y: str) -> str:
        return self._node("Mul", [x, y])

    def joined(self, x: str, y: str) -> str:
        return self._node("Concat", [x, y], axis=1)

    def mean(self, x: str) -> str:
        return self._node("ReduceMean", [x], axes=[-1], keepdims=1)

    def stretches(self, x: str, frames: int) -> str:
        means = self._node(
            "AveragePool", [x], kernel_shape=(frames,), strides=(frames,), ceil_mode=1
        )
        apart = self._node("Unsqueeze", [means, self._whole(-1)])
        spread = self._node("Expand", [apart, self._whole(1, 1, 1, frames)])
        along = self._node("Reshape", [spread, self._whole(0, 0, -1)])
        length = self._node("Gather", [self._node("Shape", [x]), self._whole(2)])
        return self._node("Slice", [along, self._whole(0), length, self._whole(2)])

    def statistics(self, x: str) -> str:
        mean = self.mean(x)
        square = self._node("Mul", [off := self._node("Sub", [x, mean]), off])
        total = self._node("ReduceSum", [square, self._whole(-1)], keepdims=1)
        length = self._node("Gather", [self._node("Shape", [x]), self._whole(2)])
        count = self._node("Cast", [length], to=FLOAT)
        others = self._node("Sub", [count, self._tensor("unbiased", UNBIASED)])
        spread = self._node("Sqrt", [self._node("Div", [total, others])])
        return self.joined(mean, spread)

    def _weight(self, name: str) -> str:
        return self._tensor(name, self._weights[name])
