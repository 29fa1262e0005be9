"""Diarization without torch: the same networks as ONNX, the same clustering in scipy."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.diarization.clustering import ClusteringParameters
from inference.diarization.fbank import fbank
from inference.diarization.model import Active, Embeddings
from inference.diarization.recipe import Recipe
from inference.diarization.turns import Frames, merge
from inference.tensors import Audio


class OnnxNetworks:
    """`Networks` on onnxruntime: a window goes through alone, which its caches like best, and
    `threads` windows go side by side."""

    device = "cpu"

    def __init__(self, bundle: Path, recipe: Recipe, threads: int = 1) -> None:
        self._recipe = recipe
        self._classes = recipe.classes()
        self._segmentation = session(bundle / "segmentation.onnx")
        self._embedding = session(bundle / "embedding.onnx")
        self._threads = ThreadPoolExecutor(threads, "windows")

    def segment(self, windows: Audio) -> Active:
        scores = np.stack(list(self._threads.map(self._scores, windows)))
        active: Active = self._classes[scores.argmax(axis=-1)]
        return active

    def _scores(self, window: Audio) -> npt.NDArray[np.float32]:
        return self._segmentation(audio=window[None, None])

    def embed(self, windows: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        return np.stack(list(self._threads.map(self._embeddings, windows, weights)))

    def _embeddings(self, window: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        features = fbank(window, self._recipe.mels, self._recipe.mel_step_ms)[None]
        return self._embedding(features=features, weights=weights[None])

    def gather(
        self, active: Active, embeddings: Embeddings, least: int, most: int
    ) -> npt.NDArray[np.bool_]:
        recipe = self._recipe
        clustering = ClusteringParameters(recipe.threshold, recipe.least_size)
        speaking = active.astype(np.float32)
        speakers = clustering.assign(embeddings.astype(np.float64), speaking, least, most)
        frames = Frames(recipe.frame_step_s, recipe.frame_centre_s)
        return merge(speaking, speakers, frames, recipe.hop_s, min(most, recipe.together))


def session(path: Path) -> Callable[..., npt.NDArray[np.float32]]:
    """The network in the file, on one thread: its only output for a batch of one, named inputs."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    network = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda **inputs: np.asarray(network.run(None, inputs)[0][0], np.float32)
