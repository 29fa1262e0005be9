"""Diarization without torch: the same networks as ONNX."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.diarization.fbank import fbank
from inference.diarization.model import Embeddings
from inference.diarization.recipe import Recipe
from inference.diarization.runs import Active
from inference.diarization.voiceprints import own_features
from inference.tensors import Audio

Weights = npt.NDArray[np.float32]  # of one window: [voices, frames]


class OnnxNetworks:
    """`Networks` on onnxruntime: a window goes through alone, which its caches like best, and
    `threads` windows go side by side."""

    device = "cpu"

    def __init__(self, bundle: Path, recipe: Recipe, threads: int = 1) -> None:
        self._recipe = recipe
        self._classes = recipe.classes()
        segmentation, embedding = (
            _session(bundle / f"{name}.onnx") for name in ("segmentation", "embedding")
        )
        self._segmentation, self._embedding = _caller(segmentation), _caller(embedding)
        pools = any(given.name == "weights" for given in embedding.get_inputs())
        self._voices = self._pooled if pools else self._cropped
        self._dimension = embedding.get_outputs()[0].shape[1]
        self._threads = ThreadPoolExecutor(threads, "windows")

    def segment(self, windows: Audio) -> Active:
        scores = np.stack(list(self._threads.map(self._scores, windows)))
        active: Active = self._classes[scores.argmax(axis=-1)]
        return active

    def _scores(self, window: Audio) -> npt.NDArray[np.float32]:
        return self._segmentation(window[None, None])

    def embed(self, windows: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        return np.stack(list(self._threads.map(self._voices, windows, weights)))

    def _pooled(self, window: Audio, weights: Weights) -> npt.NDArray[np.float32]:
        """By a network that takes the mean over the frames it is told of."""
        features = fbank(window, self._recipe.mels, self._recipe.mel_step_ms)[None]
        together = self._recipe.voices  # what the graph takes at once
        filled = np.pad(weights, ((0, -len(weights) % together), (0, 0)), constant_values=1)
        groups = filled.reshape(-1, 1, together, weights.shape[1])
        prints = np.concatenate([self._embedding(features, group) for group in groups])
        return prints[: len(weights)]

    def _cropped(self, window: Audio, weights: Weights) -> npt.NDArray[np.float32]:
        """By a network whose every layer looks at all it is given: only a voice's own frames."""
        prints = np.full((len(weights), self._dimension), np.nan, np.float32)
        for row, own in zip(prints, own_features(window, weights, self._recipe), strict=True):
            if own is not None:
                row[:] = np.ravel(self._embedding(own))
        return prints


def _session(path: Path) -> Any:
    """The network in the file, on one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _caller(session: Any) -> Callable[..., npt.NDArray[np.float32]]:
    """Its only output for a batch of one, from its inputs in order."""
    names = [given.name for given in session.get_inputs()]

    def call(*inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        found = session.run(None, dict(zip(names, inputs, strict=True)))
        return np.asarray(found[0][0], np.float32)

    return call
