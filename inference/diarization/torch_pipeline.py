"""Diarization by pyannote.audio itself, from a bundle's safetensors: no hub, no pickles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from safetensors.torch import load_file

from inference.bundles import Manifest, verify
from inference.diarization.networks import EmbeddingNetwork, segmentation_network
from inference.diarization.turns import Turn
from inference.tensors import SAMPLE_RATE_HZ, Audio

BATCH = 16


class NoPlda(PLDA):
    """Agglomerative clustering asks for none, and pyannote would fetch one."""

    def __init__(self) -> None:
        pass


class TorchDiarizer:
    """Loads a bundle; `diarize` knows nothing of what it heard before."""

    def __init__(self, bundle: Path, device: str = "cpu") -> None:
        self.manifest: Manifest = verify(bundle)
        recipe = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
        listener, speaker = segmentation_network(), EmbeddingNetwork()
        listener.load_state_dict(load_file(bundle / "segmentation.safetensors"))
        speaker.resnet.load_state_dict(load_file(bundle / "embedding.safetensors"))
        self._pipeline: Any = SpeakerDiarization(
            segmentation=listener.eval(),
            segmentation_step=recipe["hop_s"] / recipe["window_s"],
            embedding=speaker.eval(),
            embedding_exclude_overlap=True,
            plda=NoPlda(),
            clustering="AgglomerativeClustering",
            embedding_batch_size=BATCH,
            segmentation_batch_size=BATCH,
        )
        self._pipeline.instantiate(
            {
                "segmentation": {"min_duration_off": 0.0},
                "clustering": {
                    "method": "centroid",
                    "threshold": recipe["threshold"],
                    "min_cluster_size": recipe["least_size"],
                },
            }
        )
        self._pipeline.to(torch.device(device))

    def diarize(self, audio: Audio, *, least: int = 1, most: int = 20) -> list[Turn]:
        """Turns of `audio` (float32 [n], 16 kHz) of `least` to `most` speakers."""
        heard = {"waveform": torch.from_numpy(audio)[None], "sample_rate": SAMPLE_RATE_HZ}
        found = self._pipeline(heard, min_speakers=least, max_speakers=most)
        tracks = found.speaker_diarization.itertracks(yield_label=True)
        spoken = sorted((segment.start, segment.end, label) for segment, _, label in tracks)
        order: dict[str, int] = {}
        for _, _, label in spoken:
            order.setdefault(label, len(order))
        return [Turn(start, end, order[label]) for start, end, label in spoken]
