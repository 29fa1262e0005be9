"""Diarization without torch: the same networks as ONNX, the same clustering in scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kaldi_native_fbank as knf
import numpy as np
import numpy.typing as npt

from inference.diarization.clustering import Clustering
from inference.diarization.model import Active, Embeddings
from inference.diarization.recipe import Recipe
from inference.diarization.turns import Frames, merge
from inference.tensors import SAMPLE_RATE_HZ, Audio


class OnnxNetworks:
    """`Networks` on onnxruntime."""

    device = "cpu"

    def __init__(self, bundle: Path, recipe: Recipe, threads: int = 1) -> None:
        import onnxruntime as ort

        self._recipe = recipe
        self._classes = recipe.classes()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1

        def load(name: str) -> Any:
            path = str(bundle / name)
            return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        self._segmentation, self._embedding = load("segmentation.onnx"), load("embedding.onnx")

    def segment(self, windows: Audio) -> Active:
        scores = self._segmentation.run(None, {"audio": windows[:, None]})[0]
        active: Active = self._classes[scores.argmax(axis=-1)]
        return active

    def embed(self, windows: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        features = np.stack([self._features(window) for window in windows])
        found = self._embedding.run(None, {"features": features, "weights": weights})[0]
        return np.asarray(found, np.float32)

    def gather(
        self, active: Active, embeddings: Embeddings, least: int, most: int
    ) -> npt.NDArray[np.bool_]:
        recipe = self._recipe
        clustering = Clustering(recipe.threshold, recipe.least_size)
        speaking = active.astype(np.float32)
        speakers = clustering.assign(embeddings.astype(np.float64), speaking, least, most)
        frames = Frames(recipe.frame_step_s, recipe.frame_centre_s)
        return merge(speaking, speakers, frames, recipe.hop_s, min(most, recipe.together))

    def _features(self, audio: Audio) -> npt.NDArray[np.float32]:
        """[frames, mels]: Kaldi's filter bank, centred over the window."""
        options = knf.FbankOptions()
        options.frame_opts.dither = 0.0
        options.frame_opts.window_type = "hamming"
        options.frame_opts.samp_freq = SAMPLE_RATE_HZ
        options.mel_opts.num_bins = self._recipe.mels
        computer = knf.OnlineFbank(options)
        computer.accept_waveform(SAMPLE_RATE_HZ, (audio * 32768).tolist())
        computer.input_finished()
        rows = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
        frames = np.stack(rows).astype(np.float32)
        return np.asarray(frames - frames.mean(axis=0), np.float32)
