"""Diarization by pyannote.audio's networks, from a bundle's safetensors: no hub, no pickles.

pyannote's pipeline hears a whole file alone; here its networks hear windows of many calls together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from inference.diarization.campplus import DIMENSION, voiceprint
from inference.diarization.model import Embeddings
from inference.diarization.networks import embedding_network, segmentation_network
from inference.diarization.recipe import Recipe
from inference.diarization.runs import Active
from inference.diarization.torch_operations import TorchOperations
from inference.diarization.voiceprints import own_features
from inference.tensors import Audio


class PyannoteNetworks:
    """`Networks` on torch."""

    def __init__(self, bundle: Path, recipe: Recipe, device: str = "cpu") -> None:
        self.device = device
        self._recipe = recipe
        self._classes = recipe.classes()
        self._listener = segmentation_network(recipe)
        self._listener.load_state_dict(load_file(bundle / "segmentation.safetensors"))
        self._listener.eval().to(torch.device(device))
        weights = load_file(bundle / "embedding.safetensors", device)
        if recipe.embedding:
            self._speaker = embedding_network(recipe)
            self._speaker.resnet.load_state_dict(weights)
            self._speaker.eval().to(torch.device(device))
            self.embed = self._pooled
        else:
            self._operations = TorchOperations(weights)
            self.embed = self._cropped

    @torch.inference_mode()
    def segment(self, windows: Audio) -> Active:
        scores = self._listener(torch.from_numpy(windows)[:, None].to(self.device))
        active: Active = self._classes[scores.argmax(dim=-1).cpu().numpy()]
        return active

    @torch.inference_mode()
    def _pooled(self, windows: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        """One pass serves all voices of a window; pyannote's own loop makes one for each."""
        audio = torch.from_numpy(windows)[:, None].to(self.device)
        found = self._speaker(audio, weights=torch.from_numpy(weights).to(self.device))
        return np.asarray(found.cpu().numpy(), np.float32)

    @torch.inference_mode()
    def _cropped(self, windows: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        """By CAM++, whose every layer looks at all it is given: only a voice's own frames."""
        return np.stack([self._prints(*each) for each in zip(windows, weights, strict=True)])

    def _prints(self, window: Audio, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        prints = np.full((len(weights), DIMENSION), np.nan, np.float32)
        for row, own in zip(prints, own_features(window, weights, self._recipe), strict=True):
            if own is not None:
                features = torch.from_numpy(own).to(self.device)
                row[:] = voiceprint(self._operations, features).cpu().numpy().ravel()
        return prints
