"""What of a window a voiceprint network is given: a voice's own frames, one after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.diarization.campplus import LEAST_FRAMES
from inference.diarization.fbank import LENGTH, bands
from inference.diarization.recipe import Recipe
from inference.tensors import SAMPLE_RATE_HZ, Audio

Features = npt.NDArray[np.float32]  # [1, frames, mels]


def own_features(
    window: Audio, weights: npt.NDArray[np.float32], recipe: Recipe
) -> list[Features | None]:
    """Of each voice [voices, frames of the segmentation]; None where it is not heard."""
    heard = bands(window, recipe.mels, recipe.mel_step_ms, recipe.mel_window)
    centres_s = np.arange(len(heard)) * recipe.mel_step_ms / 1000 + LENGTH / 2 / SAMPLE_RATE_HZ
    at = np.rint((centres_s - recipe.frame_centre_s) / recipe.frame_step_s).astype(int)
    own = weights[:, np.clip(at, 0, weights.shape[1] - 1)] > 0
    return [_features(heard[frames]) for frames in own]


def _features(heard: npt.NDArray[np.float32]) -> Features | None:
    if not len(heard):
        return None
    times = -(-LEAST_FRAMES // len(heard))
    own = np.tile(heard - heard.mean(axis=0), (times, 1))
    return own[None].astype(np.float32)
