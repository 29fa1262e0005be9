"""Diarization without torch: the same networks as ONNX, the same steps in numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldi_native_fbank as knf
import numpy as np
import numpy.typing as npt

from inference.bundles import Manifest, verify
from inference.diarization.clustering import Clustering, Matrix
from inference.diarization.turns import Frames, Turn, merge, to_turns
from inference.diarization.windows import cut
from inference.tensors import SAMPLE_RATE_HZ, Audio

BATCH = 16  # windows in one run of a network
LEAST_FRAMES = 3  # a voice must be heard in to have an embedding


@dataclass(frozen=True, slots=True)
class Recipe:
    """config.json of a diarization bundle."""

    window_s: float
    hop_s: float
    frame_step_s: float
    frame_centre_s: float
    powerset: list[list[int]]  # voices of each class
    together: int  # voices that may speak at once
    mels: int
    threshold: float
    least_size: int


class OnnxDiarizer:
    """Loads a bundle; `diarize` knows nothing of what it heard before."""

    def __init__(self, bundle: Path, threads: int = 1) -> None:
        import onnxruntime as ort

        self.manifest: Manifest = verify(bundle)
        self.recipe = Recipe(**json.loads((bundle / "config.json").read_text(encoding="utf-8")))
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1

        def load(name: str) -> Any:
            path = str(bundle / name)
            return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        self._segmentation, self._embedding = load("segmentation.onnx"), load("embedding.onnx")
        voices = 1 + max(voice for voiced in self.recipe.powerset for voice in voiced)
        self._classes = np.zeros((len(self.recipe.powerset), voices), np.float32)
        for row, voiced in enumerate(self.recipe.powerset):
            self._classes[row, voiced] = 1.0

    def diarize(self, audio: Audio, *, least: int = 1, most: int = 20) -> list[Turn]:
        """Turns of `audio` (float32 [n], 16 kHz) of `least` to `most` speakers."""
        recipe = self.recipe
        windows = cut(audio, recipe.window_s, recipe.hop_s)
        active = self.segment(windows)
        if not active.any():
            return []
        embeddings = self.embed(windows, active)
        clustering = Clustering(recipe.threshold, recipe.least_size)
        speakers = clustering.assign(embeddings, active, least, most)
        frames = Frames(recipe.frame_step_s, recipe.frame_centre_s)
        chosen = merge(active, speakers, frames, recipe.hop_s, min(most, recipe.together))
        return to_turns(chosen, frames, len(audio) / SAMPLE_RATE_HZ)

    def segment(self, windows: Audio) -> npt.NDArray[np.float32]:
        """[windows, frames, voices], 0 or 1."""
        scores = np.concatenate(
            [
                self._segmentation.run(None, {"audio": windows[at : at + BATCH, None]})[0]
                for at in range(0, len(windows), BATCH)
            ]
        )
        heard: npt.NDArray[np.float32] = self._classes[scores.argmax(axis=-1)]
        return heard

    def embed(self, windows: Audio, active: npt.NDArray[np.float32]) -> Matrix:
        """[windows, voices, dimension]; NaN for voices that are not heard.

        Where voices overlap none is learnt from, unless a voice is never heard alone.
        """
        alone = active * (active.sum(axis=2, keepdims=True) < 2)
        enough = alone.sum(axis=1, keepdims=True) > LEAST_FRAMES
        weights = np.where(enough, alone, active).transpose(0, 2, 1)
        found = []
        for at in range(0, len(windows), BATCH):
            features = np.stack([self._features(window) for window in windows[at : at + BATCH]])
            given = {"features": features, "weights": weights[at : at + BATCH]}
            found.append(self._embedding.run(None, given)[0])
        embeddings = np.concatenate(found).astype(np.float64)
        embeddings[weights.sum(axis=2) == 0] = np.nan
        return embeddings

    def _features(self, audio: Audio) -> npt.NDArray[np.float32]:
        """[frames, mels]: Kaldi's filter bank, centred over the window."""
        options = knf.FbankOptions()
        options.frame_opts.dither = 0.0
        options.frame_opts.window_type = "hamming"
        options.frame_opts.samp_freq = SAMPLE_RATE_HZ
        options.mel_opts.num_bins = self.recipe.mels
        computer = knf.OnlineFbank(options)
        computer.accept_waveform(SAMPLE_RATE_HZ, (audio * 32768).tolist())
        computer.input_finished()
        rows = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
        frames = np.stack(rows).astype(np.float32)
        return np.asarray(frames - frames.mean(axis=0), np.float32)
