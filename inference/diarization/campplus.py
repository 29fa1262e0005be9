"""CAM++ of 3D-Speaker, a voiceprint network, told once for whatever computes it.

Source: Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking", 2023; names of weights are those of its published checkpoint. Torch runs it
on a GPU (torch_operations.py); as an ONNX graph, built where weights are fetched, it runs on a CPU.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

MELS, DIMENSION = 80, 192
LEAST_FRAMES = 32  # of 10 ms; a shorter voice is heard again and again up to that length
CONTEXT_FRAMES = 100  # of 20 ms that share a mask
RESIDUALS = (("head.layer1.0", 2), ("head.layer1.1", 1), ("head.layer2.0", 2), ("head.layer2.1", 1))
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of each dense block

T = TypeVar("T")


class Operations(Protocol[T]):
    """What the network is made of; `name` is that of the weights."""

    def image(self, features: T) -> T:
        """[b, frames, mels] -> [b, 1, mels, frames]."""

    def flat(self, image: T) -> T:
        """[b, channels, bands, frames] -> [b, channels * bands, frames]."""

    def convolved(
        self, x: T, name: str, *, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> T:
        """Over time, or over bands and time; then only bands are strided."""

    def normed(self, x: T, name: str) -> T:
        """By the running mean and variance that were learned."""

    def positive(self, x: T) -> T:
        """The larger of x and 0."""

    def gate(self, x: T) -> T:
        """The logistic function."""

    def added(self, x: T, y: T) -> T: ...

    def multiplied(self, x: T, y: T) -> T: ...

    def joined(self, x: T, y: T) -> T:
        """Channels of both."""

    def mean(self, x: T) -> T:
        """Over all frames: [b, channels, 1]."""

    def stretches(self, x: T, frames: int) -> T:
        """Each frame becomes the mean of its stretch of so many."""

    def statistics(self, x: T) -> T:
        """Means and standard deviations over time: [b, 2 channels, 1]."""

    def has(self, name: str) -> bool:
        """Whether there are weights of that name."""


def voiceprint(ops: Operations[T], features: T) -> T:
    """Kaldi features [b, frames, 80], their mean over time taken off -> [b, 192, 1]."""
    image = _activated(ops, ops.convolved(ops.image(features), "head.conv1", padding=1), "head.bn1")
    for name, stride in RESIDUALS:
        image = _residual(ops, image, name, stride)
    image = ops.convolved(image, "head.conv2", stride=2, padding=1)
    x = ops.flat(_activated(ops, image, "head.bn2"))
    x = ops.convolved(x, "xvector.tdnn.linear", stride=2, padding=2)
    x = _activated(ops, x, "xvector.tdnn.nonlinear.batchnorm")
    for number, (layers, dilation) in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            x = ops.joined(x, _masked(ops, x, f"xvector.block{number}.tdnnd{layer}", dilation))
        x = _activated(ops, x, f"xvector.transit{number}.nonlinear.batchnorm")
        x = ops.convolved(x, f"xvector.transit{number}.linear")
    x = ops.statistics(_activated(ops, x, "xvector.out_nonlinear.batchnorm"))
    return ops.normed(ops.convolved(x, "xvector.dense.linear"), "xvector.dense.nonlinear.batchnorm")


def _activated(ops: Operations[T], x: T, norm: str) -> T:
    return ops.positive(ops.normed(x, norm))


def _residual(ops: Operations[T], x: T, name: str, stride: int) -> T:
    out = ops.convolved(x, f"{name}.conv1", stride=stride, padding=1)
    out = ops.convolved(_activated(ops, out, f"{name}.bn1"), f"{name}.conv2", padding=1)
    out = ops.normed(out, f"{name}.bn2")
    if ops.has(f"{name}.shortcut.0"):
        x = ops.convolved(x, f"{name}.shortcut.0", stride=stride)
        x = ops.normed(x, f"{name}.shortcut.1")
    return ops.positive(ops.added(out, x))


def _masked(ops: Operations[T], x: T, name: str, dilation: int) -> T:
    """A dense layer whose output is weighed by what the voice is like around it."""
    x = _activated(ops, x, f"{name}.nonlinear1.batchnorm")
    x = _activated(ops, ops.convolved(x, f"{name}.linear1"), f"{name}.nonlinear2.batchnorm")
    cam = f"{name}.cam_layer"
    local = ops.convolved(x, f"{cam}.linear_local", padding=dilation, dilation=dilation)
    context = ops.added(ops.mean(x), ops.stretches(x, CONTEXT_FRAMES))
    context = ops.positive(ops.convolved(context, f"{cam}.linear1"))
    return ops.multiplied(local, ops.gate(ops.convolved(context, f"{cam}.linear2")))
