"""PyanNet, pyannote's segmentation network, as an ONNX graph: SincNet, LSTMs, linear layers.

Source: Bredin and Laurent, "End-to-end speaker segmentation for overlap-aware resegmentation",
2021; names of weights are those of its published checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.tensors import SAMPLE_RATE_HZ
from provisioning.weights.onnx_graph import Graph

LOWEST_HZ, LEAST_BAND_HZ = 50, 50  # of a SincNet filter
POOLED = 3  # frames that become one, after each convolution
SLOPE = 0.01  # of a leaky rectifier below zero
EPSILON = 1e-5
DIRECTIONS = ("", "_reverse")
GATES = (0, 3, 1, 2)  # torch: input, forget, cell, output; ONNX: input, output, forget, cell

Weights = Mapping[str, NDArray[Any]]


def write_segmentation(weights: Weights, stride: int, path: Path) -> None:
    """audio [1, 1, samples] -> log probabilities [1, frames, classes]."""
    graph = Graph()
    x = _listened(graph, weights, stride, "audio")
    layers = sum(name.startswith("lstm.weight_ih") for name in weights) // 2
    for layer in range(layers):
        x = _remembered(graph, weights, layer, x)
    x = graph.node("Transpose", [x], perm=(1, 0, 2))
    for layer in sorted({name.split(".")[1] for name in weights if name.startswith("linear.")}):
        x = graph.node("LeakyRelu", [_linear(graph, weights, f"linear.{layer}", x)], alpha=SLOPE)
    x = graph.node("LogSoftmax", [_linear(graph, weights, "classifier", x)], axis=-1)
    classes = len(weights["classifier.bias"])
    graph.write(path, {"audio": (1, 1, "samples")}, x, (1, "frames", classes))


def _listened(graph: Graph, weights: Weights, stride: int, audio: str) -> str:
    """Three convolutions, each pooled and normed; frames first: [frames, 1, channels]."""
    x = _normed(graph, weights, "sincnet.wav_norm1d", audio)
    filters = graph.tensor("filters", sinc_filters(weights))
    x = graph.node("Abs", [graph.node("Conv", [x, filters], strides=(stride,))])
    for layer in range(3):
        if layer:
            x = graph.node("Conv", [x, *_learned(graph, weights, f"sincnet.conv1d.{layer}")])
        x = graph.node("MaxPool", [x], kernel_shape=(POOLED,), strides=(POOLED,))
        x = _normed(graph, weights, f"sincnet.norm1d.{layer}", x)
        x = graph.node("LeakyRelu", [x], alpha=SLOPE)
    return graph.node("Transpose", [x], perm=(2, 0, 1))


def _normed(graph: Graph, weights: Weights, name: str, x: str) -> str:
    inputs = [x, *_learned(graph, weights, name)]
    return graph.node("InstanceNormalization", inputs, epsilon=EPSILON)


def _learned(graph: Graph, weights: Weights, name: str) -> list[str]:
    names = (f"{name}.{part}" for part in ("weight", "bias"))
    return [graph.tensor(each, weights[each]) for each in names]


def sinc_filters(weights: Weights) -> NDArray[np.float32]:
    """[filters, 1, taps]: band passes as cosines, then as sines, between learned frequencies."""
    learned = {k: weights[f"sincnet.conv1d.0.filterbank.{k}"] for k in ("low_hz_", "band_hz_")}
    window, time = (weights[f"sincnet.conv1d.0.filterbank.{k}"] for k in ("window_", "n_"))
    low = LOWEST_HZ + np.abs(learned["low_hz_"])
    high = np.clip(low + LEAST_BAND_HZ + np.abs(learned["band_hz_"]), LOWEST_HZ, SAMPLE_RATE_HZ / 2)
    below, above = low @ time, high @ time
    cosine = (np.sin(above) - np.sin(below)) / (time / 2) * window
    sine = (np.cos(below) - np.cos(above)) / (time / 2) * window
    even = np.concatenate((cosine, 2 * (high - low), cosine[:, ::-1]), axis=1)
    odd = np.concatenate((sine, np.zeros_like(low), -sine[:, ::-1]), axis=1)
    made = np.concatenate((even, odd)) / (2 * np.concatenate((high - low, high - low)))
    return made[:, None].astype(np.float32)


def _remembered(graph: Graph, weights: Weights, layer: int, x: str) -> str:
    """One LSTM layer both ways: [frames, 1, in] -> [frames, 1, 2 hidden]."""
    hidden = weights[f"lstm.weight_hh_l{layer}"].shape[1]
    kinds = {
        kind: np.stack([_gates(weights[f"lstm.{kind}_l{layer}{way}"]) for way in DIRECTIONS])
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    bias = np.concatenate((kinds["bias_ih"], kinds["bias_hh"]), axis=1)
    parts = (kinds["weight_ih"], kinds["weight_hh"], bias)
    names = [graph.tensor(f"lstm{layer}.{i}", part) for i, part in enumerate(parts)]
    both = graph.node("LSTM", [x, *names], hidden_size=hidden, direction="bidirectional")
    turned = graph.node("Transpose", [both], perm=(0, 2, 1, 3))  # from [frames, ways, 1, hidden]
    return graph.node("Reshape", [turned, graph.whole(0, 1, 2 * hidden)])


def _gates(stacked: NDArray[Any]) -> NDArray[Any]:
    parts = np.split(stacked, 4)
    return np.concatenate([parts[gate] for gate in GATES])


def _linear(graph: Graph, weights: Weights, name: str, x: str) -> str:
    turned = graph.tensor(f"{name}.weight", weights[f"{name}.weight"].T)
    bias = graph.tensor(f"{name}.bias", weights[f"{name}.bias"])
    return graph.node("Add", [graph.node("MatMul", [x, turned]), bias])
