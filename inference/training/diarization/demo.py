"""The shape of the demo bundle: networks small enough to train on two cores."""

from __future__ import annotations

from itertools import combinations

from inference.diarization.recipe import Recipe

WINDOW_S = 10.0
HOP_S = 4.0  # between windows: each moment is heard two or three times
VOICES, TOGETHER = 3, 2  # in one window; speaking at once
MELS, MEL_STEP_MS, DIMENSION = 80, 20.0, 128

RECIPE = Recipe(
    window_s=WINDOW_S,
    hop_s=HOP_S,
    frame_step_s=270 / 16_000,  # of PyanNet's filters
    frame_centre_s=991 / 2 / 16_000,
    powerset=[list(g) for n in range(TOGETHER + 1) for g in combinations(range(VOICES), n)],
    together=TOGETHER,
    mels=MELS,
    mel_step_ms=MEL_STEP_MS,
    alike=0.65,
    segmentation={  # 460,000 parameters
        "lstm": {"hidden_size": 96, "num_layers": 2, "bidirectional": True},
        "linear": {"hidden_size": 64, "num_layers": 1},
    },
    embedding={"blocks": [2, 2, 2, 2], "channels": 8, "dimension": DIMENSION},  # 340,000
)
