"""The two networks as pyannote.audio knows them, of the sizes a bundle's recipe names."""

from __future__ import annotations

import os

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # its telemetry, read at import

from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet
from pyannote.audio.models.segmentation import PyanNet

from inference.diarization.recipe import Recipe


def segmentation_network(recipe: Recipe) -> PyanNet:
    """PyanNet: which voices speak when in a window, as powerset classes."""
    net = PyanNet(**recipe.segmentation)
    net.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=recipe.window_s,
        min_duration=None,
        warm_up=(0.0, 0.0),
        classes=[f"speaker#{i + 1}" for i in range(recipe.voices)],
        powerset_max_classes=recipe.together,
        permutation_invariant=True,
    )
    net.build()
    return net


class EmbeddingNetwork(BaseWeSpeakerResNet):
    """WeSpeaker's ResNet: who speaks.

    Args:
        mels: bands of the filter bank.
        step_ms: between its frames.
        blocks: residual blocks of the four stages; [3, 4, 6, 3] is a ResNet34.
        channels: of the first stage.
        dimension: of an embedding.
    """

    def __init__(
        self, mels: int, step_ms: float, blocks: list[int], channels: int, dimension: int
    ) -> None:
        super().__init__(num_mel_bins=mels, frame_shift=step_ms)
        self.resnet = ResNet(
            BasicBlock,
            blocks,
            m_channels=channels,
            feat_dim=mels,
            embed_dim=dimension,
            two_emb_layer=False,
        )


def embedding_network(recipe: Recipe) -> EmbeddingNetwork:
    return EmbeddingNetwork(recipe.mels, recipe.mel_step_ms, **recipe.embedding)
