"""config.json of a diarization bundle: how its networks are built and what they were fitted to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.bundles import BundleInvalid


@dataclass(frozen=True, slots=True)
class Recipe:
    """Times in seconds."""

    window_s: float
    hop_s: float
    frame_step_s: float
    frame_centre_s: float  # of a window's first frame
    powerset: list[list[int]]  # voices of each class
    together: int  # voices that may speak at once
    mels: int
    mel_step_ms: float  # between frames of the filter bank
    alike: float  # cosine of two speakers' means from which they are one
    segmentation: dict[str, Any]  # sizes, for the path with torch
    embedding: dict[str, Any]  # the same; of a CAM++, whose size is given, empty
    mel_window: str = "hamming"  # of the filter bank: one of fbank.WINDOWS

    @property
    def voices(self) -> int:
        """In one window."""
        return 1 + max(voice for voiced in self.powerset for voice in voiced)

    def classes(self) -> npt.NDArray[np.bool_]:
        """[classes, voices]: which voices speak in each class."""
        table = np.zeros((len(self.powerset), self.voices), np.bool_)
        for row, voiced in enumerate(self.powerset):
            table[row, voiced] = True
        return table


def load_recipe(bundle: Path) -> Recipe:
    """Raises BundleInvalid if the file is no recipe."""
    try:
        return Recipe(**json.loads((bundle / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BundleInvalid(f"{bundle / 'config.json'}: {error}") from error
