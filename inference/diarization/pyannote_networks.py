"""Diarization by pyannote.audio itself, from a bundle's safetensors: no hub, no pickles.

Its pipeline hears a whole file alone; here its networks hear windows of many calls together, and
its clustering and reconstruction then run on what was heard.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.core import SlidingWindow, SlidingWindowFeature
from safetensors.torch import load_file

from inference.diarization.model import Active, Embeddings
from inference.diarization.networks import embedding_network, segmentation_network
from inference.diarization.recipe import Recipe
from inference.tensors import Audio


class NoPlda(PLDA):
    """Agglomerative clustering asks for none, and pyannote would fetch one."""

    def __init__(self) -> None:
        pass


class VoiceOutput(SpeakerDiarization):
    """pyannote's pipeline over segmentations and embeddings that are there already."""

    frames: list[Any]  # of the running `apply`

    def get_segmentations(self, file: Any, hook: Any = None) -> Any:
        return file["segmentations"]

    def get_embeddings(self, file: Any, *_: Any, **__: Any) -> Any:
        return file["embeddings"]

    def to_annotation(self, discrete_diarization: Any, *_: Any, **__: Any) -> Any:
        """Keep the frames: turns are made in one place for both paths.

        Called twice: with all who speak, then with one at a time, which nobody here asks for.
        """
        self.frames.append(discrete_diarization.data)
        return super().to_annotation(discrete_diarization)


class PyannoteNetworks:
    """`Networks` on torch."""

    def __init__(self, bundle: Path, recipe: Recipe, device: str = "cpu") -> None:
        self.device = device
        self._recipe = recipe
        self._classes = recipe.classes()
        self._listener = segmentation_network(recipe)
        self._listener.load_state_dict(load_file(bundle / "segmentation.safetensors"))
        self._speaker = embedding_network(recipe)
        self._speaker.resnet.load_state_dict(load_file(bundle / "embedding.safetensors"))
        for network in (self._listener, self._speaker):
            network.eval().to(torch.device(device))
        self._pipeline = self._build()

    def _build(self) -> VoiceOutput:
        recipe = self._recipe
        pipeline = VoiceOutput(
            segmentation=self._listener,
            segmentation_step=recipe.hop_s / recipe.window_s,
            embedding=self._speaker,
            embedding_exclude_overlap=True,
            plda=NoPlda(),
            clustering="AgglomerativeClustering",
        )
        clustering = {
            "method": "centroid",
            "threshold": recipe.threshold,
            "min_cluster_size": recipe.least_size,
        }
        pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})
        return pipeline

    @torch.inference_mode()
    def segment(self, windows: Audio) -> Active:
        scores = self._listener(torch.from_numpy(windows)[:, None].to(self.device))
        active: Active = self._classes[scores.argmax(dim=-1).cpu().numpy()]
        return active

    @torch.inference_mode()
    def embed(self, windows: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        """One pass serves all voices of a window; pyannote's own loop makes one for each."""
        audio = torch.from_numpy(windows)[:, None].to(self.device)
        found = self._speaker(audio, weights=torch.from_numpy(weights).to(self.device))
        return np.asarray(found.cpu().numpy(), np.float32)

    def gather(
        self, active: Active, embeddings: Embeddings, least: int, most: int
    ) -> npt.NDArray[np.bool_]:
        window = SlidingWindow(duration=self._recipe.window_s, step=self._recipe.hop_s, start=0.0)
        heard = {
            "uri": "call",
            "segmentations": SlidingWindowFeature(active.astype(np.float32), window),
            "embeddings": embeddings.astype(np.float64),
        }
        self._pipeline.frames = []
        self._pipeline.apply(heard, min_speakers=least, max_speakers=most)
        return np.asarray(self._pipeline.frames[0] > 0)
