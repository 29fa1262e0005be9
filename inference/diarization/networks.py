"""The two networks as pyannote.audio knows them; built here, filled with weights elsewhere.

Real bundles bring pyannote's PyanNet and a WeSpeaker ResNet of their own sizes; the sizes below are
the demo bundle's.
"""

from __future__ import annotations

import os

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # its telemetry, read at import

from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet
from pyannote.audio.models.segmentation import PyanNet

WINDOW_S = 10.0
VOICES, TOGETHER = 3, 2  # in one window; speaking at once
MELS, DIMENSION = 80, 128


def segmentation_network() -> PyanNet:
    """Which of VOICES speak when in WINDOW_S: 220,000 parameters, powerset classes."""
    net = PyanNet(
        lstm={"hidden_size": 64, "num_layers": 2, "bidirectional": True},
        linear={"hidden_size": 64, "num_layers": 1},
    )
    net.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=WINDOW_S,
        min_duration=None,
        warm_up=(0.0, 0.0),
        classes=[f"speaker#{i + 1}" for i in range(VOICES)],
        powerset_max_classes=TOGETHER,
        permutation_invariant=True,
    )
    net.build()
    return net


class EmbeddingNetwork(BaseWeSpeakerResNet):
    """Who speaks: a ResNet of a quarter of the usual width, 340,000 parameters."""

    def __init__(self) -> None:
        super().__init__(num_mel_bins=MELS)
        self.resnet = ResNet(
            BasicBlock,
            [2, 2, 2, 2],
            m_channels=8,
            feat_dim=MELS,
            embed_dim=DIMENSION,
            two_emb_layer=False,
        )
